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
            try await queue.list(WorkQuery(kind: "many", subject: "s", limit: 5000)).count <= WorkQueueLimits.keptPerSubject + 1
        )
    }
}
