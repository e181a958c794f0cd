package import Blobs
import Foundation
package import Logging
import ResourceModel
import Store
import Synchronization

/// Takes jobs from the queue and does them; a job that an earlier process left is taken up again.
package final class BatchWorker: Sendable {
    /// A claim that is not renewed for so long is void.
    private static let leaseSeconds = 30.0
    /// Between two renewals: several may fail before a lease ends.
    private static let beat = Duration.seconds(5)

    private let jobs: BatchJobs
    private let executor: BatchExecutor
    private let owner: String
    private let logger: Logger
    private let signal: AsyncStream<Void>
    private let wakeUp: AsyncStream<Void>.Continuation
    private let running = Atomic<Int>(0)
    private let claims = Mutex<[String: WorkClaim]>([:])

    /// - Parameters:
    ///   - owner: a name that no other process had.
    ///   - wakeUp: what `jobs` wakes.
    package init(
        jobs: BatchJobs,
        threads: BackgroundThreads,
        owner: String,
        wakeUp: (stream: AsyncStream<Void>, continuation: AsyncStream<Void>.Continuation),
        logger: Logger
    ) {
        self.jobs = jobs
        executor = BatchExecutor(jobs: jobs, threads: threads, slots: BatchSlots(count: jobs.limits.chunksMax))
        self.owner = owner
        self.logger = logger
        (signal, self.wakeUp) = wakeUp
    }

    /// What wakes a worker; one signal stands for many.
    package static func makeSignal() -> (stream: AsyncStream<Void>, continuation: AsyncStream<Void>.Continuation) {
        AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
    }

    /// Works until the task is cancelled.
    package func run() async throws {
        let reclaimed = try await jobs.queue.reclaim(kind: BatchJob.kind, owner: owner)
        if reclaimed > 0 { logger.info("jobs taken up again", metadata: ["job.count": "\(reclaimed)"]) }
        wakeUp.yield()
        await withDiscardingTaskGroup { group in
            group.addTask { await self.keepClaims() }
            for await _ in signal {
                while running.load(ordering: .relaxed) < jobs.limits.runningMax, let item = await claim() {
                    running.add(1, ordering: .relaxed)
                    // Beside the tasks of callers, not before them.
                    group.addTask(priority: .utility) {
                        await self.execute(item)
                        self.running.subtract(1, ordering: .relaxed)
                        // A place is free: whatever waits may come.
                        self.wakeUp.yield()
                    }
                }
            }
            group.cancelAll()
        }
    }

    private func claim() async -> WorkItem? {
        let now = Date().timeIntervalSince1970
        do {
            return try await jobs.queue.claim(
                kind: BatchJob.kind,
                owner: owner,
                perSubject: jobs.limits.runningPerEndpoint,
                until: now + Self.leaseSeconds,
                at: now
            )
        } catch {
            logger.error("queue could not be read", metadata: ["error.code": "\(type(of: error))"])
            return nil
        }
    }

    private func execute(_ item: WorkItem) async {
        let claim = WorkClaim(id: item.id, owner: owner, attempt: item.attempt)
        let progress = jobs.board.begin(item.id)
        claims.withLock { $0[item.id] = claim }
        defer {
            claims.withLock { if $0[item.id] == claim { $0[item.id] = nil } }
            jobs.board.end(item.id, progress)
        }
        do {
            // A cancellation between the claim and the place on the board was not told to anybody.
            guard try await jobs.queue.get(item.id)?.state == .running else { return }
            let state = try await executor.execute(item, claim, progress)
            logger.info("job ended", metadata: ["job.id": "\(item.id)", "job.state": "\(state.rawValue)"])
        } catch is CancellationError {
            logger.info("job stopped", metadata: ["job.id": "\(item.id)"])
        } catch {
            // Its claim ends by itself, and then it is tried again.
            logger.error(
                "job could not be ended",
                metadata: ["job.id": "\(item.id)", "error.code": "\(type(of: error))"]
            )
        }
    }

    /// Renews the claims of running jobs, and stops those whose claim is lost.
    private func keepClaims() async {
        while !Task.isCancelled {
            do { try await Task.sleep(for: Self.beat) } catch { return }
            let held = claims.withLock { Array($0.values) }
            let reports = held.compactMap { claim in
                jobs.board.progress(claim.id).map { (claim: claim, report: $0.report) }
            }
            let until = Date().timeIntervalSince1970 + Self.leaseSeconds
            do {
                for id in try await jobs.queue.renew(reports, until: until) { jobs.board.progress(id)?.stop() }
            } catch {
                logger.error("claims could not be renewed", metadata: ["error.code": "\(type(of: error))"])
            }
            // Claims of others may have ended, and a signal may have been lost with an error of the queue.
            wakeUp.yield()
        }
    }

    /// Forgets old jobs, and removes old results where the settings say so.
    package func tidy() async {
        let now = Date().timeIntervalSince1970
        let day = 86_400.0
        do {
            while try await jobs.queue.forget(
                kind: BatchJob.kind,
                before: now - Double(jobs.limits.jobDays) * day,
                limit: Self.forgottenAtOnce
            ).count == Self.forgottenAtOnce {}
            if jobs.limits.outputDays > 0 {
                try await jobs.blobs.expireResults(before: now - Double(jobs.limits.outputDays) * day)
            }
        } catch {
            logger.error("old jobs could not be removed", metadata: ["error.code": "\(type(of: error))"])
        }
    }

    /// Rows of one transaction: other writers wait for milliseconds at most.
    private static let forgottenAtOnce = 500
}
