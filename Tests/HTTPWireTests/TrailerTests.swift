import HTTPWire
import Testing

/// Which fields may stand behind a chunked body.
@Suite struct TrailerTests {
    private func feed(_ trailer: String) throws -> Bool {
        var body = ChunkedBody()
        let bytes = Array("1\r\na\r\n0\r\n\(trailer): 1\r\n\r\n".utf8)
        let count = try bytes.withUnsafeBytes { try body.feed($0) { _ in } }
        return body.isDone && count == bytes.count
    }

    @Test(arguments: [
        "X-Sum", "ETag", "Digest", "Server-Timing", "Grpc-Status", "Authentication-Info", "Cookies", "Set-Cookie2",
        "Hos",
        "Date", "Trailer", "Expires", "If-Unmodified-Since-",
    ])
    func `fields that neither frame nor steer go on`(name: String) throws { #expect(try feed(name)) }

    @Test(arguments: [
        "Transfer-Encoding", "Content-Length", "HOST", "Connection", "TE", "Upgrade", "Cookie", "cookie",
        "Set-Cookie", "SET-COOKIE", "Authorization", "Proxy-Authorization", "WWW-Authenticate", "Content-Type",
        "Content-Encoding", "Range", "If-Unmodified-Since", "Cache-Control", "Location",
    ])
    func `fields that frame, route, sign in or steer are refused`(name: String) {
        #expect(throws: HeadError.malformed) { try feed(name) }
    }
}
