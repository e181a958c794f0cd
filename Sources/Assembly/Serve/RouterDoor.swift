import Foundation
import HTTPServing
import HTTPTypes
import HTTPWire
import Hummingbird
import Logging
import NIOCore
import ResourceModel

/// Serves routes of an ordinary door by the connections, the codec and the bounds of the other doors.
struct RouterDoor: TaskDoor {
    /// Requests at work at once: management is done one after the other in the store, and each may hold a document in memory.
    private static let requestsMax = 512

    let load = DoorLoad(workingMax: requestsMax)
    /// A change that is begun is ended, whether or not its caller still listens.
    let cancelsAbandoned = false
    let executor: (any TaskExecutor)? = PlaneThreads.management
    let keepsPortalCookies = true
    private let responder: RouterResponder<ServingContext>
    private let trustedProxies: Set<String>
    private let allowsPlainPasswords: Bool
    private let logger: Logger

    init(_ router: Router<ServingContext>, _ premises: Premises) {
        responder = router.buildResponder()
        trustedProxies = Set(premises.settings.trustedProxies)
        allowsPlainPasswords = premises.settings.allowsPlainPasswords
        logger = premises.logger
    }

    func serve(_ head: TaskHead, _ body: HTTPWire.RequestBody, _ writer: ReplyWriter) async -> Bool {
        let hasEntered = load.enter()
        defer { if hasEntered { load.leave() } }
        let response = hasEntered ? await respond(head, body) : Self.busy
        return await Self.send(response, head, writer)
    }

    private func respond(_ head: TaskHead, _ body: HTTPWire.RequestBody) async -> Response {
        guard let method = HTTPRequest.Method(head.method) else {
            return Self.failure(400, "BadRequest", "The request is not valid HTTP/1.1.")
        }
        var fields = HTTPFields()
        var host: String?
        for (name, value) in head.fields {
            guard let name = HTTPField.Name(name) else { continue }
            // As in HTTP/2, the host is what the request is about and no field.
            if name.canonicalName == "host" { host = value } else { fields.append(HTTPField(name: name, value: value)) }
        }
        let request = Request(
            head: HTTPRequest(
                method: method,
                scheme: head.isSecure(trusting: trustedProxies) ? "https" : "http",
                authority: host,
                path: head.target,
                headerFields: fields
            ),
            body: Hummingbird.RequestBody(asyncSequence: BodyPieces(body: body))
        )
        do {
            return try await responder.respond(to: request, context: context(head))
        } catch {
            logger.error("request failed", metadata: ["error.code": "\(type(of: error))"])
            return Self.failure(500, "InternalServerError", "The request failed inside Gatehouse.")
        }
    }

    private func context(_ head: TaskHead) -> ServingContext {
        var context = ServingContext(source: ServingSource(logger: logger))
        context.address = head.callerAddress(trusting: trustedProxies)
        context.isSecure = head.isSecure(trusting: trustedProxies)
        context.isLoopback = head.isLoopback && !trustedProxies.contains(head.clientAddress)
        context.mayCarryPasswords = context.isSecure || context.isLoopback || allowsPlainPasswords
        return context
    }

    // MARK: - Answers

    private static let busy = failure(503, "ServiceUnavailable", "Too many requests are being answered; try again.")

    private static func failure(_ status: Int, _ code: String, _ message: String) -> Response {
        .json(APIError(status: status, code: code, message: message).document, status: status)
    }

    func refusal(_ status: Int, _ head: RefusedHead) -> ByteBuffer {
        let document = APIError(
            status: status,
            code: "BadRequest",
            message: "The request is not valid HTTP/1.1: \(ResponseBytes.reason(status))."
        ).document.bytes
        let response = Response.bytes(document, contentType: "application/json; charset=utf-8", status: status)
        var bytes = Self.start(response, isChunked: false, closes: true)
        bytes.writeBytes(document)
        return bytes
    }

    private static func send(_ response: Response, _ head: TaskHead, _ writer: ReplyWriter) async -> Bool {
        let hasBody = head.method != "HEAD" && response.status.code != 204 && response.status.code != 304
        // A body whose length nobody knows before its end.
        let isChunked = hasBody && response.headers[.contentLength] == nil
        let sending = AnswerWriter(
            writer: writer,
            start: start(response, isChunked: isChunked, closes: head.closes),
            isChunked: isChunked,
            omitsBody: !hasBody
        )
        // After the head nothing can be said any more: a cut answer is not taken for a whole one.
        do { try await response.body.write(sending) } catch { return false }
        return true
    }

    /// The head of an answer.
    private static func start(_ response: Response, isChunked: Bool, closes: Bool) -> ByteBuffer {
        let status = response.status.code
        var text = "HTTP/1.1 \(status) \(ResponseBytes.reason(status))\r\n"
        for field in response.headers { text += "\(field.name): \(field.value)\r\n" }
        text += "Date: \(HTTPDate.text(seconds: Int(Date().timeIntervalSince1970)))\r\n"
        if isChunked { text += "Transfer-Encoding: chunked\r\n" }
        if closes { text += "Connection: close\r\n" }
        return ByteBuffer(string: text + "\r\n")
    }
}

/// A request's body as routes read it.
private struct BodyPieces: AsyncSequence, Sendable {
    typealias Element = ByteBuffer

    let body: HTTPWire.RequestBody

    struct AsyncIterator: AsyncIteratorProtocol {
        let body: HTTPWire.RequestBody
        private var pieces: [ByteBuffer] = []

        init(body: HTTPWire.RequestBody) { self.body = body }

        mutating func next() async throws -> ByteBuffer? { try await next(isolation: #isolation) }

        mutating func next(isolation actor: isolated (any Actor)?) async throws -> ByteBuffer? {
            if pieces.isEmpty {
                do { pieces = try await body.next().reversed() } catch {
                    throw HTTPError(.badRequest, message: "The body ended before its length.")
                }
            }
            return pieces.popLast()
        }
    }

    func makeAsyncIterator() -> AsyncIterator { AsyncIterator(body: body) }
}

/// Takes an answer's body from its route: the head goes out with its first piece.
private struct AnswerWriter: ResponseBodyWriter {
    let writer: ReplyWriter
    /// The head, until it is sent.
    var start: ByteBuffer
    let isChunked: Bool
    let omitsBody: Bool

    mutating func write(_ buffer: ByteBuffer) async throws {
        guard !omitsBody, buffer.readableBytes > 0 else { return }
        var bytes = start
        start = ByteBuffer()
        if isChunked { bytes.writeString("\(String(buffer.readableBytes, radix: 16))\r\n") }
        bytes.writeImmutableBuffer(buffer)
        if isChunked { bytes.writeStaticString("\r\n") }
        try await writer.write(bytes)
    }

    consuming func finish(_ trailingHeaders: HTTPFields?) async throws {
        var bytes = start
        if isChunked { bytes.writeStaticString("0\r\n\r\n") }
        if bytes.readableBytes > 0 { try await writer.write(bytes) }
    }
}
