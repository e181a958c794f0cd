package import NIOCore

/// Writes whole answers of the data path.
package enum ResponseBytes {
    /// A head with its length, ready for `count` bytes of body.
    ///
    /// - Parameter fields: writes further lines, each with its CRLF.
    package static func writeHead(
        to buffer: inout ByteBuffer,
        status: Int,
        reason: String? = nil,
        contentType: StaticString,
        contentLength: Int,
        on wire: WireLoop,
        fields: (inout ByteBuffer) -> Void = { _ in }
    ) {
        if status == 200 {
            buffer.writeStaticString("HTTP/1.1 200 OK\r\n")
        } else {
            buffer.writeString("HTTP/1.1 \(status) \(reason ?? ResponseBytes.reason(status))\r\n")
        }
        wire.writeDate(to: &buffer)
        buffer.writeStaticString("Content-Type: ")
        buffer.writeStaticString(contentType)
        buffer.writeStaticString("\r\n")
        fields(&buffer)
        buffer.writeStaticString("Content-Length: ")
        writeDecimal(contentLength, to: &buffer)
        buffer.writeStaticString("\r\n\r\n")
    }

    /// A number that is not negative, without a `String` between.
    package static func writeDecimal(_ value: Int, to buffer: inout ByteBuffer) {
        // No number has more digits.
        buffer.writeWithUnsafeMutableBytes(minimumWritableBytes: 20) { room in
            var writer = RoomWriter(room)
            writer.writeDecimal(value)
            return writer.count
        }
    }

    /// The usual word of a status (RFC 9110).
    package static func reason(_ status: Int) -> String { reasons[status] ?? "Unknown" }

    private static let reasons: [Int: String] = [
        200: "OK", 201: "Created", 202: "Accepted", 203: "Non-Authoritative Information", 204: "No Content",
        205: "Reset Content", 206: "Partial Content", 207: "Multi-Status", 300: "Multiple Choices",
        301: "Moved Permanently", 302: "Found", 303: "See Other", 304: "Not Modified", 307: "Temporary Redirect",
        308: "Permanent Redirect", 400: "Bad Request", 401: "Unauthorized", 402: "Payment Required", 403: "Forbidden",
        404: "Not Found", 405: "Method Not Allowed", 406: "Not Acceptable", 407: "Proxy Authentication Required",
        408: "Request Timeout", 409: "Conflict", 410: "Gone", 411: "Length Required", 412: "Precondition Failed",
        413: "Payload Too Large", 414: "URI Too Long", 415: "Unsupported Media Type", 416: "Range Not Satisfiable",
        417: "Expectation Failed", 421: "Misdirected Request", 422: "Unprocessable Content", 423: "Locked",
        424: "Failed Dependency", 425: "Too Early", 426: "Upgrade Required", 428: "Precondition Required",
        429: "Too Many Requests", 431: "Request Header Fields Too Large", 451: "Unavailable For Legal Reasons",
        500: "Internal Server Error", 501: "Not Implemented", 502: "Bad Gateway", 503: "Service Unavailable",
        504: "Gateway Timeout", 505: "HTTP Version Not Supported", 507: "Insufficient Storage",
    ]
}
