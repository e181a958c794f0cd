package import NIOCore

/// A request's head as text, for doors whose requests are tasks.
package struct TaskHead: Sendable {
    package let method: String
    /// Path and query as they came.
    package let target: String
    package let fields: [(name: String, value: String)]
    package let clientAddress: String
    /// Whether the connection is over TLS.
    package let isTLS: Bool
    /// Whether the connection ends with the answer, so that the answer should say so.
    package let closes: Bool

    package init(
        method: String,
        target: String,
        fields: [(name: String, value: String)],
        clientAddress: String,
        isTLS: Bool,
        closes: Bool
    ) {
        self.method = method
        self.target = target
        self.fields = fields
        self.clientAddress = clientAddress
        self.isTLS = isTLS
        self.closes = closes
    }
}

/// What a door does with requests that take their time: each is a task, on any thread.
package protocol TaskDoor: Sendable {
    var load: DoorLoad { get }
    /// Whether the task of a request whose client has gone is cancelled; else it ends as it would.
    var cancelsAbandoned: Bool { get }
    /// The threads that the requests run on; nil for those that all doors share.
    var executor: (any TaskExecutor)? { get }
    /// Whether requests keep the portal's cookies: at its own door only.
    var keepsPortalCookies: Bool { get }

    /// Answers a request.
    ///
    /// - Returns: false where the answer could not be sent whole, so that the connection must be cut.
    func serve(_ head: TaskHead, _ body: RequestBody, _ writer: ReplyWriter) async -> Bool

    /// The answer to a request that the codec refused.
    ///
    /// - Parameter head: what is known of it, where that was refused what could be read.
    func refusal(_ status: Int, _ head: RefusedHead) -> ByteBuffer
}

extension TaskDoor {
    package var keepsPortalCookies: Bool { false }
}
