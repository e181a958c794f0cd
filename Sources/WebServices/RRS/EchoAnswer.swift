import HTTPWire
import NIOCore

/// The backend of the sample API: what came goes back, fields of the request's content with it.
enum EchoAnswer {
    private static let path = "/echo"
    /// Bytes of a body that goes back: whoever sends one is not asked who he is.
    static let bodyBytesMax = 1 << 20
    /// Fields of the request that describe its body or its caller's wishes, and so make sense in an answer.
    private static let fields = ["content-type", "content-language", "content-encoding"]

    static func isAskedFor(by target: ByteBuffer) -> Bool {
        target.withUnsafeReadableBytes { bytes in
            guard bytes.count >= path.utf8.count, bytes.prefix(path.utf8.count).elementsEqual(path.utf8) else {
                return false
            }
            // A slash, a question mark, or the end.
            return bytes.count == path.utf8.count || bytes[path.utf8.count] == 0x2F || bytes[path.utf8.count] == 0x3F
        }
    }

    static func make(_ connection: DownstreamConnection, _ body: ByteBuffer, _ wire: WireLoop) -> WholeAnswer {
        var buffer = ByteBuffer()
        buffer.reserveCapacity(body.readableBytes + 512)
        let isHEAD = connection.head.withUnsafeReadableBytes { $0[connection.parser.method].elementsEqual("HEAD".utf8) }
        buffer.writeStaticString("HTTP/1.1 200 OK\r\nContent-Length: ")
        ResponseBytes.writeDecimal(body.readableBytes, to: &buffer)
        // What somebody else's page sent here must not run as a page.
        buffer.writeStaticString("\r\nX-Content-Type-Options: nosniff\r\n")
        connection.head.withUnsafeReadableBytes { head in
            for field in fields {
                for value in connection.parser.values(field, in: head) { buffer.writeString("\(field): \(value)\r\n") }
            }
        }
        wire.writeDate(to: &buffer)
        buffer.writeStaticString("\r\n")
        let headCount = buffer.readableBytes
        if !isHEAD { buffer.writeImmutableBuffer(body) }
        return WholeAnswer(status: 200, headCount: headCount, bytes: buffer)
    }
}
