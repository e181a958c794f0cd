import ResourceModel
import Store
import Testing

/// What every queue must do, written against the protocol.
enum WorkQueueConformance {
    static func handsEachItemOutOnceOldestFirst(_ queue: any WorkQueue) async throws {
        for id in ["a", "b"] {
            try await queue.enqueue(WorkItem(id: id, kind: "order", subject: "x", payload: .null, createdAt: 1))
        }
        #expect(try await queue.claim(kind: "order", owner: "first")?.id == "a")
        #expect(try await queue.claim(kind: "order", owner: "first")?.id == "b")
        #expect(try await queue.claim(kind: "order", owner: "first") == nil)
        try await queue.finish("a", state: .finished, error: nil, at: 2)
        // The process dies: what it held goes back, what it had ended does not.
        #expect(try await queue.reclaim(kind: "order", owner: "second") == 1)
        #expect(try await queue.claim(kind: "order", owner: "second")?.id == "b")
        try await queue.finish("a", state: .failed, error: "late", at: 3)
        #expect(try await queue.get("a")?.state == .finished)
    }

    static func keepsSteps(_ queue: any WorkQueue) async throws {
        try await queue.enqueue(WorkItem(id: "steps", kind: "steps", subject: "x", payload: ["n": 1], createdAt: 1))
        var step = WorkStep(item: "steps", step: "one", ordinal: 1, state: "Running")
        try await queue.record(WorkStep(item: "steps", step: "two", ordinal: 2, state: "Queued"))
        try await queue.record(step)
        step.state = "Finished"
        step.endedAt = 5
        step.detail = ["schema": []]
        try await queue.record(step)
        let steps = try await queue.steps("steps")
        #expect(steps.map(\.step) == ["one", "two"])
        #expect(steps.first == step)
        #expect(try await queue.get("steps")?.payload["n"]?.int == 1)
    }

    static func cancels(_ queue: any WorkQueue) async throws {
        for id in ["waiting", "running"] {
            try await queue.enqueue(WorkItem(id: id, kind: "cancel", subject: "x", payload: .null, createdAt: 1))
        }
        try await queue.cancel("waiting", at: 2)
        #expect(try await queue.get("waiting")?.state == .cancelled)
        #expect(try await queue.claim(kind: "cancel", owner: "o")?.id == "running")
        try await queue.cancel("running", at: 2)
        #expect(try await queue.get("running")?.state == .running)
        #expect(try await queue.get("running")?.isCancelRequested == true)
    }

    static func forgetsTheOldest(_ queue: any WorkQueue) async throws {
        for number in 0...(WorkQueueLimits.keptPerSubject + 5) {
            let id = "old-\(number)"
            try await queue.enqueue(WorkItem(id: id, kind: "many", subject: "s", payload: .null, createdAt: 1))
            try await queue.finish(id, state: .finished, error: nil, at: 2)
        }
        #expect(try await queue.get("old-0") == nil)
        #expect(
            try await queue.list(WorkQuery(kind: "many", subject: "s", limit: 5000)).count <= WorkQueueLimits
                .keptPerSubject + 1
        )
    }

    private static func item(_ id: String, _ kind: String, _ subject: String, created: Bool = false) -> WorkItem {
        var item = WorkItem(id: id, kind: kind, subject: subject, payload: .null, createdAt: 1)
        if created { item.state = .created }
        return item
    }

    private static func claim(
        _ queue: any WorkQueue,
        _ kind: String,
        most: Int = 40,
        at time: Double = 10
    ) async throws -> WorkItem? {
        try await queue.claim(kind: kind, owner: "o", perSubject: most, until: time + 30, at: time)
    }

    /// Items enter the queue when they are started, each subject gets its turn, and none more than its share.
    static func isFair(_ queue: any WorkQueue) async throws {
        for id in ["a1", "a2", "a3", "a4"] { try await queue.enqueue(item(id, "fair", "a", created: true)) }
        #expect(try await claim(queue, "fair") == nil)
        for id in ["a2", "a1", "a3", "a4"] { #expect(try await queue.start(id) == .created) }
        #expect(try await queue.start("a2") == .queued)
        #expect(try await queue.start("nobody") == nil)
        try await queue.enqueue(item("b1", "fair", "b"))
        var order: [String] = []
        while let next = try await claim(queue, "fair", most: 3) { order.append(next.id) }
        #expect(order == ["a2", "b1", "a1", "a3"])
        #expect(try await queue.list(WorkQuery(kind: "fair", subject: "a", limit: 2)).map(\.id) == ["a4", "a3"])
        var query = WorkQuery(kind: "fair", limit: 9)
        query.state = .running
        query.before = "a3"
        #expect(try await queue.list(query).map(\.id) == ["a2", "a1"])
    }

    /// A claim that is not renewed ends, and what its holder does afterwards does not count.
    static func fencesClaims(_ queue: any WorkQueue) async throws {
        try await queue.enqueue(item("one", "fence", "s"))
        let first = try #require(try await claim(queue, "fence", at: 10))
        let old = WorkClaim(id: "one", owner: "o", attempt: first.attempt)
        #expect(try await queue.renew([(old, ["Rows": 5])], until: 50) == [])
        #expect(try await claim(queue, "fence", at: 45) == nil)
        #expect(try await queue.get("one")?.report["Rows"]?.int == 5)
        let second = try #require(try await claim(queue, "fence", at: 60))
        #expect(second.attempt == first.attempt + 1)
        #expect(try await queue.renew([(old, .null)], until: 90) == ["one"])
        let end = WorkEnd(state: .finished, report: ["Rows": 7], time: 70)
        await #expect(throws: StoreError.claimLost) { try await queue.finish(old, end) }
        try await queue.finish(WorkClaim(id: "one", owner: "o", attempt: second.attempt), end)
        #expect(try await queue.get("one")?.state == .finished)
        #expect(try await queue.get("one")?.report["Rows"]?.int == 7)
    }

    /// An aborted item stays so, whatever its holder says.
    static func aborts(_ queue: any WorkQueue) async throws {
        for id in ["held", "over"] { try await queue.enqueue(item(id, "abort", "s")) }
        let held = try #require(try await claim(queue, "abort"))
        #expect(try await queue.abort("held", at: 20) == .running)
        let claim = WorkClaim(id: held.id, owner: "o", attempt: held.attempt)
        let end = WorkEnd(state: .finished, report: .null, time: 21)
        await #expect(throws: StoreError.claimLost) { try await queue.finish(claim, end) }
        #expect(try await queue.get("held")?.state == .cancelled)
        try await queue.finish("over", state: .finished, error: nil, at: 5)
        #expect(try await queue.abort("over", at: 22) == .finished)
        #expect(try await queue.get("over")?.state == .finished)
        try await queue.enqueue(item("unstarted", "abort", "s", created: true))
        #expect(try await queue.forget(kind: "abort", before: 19, limit: 9).map(\.id) == ["over", "unstarted"])
        await #expect(throws: StoreError.overloaded) {
            for number in 0...3 {
                try await queue.enqueue(item("w\(number)", "abort", "s"), keeping: nil, waitingMax: 3)
            }
        }
    }
}
