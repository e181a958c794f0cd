import ResourceModel
import Synchronization

/// Whose turn it is to write below an API: a release moves everything there, so that a path which was read before it means another
/// revision after it.
package final class APIWriters: Sendable {
    /// Writes that wait for one API: each holds a body of a few mebibytes at most, and takes its turn within milliseconds.
    private static let waitingMax = 1000

    /// By API name in lower case, as long as somebody writes there: those who wait, in their order.
    private let waiting = Mutex<[String: [CheckedContinuation<Bool, Never>]]>([:])

    package init() {}

    /// Does what is to be done when nobody else writes below the API.
    ///
    /// - Parameter api: its name in lower case, without a revision.
    /// - Throws: `APIError` 503 where too many wait already.
    package func alone<Value>(_ api: String, _ body: () async throws -> Value) async throws -> Value {
        try await begin(api)
        defer { end(api) }
        return try await body()
    }

    private func begin(_ api: String) async throws(APIError) {
        let hasTurn = await withCheckedContinuation { turn in
            let answer: Bool? = waiting.withLock { waiting in
                guard let others = waiting[api] else {
                    waiting[api] = []
                    return true
                }
                guard others.count < Self.waitingMax else { return false }
                waiting[api]?.append(turn)
                return nil
            }
            if let answer { turn.resume(returning: answer) }
        }
        guard hasTurn else {
            throw APIError(status: 503, code: "ServiceUnavailable", message: "Too many writes are waiting; try again.")
        }
    }

    private func end(_ api: String) {
        let next: CheckedContinuation<Bool, Never>? = waiting.withLock { waiting in
            guard let turns = waiting[api], !turns.isEmpty else {
                waiting[api] = nil
                return nil
            }
            return waiting[api]?.removeFirst()
        }
        next?.resume(returning: true)
    }
}
