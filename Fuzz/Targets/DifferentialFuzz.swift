import HTTPWire
import NIOCore
import NIOEmbedded
import NIOHTTP1

/// Requests beside swift-nio's own decoder: what ours takes, that one takes too, and reads the same message in it.
enum DifferentialFuzz {
    /// Verbs that the other decoder knows; ours takes any token, as RFC 9110 has it.
    private static let methods: Set<String> = [
        "GET", "PUT", "ACL", "HEAD", "POST", "COPY", "LOCK", "MOVE", "BIND", "LINK", "PATCH", "TRACE", "MKCOL", "MERGE",
        "PURGE",
        "NOTIFY", "SEARCH", "UNLOCK", "REBIND", "UNBIND", "REPORT", "DELETE", "UNLINK", "MSEARCH", "OPTIONS",
        "PROPFIND",
        "CHECKOUT", "PROPPATCH", "SUBSCRIBE", "MKCALENDAR", "MKACTIVITY", "UNSUBSCRIBE", "SOURCE",
    ]

    static func run(_ bytes: UnsafeRawBufferPointer) throws {
        var parser = HeadParser(limits: WireLimits())
        guard (try? parser.parseRequest(bytes)) == .complete else { return }
        let method = String(decoding: bytes[parser.method], as: UTF8.self)
        guard methods.contains(method), !parser.upgradesToWebSocket else { return }
        let rest = UnsafeRawBufferPointer(rebasing: bytes[parser.length...])
        var content: [UInt8] = []
        var end: Int?
        switch parser.framing {
        case .none: end = parser.length
        case .length(let length):
            content = Array(rest.prefix(length))
            if rest.count >= length { end = parser.length + length }
        case .chunked:
            var chunks = ChunkedBody()
            guard let taken = try? chunks.feed(rest, content: { content.append(contentsOf: rest[$0]) }) else { return }
            if chunks.isDone { end = parser.length + taken }
        case .untilClose: throw Finding("a request that ends with its connection", bytes)
        }
        let other = decode(UnsafeRawBufferPointer(rebasing: bytes[..<(end ?? bytes.count)]))
        guard let head = other.head else { throw Finding("ours takes what the other refuses (\(other.error))", bytes) }
        let target = String(decoding: bytes[parser.target], as: UTF8.self)
        guard head.method.rawValue == method, head.uri.hasSuffix(target) else {
            throw Finding("ours reads \(method) \(target), the other \(head.method.rawValue) \(head.uri)", bytes)
        }
        guard head.headers.count == parser.fields.count else {
            throw Finding("ours reads \(parser.fields.count) fields, the other \(head.headers.count)", bytes)
        }
        guard end != nil else { return }
        guard other.isWhole, other.body == content else {
            throw Finding(
                "ours reads \(content.count) bytes to the end, the other \(other.body.count) (\(other.error))",
                bytes
            )
        }
    }

    private struct Decoded {
        var head: HTTPRequestHead?
        var body: [UInt8] = []
        var isWhole = false
        var error = "nothing"
    }

    private static func decode(_ bytes: UnsafeRawBufferPointer) -> Decoded {
        let decoder = HTTPRequestDecoder(leftOverBytesStrategy: .dropBytes)
        let channel = EmbeddedChannel(handler: ByteToMessageHandler(decoder))
        var result = Decoded()
        do { try channel.writeInbound(ByteBuffer(bytes: bytes)) } catch { result.error = "\(error)" }
        while let part = try? channel.readInbound(as: HTTPServerRequestPart.self) {
            switch part {
            case .head(let head): if result.head == nil { result.head = head }
            case .body(let piece): if !result.isWhole { result.body.append(contentsOf: piece.readableBytesView) }
            case .end: result.isWhole = true
            }
        }
        _ = try? channel.finish(acceptAlreadyClosed: true)
        return result
    }
}
