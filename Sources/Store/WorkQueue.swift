package import ResourceModel

/// The durable queue of long work: runs now, batch jobs later.
///
/// An accepted item is finished or failed, never forgotten.
package protocol WorkQueue: Sendable {
    /// - Throws: `StoreError.overloaded` when too many items of the kind wait already.
    func enqueue(_ item: WorkItem) async throws

    /// Takes the oldest queued item of a kind for a process.
    func claim(kind: String, owner: String) async throws -> WorkItem?

    /// Puts items that another process held back into the queue; called once at start, when the data folder is locked.
    func reclaim(kind: String, owner: String) async throws -> Int

    /// Ends an item. Items that are already ended stay as they are.
    func finish(_ id: String, state: WorkState, error: String?, at time: Double) async throws

    /// Asks for an item's end; a queued one ends at once.
    func cancel(_ id: String, at time: Double) async throws

    func get(_ id: String) async throws -> WorkItem?
    func list(kind: String, subject: String, limit: Int) async throws -> [WorkItem]

    /// Writes what is known of one step of an item.
    func record(_ step: WorkStep) async throws
    func steps(_ id: String) async throws -> [WorkStep]
}

/// The bounds of the queue.
package enum WorkQueueLimits {
    /// Items of a kind that may wait: hours of work for one machine.
    package static let queuedMax = 10_000
    /// Ended items of a subject that are kept for who asks; the oldest are forgotten when another comes.
    package static let keptPerSubject = 1000
}

package enum WorkState: String, Sendable {
    case queued = "Queued"
    case running = "Running"
    case finished = "Finished"
    case failed = "Failed"
    case cancelled = "Cancelled"
}

package struct WorkItem: Sendable, Equatable {
    package let id: String
    package let kind: String
    /// What the work is about, as an experiment's id.
    package let subject: String
    package let payload: JSONValue
    package var state = WorkState.queued
    package var error: String?
    package var isCancelRequested = false
    /// Seconds since 1970.
    package let createdAt: Double
    package var startedAt: Double?
    package var endedAt: Double?

    package init(id: String, kind: String, subject: String, payload: JSONValue, createdAt: Double) {
        self.id = id
        self.kind = kind
        self.subject = subject
        self.payload = payload
        self.createdAt = createdAt
    }
}

/// One step of a work item: a node of a run.
package struct WorkStep: Sendable, Equatable {
    package let item: String
    package let step: String
    /// The order of steps.
    package let ordinal: Int
    package var state: String
    package var startedAt: Double?
    package var endedAt: Double?
    package var error: String?
    /// What the step gave: schemas of its outputs.
    package var detail: JSONValue

    package init(item: String, step: String, ordinal: Int, state: String, detail: JSONValue = .null) {
        self.item = item
        self.step = step
        self.ordinal = ordinal
        self.state = state
        self.detail = detail
    }
}
