import NIOPosix
import Synchronization

#if canImport(Glibc)
import Glibc
#endif

/// Threads for work that nobody waits for, as batch jobs: behind everything else that wants the processor.
package final class BackgroundThreads: Sendable {
    /// Of 19; for kernels where the class below is not to be had.
    private static let niceness: Int32 = 15
    /// Linux's class for work that runs where a core has nothing else to do, whose name Swift does not import: `SCHED_IDLE`.
    ///
    /// Under it a thread that the data path wakes takes the core at once, which niceness alone does not give.
    private static let idleClass: Int32 = 5

    private let pool: NIOThreadPool

    package init(count: Int) {
        pool = NIOThreadPool(numberOfThreads: count)
        pool.start()
    }

    package func shutdown() async throws { try await pool.shutdownGracefully() }

    /// Runs work on one of the threads.
    ///
    /// - Returns: what will come of it.
    package func submit<Value: Sendable>(_ work: @Sendable @escaping () throws -> Value) -> BackgroundResult<Value> {
        let result = BackgroundResult<Value>()
        pool.submit { state in
            guard case .active = state else { return result.fulfil(.failure(CancellationError())) }
            Self.yieldToOthers()
            result.fulfil(Result(catching: work))
        }
        return result
    }

    package func run<Value: Sendable>(_ work: @Sendable @escaping () throws -> Value) async throws -> Value {
        try await submit(work).value
    }

    /// Puts the calling thread behind all others; 0 means it alone on Linux.
    ///
    /// Calls that change nothing cost less than remembering which threads were put there.
    private static func yieldToOthers() {
        _ = setpriority(__priority_which_t(PRIO_PROCESS.rawValue), 0, niceness)
        var parameters = sched_param()
        _ = sched_setscheduler(0, idleClass, &parameters)
    }
}

/// The result of work on a thread; awaited by one task.
package final class BackgroundResult<Value: Sendable>: Sendable {
    private enum State {
        case running
        case awaited(CheckedContinuation<Value, any Error>)
        case done(Result<Value, any Error>)
    }

    private let state = Mutex(State.running)

    fileprivate func fulfil(_ result: Result<Value, any Error>) {
        let waiting = state.withLock { state -> CheckedContinuation<Value, any Error>? in
            if case .awaited(let continuation) = state { return continuation }
            state = .done(result)
            return nil
        }
        waiting?.resume(with: result)
    }

    package var value: Value {
        get async throws {
            try await withCheckedThrowingContinuation { continuation in
                let result = state.withLock { state -> Result<Value, any Error>? in
                    if case .done(let result) = state { return result }
                    state = .awaited(continuation)
                    return nil
                }
                if let result { continuation.resume(with: result) }
            }
        }
    }
}
