package import NIOCore
import Synchronization

/// A request's body between the loop that receives it and the task that takes it.
///
/// Bounded: above the bound the loop stops reading from the connection until the task has taken what is here; and until the task asks for the
/// body at all, little more is read than came with the head.
package final class RequestBody: Sendable {
    /// The client went away, or its request broke.
    package struct Broken: Error {}

    /// Bytes that wake the task: fewer would make a hop to the disk for each read of the socket.
    private static let batchBytes = 512 << 10
    /// Bytes that stop reading.
    private static let bytesMax = 1 << 20
    /// Both of them before the body is asked for, or where the door holds much for its clients.
    private static let scarceBytes = 64 << 10

    private struct State {
        var pieces: [ByteBuffer] = []
        var bytes = 0
        var isWhole = false
        var isBroken = false
        var isPaused = false
        var isAskedFor = false
        var waiting: CheckedContinuation<Void, Never>?
    }

    private let state = Mutex(State())
    private let load: DoorLoad
    private let ask: @Sendable () -> Void
    private let wantMore: @Sendable () -> Void
    /// Bytes of the whole body, where the head said so.
    package let length: Int64?

    /// - Parameters:
    ///   - ask: tells the loop that the body is wanted; called once.
    ///   - wantMore: asks the loop to read on.
    init(
        length: Int64?,
        load: DoorLoad,
        ask: @Sendable @escaping () -> Void,
        wantMore: @Sendable @escaping () -> Void
    ) {
        self.length = length
        self.load = load
        self.ask = ask
        self.wantMore = wantMore
    }

    /// Takes a piece from the loop.
    ///
    /// - Returns: whether the loop should stop reading.
    func push(_ piece: ByteBuffer?, isLast: Bool) -> Bool {
        let isScarce = load.isScarce
        let count = piece?.readableBytes ?? 0
        let (waiting, mustPause, isKept) = state.withLock { state -> (CheckedContinuation<Void, Never>?, Bool, Bool) in
            // Whoever would take it has gone.
            guard !state.isBroken else { return (nil, false, false) }
            if let piece, count > 0 {
                state.pieces.append(piece)
                state.bytes += count
            }
            if isLast { state.isWhole = true }
            var waiting: CheckedContinuation<Void, Never>?
            if state.isWhole || state.bytes >= (isScarce ? Self.scarceBytes : Self.batchBytes) {
                waiting = state.waiting
                state.waiting = nil
            }
            let bytesMax = isScarce || !state.isAskedFor ? Self.scarceBytes : Self.bytesMax
            let mustPause = !isLast && state.bytes >= bytesMax
            if mustPause { state.isPaused = true }
            return (waiting, mustPause, true)
        }
        if isKept { load.hold(count) }
        waiting?.resume()
        return mustPause
    }

    /// Nothing more comes, or nobody takes what came.
    func fail() {
        let (waiting, bytes) = state.withLock { state in
            let bytes = state.bytes
            state.isBroken = true
            state.pieces = []
            state.bytes = 0
            defer { state.waiting = nil }
            return (state.waiting, bytes)
        }
        load.release(bytes)
        waiting?.resume()
    }

    /// The next pieces; none at the end.
    package func next() async throws(Broken) -> [ByteBuffer] {
        let isScarce = load.isScarce
        let (isFirst, mustWait, isUnread) = state.withLock { state in
            defer { state.isAskedFor = true }
            let isReady =
                state.isWhole || state.isBroken || state.bytes >= (isScarce ? Self.scarceBytes : Self.batchBytes)
            let isUnread = state.isPaused && !isReady
            if isUnread { state.isPaused = false }
            return (!state.isAskedFor, !isReady, isUnread)
        }
        if isFirst { ask() }
        // It was paused for having come before it was asked for, with less than wakes the task.
        if isUnread { wantMore() }
        if mustWait {
            load.pause()
            await wait()
            load.resume()
        }
        let (pieces, bytes, isBroken, wasPaused) = state.withLock { state in
            defer {
                state.pieces = []
                state.bytes = 0
                state.isPaused = false
            }
            return (state.pieces, state.bytes, state.isBroken, state.isPaused)
        }
        load.release(bytes)
        if wasPaused { wantMore() }
        if isBroken { throw Broken() }
        return pieces
    }

    private func wait() async {
        await withCheckedContinuation { continuation in
            let isScarce = load.isScarce
            let isReady = state.withLock { state in
                // The bound may have moved since it was looked at: whatever has paused the loop is taken.
                let isEnough = state.bytes >= (isScarce ? Self.scarceBytes : Self.batchBytes) || state.isPaused
                if state.isWhole || state.isBroken || isEnough { return true }
                state.waiting = continuation
                return false
            }
            if isReady { continuation.resume() }
        }
    }
}
