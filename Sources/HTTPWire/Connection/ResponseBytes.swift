package import NIOCore

/// Writes whole answers of the data path.
package enum ResponseBytes {
    /// A head with its length, ready for `count` bytes of body.
    ///
    /// - Parameter fields: further lines, each with its CRLF.
    package static func writeHead(
        to buffer: inout ByteBuffer,
        status: Int,
        reason: String? = nil,
        contentType: StaticString,
        contentLength: Int,
        fields: String = "",
        on wire: WireLoop
    ) {
        if status == 200 {
            buffer.writeStaticString("HTTP/1.1 200 OK\r\n")
        } else {
            buffer.writeString("HTTP/1.1 \(status) \(reason ?? ResponseBytes.reason(status))\r\n")
        }
        wire.writeDate(to: &buffer)
        if contentType.utf8CodeUnitCount > 0 {
            buffer.writeStaticString("Content-Type: ")
            buffer.writeStaticString(contentType)
            buffer.writeStaticString("\r\n")
        }
        if !fields.isEmpty { buffer.writeString(fields) }
        buffer.writeStaticString("Content-Length: ")
        buffer.writeString(String(contentLength))
        buffer.writeStaticString("\r\n\r\n")
    }

    package static func reason(_ status: Int) -> String {
        switch status {
        case 200: "OK"
        case 400: "Bad Request"
        case 401: "Unauthorized"
        case 403: "Forbidden"
        case 404: "Not Found"
        case 405: "Method Not Allowed"
        case 408: "Request Timeout"
        case 413: "Payload Too Large"
        case 414: "URI Too Long"
        case 415: "Unsupported Media Type"
        case 429: "Too Many Requests"
        case 431: "Request Header Fields Too Large"
        case 500: "Internal Server Error"
        case 501: "Not Implemented"
        case 503: "Service Unavailable"
        case 504: "Gateway Timeout"
        case 505: "HTTP Version Not Supported"
        default: "Status"
        }
    }
}
