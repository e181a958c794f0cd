import Blobs
import Foundation
package import Logging
import ResourceModel
package import Store
import StudioModules
import Synchronization

/// Takes runs from the queue and runs them; a run that an earlier process left is taken up again.
package final class RunWorker: Sendable {
    /// Runs side by side: each may take all cores.
    private static let runsMax = 2
    /// How often a running run asks about its cancellation.
    private static let pollInterval = Duration.milliseconds(500)

    private let queue: any WorkQueue
    private let executor: RunExecutor
    private let owner: String
    private let logger: Logger
    private let signal: AsyncStream<Void>
    private let wakeUp: AsyncStream<Void>.Continuation

    package init(queue: any WorkQueue, executor: RunExecutor, owner: String, logger: Logger) {
        self.queue = queue
        self.executor = executor
        self.owner = owner
        self.logger = logger
        (signal, wakeUp) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
    }

    /// Says that there is work.
    package func wake() { wakeUp.yield() }

    /// Works until the task is cancelled.
    package func run() async throws {
        let reclaimed = try await queue.reclaim(kind: ExperimentService.runKind, owner: owner)
        if reclaimed > 0 { logger.info("runs taken up again", metadata: ["run.count": "\(reclaimed)"]) }
        wake()
        await withDiscardingTaskGroup { group in
            for await _ in signal {
                while running.load(ordering: .relaxed) < RunWorker.runsMax, let item = await claim() {
                    running.add(1, ordering: .relaxed)
                    group.addTask {
                        await self.execute(item)
                        self.running.subtract(1, ordering: .relaxed)
                        // A place is free: whatever waits may come.
                        self.wake()
                    }
                }
            }
            group.cancelAll()
        }
    }

    private let running = Atomic<Int>(0)

    private func claim() async -> WorkItem? {
        do { return try await queue.claim(kind: ExperimentService.runKind, owner: owner) } catch {
            logger.error("queue could not be read", metadata: ["error.code": "\(type(of: error))"])
            return nil
        }
    }

    private func execute(_ item: WorkItem) async {
        let token = RunToken()
        let queue = queue
        let watch = Task {
            // Awaited by nobody: ended right below, when the run has ended.
            while !Task.isCancelled {
                if (try? await queue.get(item.id))?.isCancelRequested == true { token.cancel() }
                try? await Task.sleep(for: RunWorker.pollInterval)
            }
        }
        defer { watch.cancel() }
        let (state, error) = await executor.execute(item, token)
        do {
            try await queue.finish(item.id, state: state, error: error, at: Date().timeIntervalSince1970)
        } catch {
            logger.error(
                "run could not be ended",
                metadata: ["run.id": "\(item.id)", "error.code": "\(type(of: error))"]
            )
        }
        logger.info("run ended", metadata: ["run.id": "\(item.id)", "run.state": "\(state.rawValue)"])
    }
}

/// Asks a run to stop.
package final class RunToken: Sendable {
    private let flag = Atomic<Bool>(false)
    package init() {}
    package func cancel() { flag.store(true, ordering: .relaxed) }
    package var isCancelled: Bool { flag.load(ordering: .relaxed) }
}
