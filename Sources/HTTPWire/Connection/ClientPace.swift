package import NIOCore

/// How much a client that is waited for has sent and taken in its last seconds.
package struct ClientPace: Sendable {
    /// Time over which it is judged: a client may pause for as long, even where others wait for its room.
    package static let window = TimeAmount.seconds(3)
    /// Bytes of a window that make a client steady: a full door ends nobody who is faster, as 64 KiB a second.
    package static let steadyBytes = 3 * 64 << 10

    private var start: NIODeadline?
    private var counted = 0
    /// Bytes of the last whole window; nil before there is one, since when the client has been waited for without a break.
    package private(set) var bytes: Int?

    package init() {}

    /// Called every second in which the client was waited for.
    ///
    /// - Parameter progress: bytes that it has sent and taken until now.
    package mutating func note(_ progress: Int, at now: NIODeadline) {
        guard let start else {
            start = now
            counted = progress
            return
        }
        guard now >= start + Self.window else { return }
        bytes = progress - counted
        self.start = now
        counted = progress
    }
}
