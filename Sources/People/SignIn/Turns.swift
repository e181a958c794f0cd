import Synchronization

/// Lets so many through at once, and all others in the order in which they came.
package final class Turns: Sendable {
    /// More wait already than may.
    package struct AreTooMany: Error {}

    private struct State {
        var free: Int
        /// Of whoever came last.
        var number = 0
        var waiting: [(number: Int, continuation: CheckedContinuation<Void, any Error>)] = []
    }

    private let state: Mutex<State>
    private let waitingMax: Int

    /// - Parameter waitingMax: whoever comes when so many wait is refused.
    package init(count: Int, waitingMax: Int) {
        state = Mutex(State(free: count))
        self.waitingMax = waitingMax
    }

    /// Returns when it is the caller's turn; `pass` must be called at its end.
    ///
    /// - Throws: `AreTooMany`; `CancellationError` where the caller has gone meanwhile.
    package func wait() async throws {
        let number = state.withLock { state in
            state.number += 1
            return state.number
        }
        try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { (continuation: CheckedContinuation<Void, any Error>) in
                let outcome = state.withLock { state -> Result<Void, any Error>? in
                    // Looked at within the lock: a cancellation before it finds nobody who waits.
                    if Task.isCancelled { return .failure(CancellationError()) }
                    if state.free > 0 {
                        state.free -= 1
                        return .success(())
                    }
                    guard state.waiting.count < waitingMax else { return .failure(AreTooMany()) }
                    state.waiting.append((number, continuation))
                    return nil
                }
                if let outcome { continuation.resume(with: outcome) }
            }
        } onCancel: {
            let gone = state.withLock { state in
                state.waiting.firstIndex { $0.number == number }.map { state.waiting.remove(at: $0).continuation }
            }
            gone?.resume(throwing: CancellationError())
        }
    }

    package func pass() {
        let next = state.withLock { state -> CheckedContinuation<Void, any Error>? in
            guard state.waiting.isEmpty else { return state.waiting.removeFirst().continuation }
            state.free += 1
            return nil
        }
        next?.resume()
    }
}
