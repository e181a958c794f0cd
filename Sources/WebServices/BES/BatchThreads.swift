import NIOPosix
import Synchronization

#if canImport(Glibc)
import Glibc
#endif

/// The threads that batch jobs are scored on: one a core, behind everything else that wants the processor.
package final class BatchThreads: Sendable {
    /// Of 19: the data path and the doors come first, and a job still goes on beside a busy gateway.
    private static let niceness: Int32 = 15

    private let pool: NIOThreadPool

    package init(count: Int) {
        pool = NIOThreadPool(numberOfThreads: count)
        pool.start()
    }

    package func shutdown() async throws { try await pool.shutdownGracefully() }

    /// Runs work on one of the threads.
    ///
    /// - Returns: what will come of it.
    func submit<Value: Sendable>(_ work: @Sendable @escaping () throws -> Value) -> BatchFuture<Value> {
        let future = BatchFuture<Value>()
        pool.submit { state in
            guard case .active = state else { return future.fulfil(.failure(CancellationError())) }
            // The calling thread alone, as 0 means on Linux; a call that changes nothing costs less than remembering it.
            _ = setpriority(__priority_which_t(PRIO_PROCESS.rawValue), 0, Self.niceness)
            future.fulfil(Result(catching: work))
        }
        return future
    }

    func run<Value: Sendable>(_ work: @Sendable @escaping () throws -> Value) async throws -> Value {
        try await submit(work).value
    }
}

/// The result of work on a thread; awaited by one task.
final class BatchFuture<Value: Sendable>: Sendable {
    private enum State {
        case running
        case awaited(CheckedContinuation<Value, any Error>)
        case done(Result<Value, any Error>)
    }

    private let state = Mutex(State.running)

    func fulfil(_ result: Result<Value, any Error>) {
        let waiting = state.withLock { state -> CheckedContinuation<Value, any Error>? in
            if case .awaited(let continuation) = state { return continuation }
            state = .done(result)
            return nil
        }
        waiting?.resume(with: result)
    }

    var value: Value {
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

/// So many may go on at once; others wait in the order in which they came.
final class BatchSlots: Sendable {
    private struct State {
        var free: Int
        var waiting: [CheckedContinuation<Void, Never>] = []
    }

    private let state: Mutex<State>

    init(count: Int) { state = Mutex(State(free: count)) }

    func takeIfFree() -> Bool {
        state.withLock { state in
            guard state.free > 0 else { return false }
            state.free -= 1
            return true
        }
    }

    func take() async {
        await withCheckedContinuation { continuation in
            let isFree = state.withLock { state in
                if state.free > 0 {
                    state.free -= 1
                    return true
                }
                state.waiting.append(continuation)
                return false
            }
            if isFree { continuation.resume() }
        }
    }

    func give() {
        let next = state.withLock { state -> CheckedContinuation<Void, Never>? in
            guard !state.waiting.isEmpty else {
                state.free += 1
                return nil
            }
            return state.waiting.removeFirst()
        }
        next?.resume()
    }
}
