import Foundation
package import ResourceModel

/// The durable queue of long work: runs of experiments and batch jobs.
///
/// An accepted item is finished or failed, never forgotten.
package protocol WorkQueue: Sendable {
    /// Keeps an item: `.queued` ones are worked on when their turn comes, `.created` ones wait for `start`.
    ///
    /// - Parameters:
    ///   - kept: ended items of the subject that stay for who asks; nil leaves them to `forget`.
    ///   - waitingMax: items of the kind that may wait.
    /// - Throws: `StoreError.overloaded` when so many items of the kind wait already.
    func enqueue(_ item: WorkItem, keeping kept: Int?, waitingMax: Int) async throws

    /// Puts a created item at the end of the queue.
    ///
    /// - Returns: the state before, so that who started it is known to be the first; nil for an unknown id.
    func start(_ id: String) async throws -> WorkState?

    /// Takes an item: of the subject with the fewest running ones its first, of equal subjects that which waits longest.
    ///
    /// - Parameters:
    ///   - perSubject: running items of a subject beyond which its others wait.
    ///   - until: when the claim ends unless `renew` prolongs it; nil for never. Claims that have ended are void first.
    func claim(
        kind: String,
        owner: String,
        perSubject: Int,
        until: Double?,
        at time: Double
    ) async throws -> WorkItem?

    /// Prolongs claims and keeps what is known of their progress.
    ///
    /// - Returns: the ids of claims that do not hold any more; their work must stop.
    func renew(_ claims: [(claim: WorkClaim, report: JSONValue)], until: Double) async throws -> Set<String>

    /// Puts items that another process held back into the queue; called once at start, when the data folder is locked.
    func reclaim(kind: String, owner: String) async throws -> Int

    /// Ends an item. Items that are already ended stay as they are.
    func finish(_ id: String, state: WorkState, error: String?, at time: Double) async throws

    /// Ends an item that a claim holds.
    ///
    /// - Throws: `StoreError.claimLost` when it holds no more: the item was cancelled, or another has it.
    func finish(_ claim: WorkClaim, _ end: WorkEnd) async throws

    /// Asks for an item's end; a queued one ends at once.
    func cancel(_ id: String, at time: Double) async throws

    /// Ends an item as cancelled at once, whoever holds it: that claim is void.
    ///
    /// - Returns: the state before; nil for an unknown id.
    func abort(_ id: String, at time: Double) async throws -> WorkState?

    func get(_ id: String) async throws -> WorkItem?
    /// - Returns: items, newest first.
    func list(_ query: WorkQuery) async throws -> [WorkItem]

    /// Removes items that ended before the time, and those created before it that were never started.
    ///
    /// - Returns: what was removed.
    func forget(kind: String, before time: Double, limit: Int) async throws -> [WorkItem]

    /// Writes what is known of one step of an item.
    func record(_ step: WorkStep) async throws
    func steps(_ id: String) async throws -> [WorkStep]
}

extension WorkQueue {
    package func enqueue(_ item: WorkItem) async throws {
        try await enqueue(item, keeping: WorkQueueLimits.keptPerSubject, waitingMax: WorkQueueLimits.queuedMax)
    }

    /// Takes an item until its end or the end of the process.
    package func claim(kind: String, owner: String) async throws -> WorkItem? {
        try await claim(kind: kind, owner: owner, perSubject: .max, until: nil, at: Date().timeIntervalSince1970)
    }
}

/// The bounds of the queue.
package enum WorkQueueLimits {
    /// Items of a kind that may wait: hours of work for one machine.
    package static let queuedMax = 10_000
    /// Ended items of a subject that are kept for who asks; the oldest are forgotten when another comes.
    package static let keptPerSubject = 1000
}

package enum WorkState: String, Sendable, CaseIterable {
    /// Accepted, and not to be worked on before it is started.
    case created = "Created"
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
    /// What is known of how far it came, and in the end what it gave.
    package var report = JSONValue.null
    /// How often it was taken from the queue.
    package var attempt = 0
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

/// That a process works on an item: void once the item was ended or taken by another.
package struct WorkClaim: Sendable, Equatable {
    package let id: String
    package let owner: String
    package let attempt: Int

    package init(id: String, owner: String, attempt: Int) {
        self.id = id
        self.owner = owner
        self.attempt = attempt
    }
}

/// How an item ends.
package struct WorkEnd: Sendable, Equatable {
    package let state: WorkState
    package let error: String?
    package let report: JSONValue
    /// Seconds since 1970.
    package let time: Double

    package init(state: WorkState, error: String? = nil, report: JSONValue, time: Double) {
        self.state = state
        self.error = error
        self.report = report
        self.time = time
    }
}

/// A page of items of a kind.
package struct WorkQuery: Sendable {
    package let kind: String
    package var subject: String?
    package var state: WorkState?
    /// Only items that were accepted before this one.
    package var before: String?
    package let limit: Int

    package init(kind: String, subject: String? = nil, limit: Int) {
        self.kind = kind
        self.subject = subject
        self.limit = limit
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
