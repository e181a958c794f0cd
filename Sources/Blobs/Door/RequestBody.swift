import NIOCore
import Synchronization

/// A request's body between the loop that receives it and the task that takes it.
///
/// Bounded: above the bound the loop stops reading from the connection until the task has taken what is here.
final class RequestBody: Sendable {
    /// The client went away, or its request broke.
    struct Broken: Error {}

    /// Bytes that wake the task: fewer would make a hop to the disk for each read of the socket.
    private static let batchBytes = 512 << 10
    /// Bytes that stop reading.
    private static let bytesMax = 1 << 20

    private struct State {
        var pieces: [ByteBuffer] = []
        var bytes = 0
        var isWhole = false
        var isBroken = false
        var isPaused = false
        var waiting: CheckedContinuation<Void, Never>?
    }

    private let state = Mutex(State())
    private let wantMore: @Sendable () -> Void
    /// Bytes of the whole body, where the head said so.
    let length: Int64?

    /// - Parameter wantMore: asks the loop to read on.
    init(length: Int64?, wantMore: @Sendable @escaping () -> Void) {
        self.length = length
        self.wantMore = wantMore
    }

    /// Takes a piece from the loop.
    ///
    /// - Returns: whether the loop should stop reading.
    func push(_ piece: ByteBuffer?, isLast: Bool) -> Bool {
        let (waiting, mustPause) = state.withLock { state -> (CheckedContinuation<Void, Never>?, Bool) in
            if let piece, piece.readableBytes > 0 {
                state.pieces.append(piece)
                state.bytes += piece.readableBytes
            }
            if isLast { state.isWhole = true }
            var waiting: CheckedContinuation<Void, Never>?
            if state.isWhole || state.bytes >= Self.batchBytes {
                waiting = state.waiting
                state.waiting = nil
            }
            let mustPause = !isLast && state.bytes >= Self.bytesMax
            if mustPause { state.isPaused = true }
            return (waiting, mustPause)
        }
        waiting?.resume()
        return mustPause
    }

    func fail() {
        let waiting = state.withLock { state in
            state.isBroken = true
            state.pieces = []
            defer { state.waiting = nil }
            return state.waiting
        }
        waiting?.resume()
    }

    /// The next pieces; none at the end.
    func next() async throws(Broken) -> [ByteBuffer] {
        await withCheckedContinuation { continuation in
            let isReady = state.withLock { state in
                if state.isWhole || state.isBroken || state.bytes >= Self.batchBytes { return true }
                state.waiting = continuation
                return false
            }
            if isReady { continuation.resume() }
        }
        let (pieces, isBroken, wasPaused) = state.withLock { state in
            defer {
                state.pieces = []
                state.bytes = 0
                state.isPaused = false
            }
            return (state.pieces, state.isBroken, state.isPaused)
        }
        if wasPaused { wantMore() }
        if isBroken { throw Broken() }
        return pieces
    }

    /// The whole body of a small document.
    func collect(max: Int) async throws -> [UInt8] {
        var bytes: [UInt8] = []
        while true {
            let pieces = try await next()
            if pieces.isEmpty { return bytes }
            for piece in pieces { bytes += piece.readableBytesView }
            guard bytes.count <= max else { throw BlobError.bodyTooLarge }
        }
    }
}
