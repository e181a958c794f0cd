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
        // What the other decoder is given of the body.
        var body = Array(rest)
        switch parser.framing {
        case .none: end = parser.length
        case .length(let length):
            content = Array(rest.prefix(length))
            if rest.count >= length { end = parser.length + length }
        case .chunked:
            var chunks = ChunkedBody()
            guard let taken = try? chunks.feed(rest, content: { content.append(contentsOf: rest[$0]) }) else { return }
            if chunks.isDone { end = parser.length + taken }
            body = withoutBlanks(Array(rest[..<taken]))
        case .untilClose: throw Finding("a request that ends with its connection", bytes)
        }
        if parser.framing != .chunked { body = Array(rest.prefix(end.map { $0 - parser.length } ?? rest.count)) }
        let other = decode(Array(bytes[..<parser.length]) + body)
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

    /// Takes out the blanks that may stand around `;` and `=` in the lines of chunks (RFC 9112, 7.1.1): the other decoder refuses them all.
    ///
    /// Lines without an extension stay as they are, so that a blank behind a size alone is still one that the other refuses.
    private static func withoutBlanks(_ body: [UInt8]) -> [UInt8] {
        var result: [UInt8] = []
        var left = body[...]
        while let lineEnd = left.firstIndex(of: 0x0D) {
            let line = left[..<lineEnd]
            var isQuoted = false
            var isEscaped = false
            result += line.filter { byte in
                defer {
                    isEscaped = isQuoted && !isEscaped && byte == 0x5C
                }
                if byte == 0x22, !isEscaped { isQuoted.toggle() }
                return isQuoted || !line.contains(0x3B) || byte != 0x20 && byte != 0x09
            }
            let digits = String(decoding: line.prefix { $0 != 0x3B && $0 != 0x20 && $0 != 0x09 }, as: UTF8.self)
            left = left[lineEnd...]
            // Trailers follow the last chunk.
            guard let size = Int(digits, radix: 16), size > 0 else { break }
            // The line's end, the chunk and its end.
            result += left.prefix(2 + size + 2)
            left = left.dropFirst(2 + size + 2)
        }
        return result + left
    }

    private static func decode(_ bytes: [UInt8]) -> Decoded {
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
