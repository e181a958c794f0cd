package import NIOCore

/// What a door does with requests; one instance an event loop, called on it only.
package protocol WireResponder: AnyObject {
    /// Whether requests keep the portal's cookies: at its own door only.
    var keepsPortalCookies: Bool { get }

    /// Decides on a request by its head.
    ///
    /// The head's bytes are `connection.head`, its fields `connection.parser`. After `.answered` the rest of the request is
    /// read and dropped.
    func receiveHead(on connection: DownstreamConnection) -> BodyPlan

    /// The whole body, after `.collect`; or a piece of it as it came on the wire, after `.stream`.
    func receiveBody(_ body: ByteBuffer, isLast: Bool, on connection: DownstreamConnection)

    /// The client went away, or its request broke, while a request was open.
    func abandon(on connection: DownstreamConnection)

    /// The client takes bytes again.
    func resume(on connection: DownstreamConnection)

    /// Asked every second while a request is open: whether what it waits for has taken too long.
    func checkTime(_ now: NIODeadline, on connection: DownstreamConnection)

    /// The answer to a request that the codec refused.
    func refusal(_ status: Int, on connection: DownstreamConnection) -> ByteBuffer

    /// The last that is heard of a request, once for each head that was received; `connection` still has its head, status and
    /// sizes.
    ///
    /// - Parameter isWhole: whether its answer was sent to the end.
    func ended(isWhole: Bool, on connection: DownstreamConnection)
}

extension WireResponder {
    package var keepsPortalCookies: Bool { false }

    package func ended(isWhole: Bool, on connection: DownstreamConnection) {}
}

/// How the responder wants the body.
package enum BodyPlan {
    /// Whole, without framing, up to so many bytes; above it the responder's refusal of 413 is sent.
    ///
    /// - Parameter isAnonymous: whether nobody was asked who he is: such bodies have a part of the door's memory only (`WireLimits.collectedBytesMax`).
    case collect(bytesMax: Int, isAnonymous: Bool = false)
    /// In pieces, with its framing.
    case stream
    /// The same, but the client is told to go on only by `DownstreamConnection.askForBody`, once it was decided that the body is wanted.
    case streamWhenAsked
    /// Not at all: the answer is already sent.
    case answered
}
