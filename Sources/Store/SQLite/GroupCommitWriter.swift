import Dispatch
package import GRDB
import Synchronization

/// Gathers writes that wait while a commit is on its way to the disk, and commits them together.
///
/// GRDB does not merge commits, and each costs a flush. A write that comes alone is committed at once: there is no timer.
package final class GroupCommitWriter: Sendable {
    /// Writes of one commit: keeps a commit, and so the wait of each writer in it, in the milliseconds.
    static let groupMax = 256
    /// Writes that may wait: more than the doors let in at once.
    static let pendingMax = 20_000

    private struct Job: Sendable {
        /// Whether it gives space back, and so may use the reserve of a full disk.
        let isFreeing: Bool
        /// Does the write in a savepoint of its own; its failure undoes this write only.
        let run: @Sendable (Database) -> Void
        /// Called after the commit, or with its error.
        let complete: @Sendable ((any Error)?) -> Void
    }

    private struct Pending {
        var jobs: [Job] = []
        var isDraining = false
    }

    private let pool: any DatabaseWriter
    private let reserve: DiskReserve?
    private let failing = Atomic(false)
    private let pending = Mutex(Pending())
    private let queue = DispatchQueue(label: "gatehouse.store.writer")

    init(pool: any DatabaseWriter, reserve: DiskReserve? = nil) {
        self.pool = pool
        self.reserve = reserve
    }

    /// Whether the disk did not take the last commit.
    package var isFailing: Bool { failing.load(ordering: .relaxed) }

    /// Runs the body in a transaction and returns once it is on the disk.
    ///
    /// - Throws: what the body throws, the error of the commit, `StoreError.overloaded`, or `.diskFull`.
    package func write<Value: Sendable>(_ body: @Sendable @escaping (Database) throws -> Value) async throws -> Value {
        try await withCheckedThrowingContinuation { (continuation: CheckedContinuation<Value, any Error>) in
            let result = Mutex<Result<Value, any Error>?>(nil)
            let box = ResultBox(result)
            let job = Job(
                isFreeing: SpaceUse.isFreeing,
                run: { db in box.run(db, body) },
                complete: { error in
                    if let error {
                        continuation.resume(throwing: error)
                    } else {
                        continuation.resume(with: box.take())
                    }
                }
            )
            let (accepted, mustStart) = pending.withLock { pending in
                guard pending.jobs.count < GroupCommitWriter.pendingMax else { return (false, false) }
                pending.jobs.append(job)
                let mustStart = !pending.isDraining
                pending.isDraining = true
                return (true, mustStart)
            }
            guard accepted else { return continuation.resume(throwing: StoreError.overloaded) }
            if mustStart { queue.async { self.drain() } }
        }
    }

    private func drain() {
        while true {
            let jobs = pending.withLock { pending in
                let group = Array(pending.jobs.prefix(GroupCommitWriter.groupMax))
                pending.jobs.removeFirst(group.count)
                if group.isEmpty { pending.isDraining = false }
                return group
            }
            guard !jobs.isEmpty else { return }
            commit(jobs)
        }
    }

    private func commit(_ jobs: [Job]) {
        var jobs = jobs
        if reserve?.isReleased == true { jobs = refuseOthers(jobs) }
        guard !jobs.isEmpty else { return }
        do {
            do { try run(jobs) } catch let error as DatabaseError where GroupCommitWriter.isDiskFull(error) {
                // Those that make room are tried once more, with what was kept back for them.
                guard let reserve else { throw StoreError.diskFull }
                let gaveRoom = reserve.release()
                failing.store(true, ordering: .relaxed)
                jobs = refuseOthers(jobs)
                guard !jobs.isEmpty else { return }
                guard gaveRoom else { throw StoreError.diskFull }
                try run(jobs)
            }
            failing.store(false, ordering: .relaxed)
            for job in jobs { job.complete(nil) }
        } catch {
            failing.store(true, ordering: .relaxed)
            for job in jobs { job.complete(error) }
        }
    }

    private func run(_ jobs: [Job]) throws {
        try pool.writeWithoutTransaction { db in
            try db.inTransaction(.immediate) {
                for job in jobs {
                    job.run(db)
                    // A full disk may have undone the transaction as a whole, and not only the writer's savepoint.
                    guard db.isInsideTransaction else { throw DatabaseError(resultCode: .SQLITE_FULL) }
                }
                return .commit
            }
        }
    }

    /// - Returns: those that give space back.
    private func refuseOthers(_ jobs: [Job]) -> [Job] {
        for job in jobs where !job.isFreeing { job.complete(StoreError.diskFull) }
        return jobs.filter(\.isFreeing)
    }

    /// Whether a file could not grow; the memory of the log's index is a file too.
    private static func isDiskFull(_ error: DatabaseError) -> Bool {
        error.resultCode == .SQLITE_FULL
            || [.SQLITE_IOERR_SHMSIZE, .SQLITE_IOERR_SHMMAP].contains(error.extendedResultCode)
    }
}

/// The result of one write, between its savepoint and the group's commit.
private final class ResultBox<Value: Sendable>: Sendable {
    private let result: Mutex<Result<Value, any Error>?>

    init(_ result: consuming sending Mutex<Result<Value, any Error>?>) { self.result = result }

    func run(_ db: Database, _ body: (Database) throws -> Value) {
        var outcome: Result<Value, any Error>
        do {
            var value: Value?
            try db.inSavepoint {
                value = try body(db)
                return .commit
            }
            outcome = value.map(Result.success) ?? .failure(StoreError.notDurable("the write gave no result"))
        } catch {
            outcome = .failure(error)
        }
        result.withLock { $0 = outcome }
    }

    func take() -> Result<Value, any Error> {
        result.withLock { $0 } ?? .failure(StoreError.notDurable("the write was not run"))
    }
}
