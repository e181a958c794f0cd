package import NIOCore
import Synchronization

/// Sends an answer from a task through the connection's loop, no faster than the client takes it.
package final class ReplyWriter: Sendable {
    /// The client went away.
    package struct Gone: Error {}

    private struct State {
        var isGone = false
        var waiting: CheckedContinuation<Bool, Never>?
    }

    private let state = Mutex(State())
    private let load: DoorLoad
    /// Puts bytes on the connection, on its loop; tells whether there is room for more.
    private let send: @Sendable (ByteBuffer, @Sendable @escaping (Bool) -> Void) -> Void

    init(load: DoorLoad, send: @Sendable @escaping (ByteBuffer, @Sendable @escaping (Bool) -> Void) -> Void) {
        self.load = load
        self.send = send
    }

    /// Sends bytes and returns when there is room for the next.
    package func write(_ bytes: ByteBuffer) async throws(Gone) {
        let count = bytes.readableBytes
        load.pause()
        load.hold(count)
        let isHere = await withCheckedContinuation { continuation in
            let isGone = state.withLock { state in
                if state.isGone { return true }
                state.waiting = continuation
                return false
            }
            if isGone { return continuation.resume(returning: false) }
            send(bytes) { [self] hasRoom in if hasRoom { release(true) } }
        }
        load.release(count)
        load.resume()
        guard isHere else { throw Gone() }
    }

    /// There is room again, or the client is gone.
    func release(_ isHere: Bool) {
        let waiting = state.withLock { state in
            if !isHere { state.isGone = true }
            defer { state.waiting = nil }
            return state.waiting
        }
        waiting?.resume(returning: isHere)
    }
}
