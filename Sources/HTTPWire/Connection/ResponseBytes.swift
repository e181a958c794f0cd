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
    private static func writeDecimal(_ value: Int, to buffer: inout ByteBuffer) {
        withUnsafeTemporaryAllocation(of: UInt8.self, capacity: 20) { digits in
            var place = 20
            var left = value
            repeat {
                place -= 1
                digits[place] = UInt8(truncatingIfNeeded: 0x30 + left % 10)
                left /= 10
            } while left > 0
            _ = buffer.writeBytes(UnsafeRawBufferPointer(rebasing: UnsafeRawBufferPointer(digits)[place..<20]))
        }
    }

    package static func reason(_ status: Int) -> String {
        switch status {
        case 200: "OK"
        case 201: "Created"
        case 202: "Accepted"
        case 204: "No Content"
        case 206: "Partial Content"
        case 304: "Not Modified"
        case 400: "Bad Request"
        case 401: "Unauthorized"
        case 403: "Forbidden"
        case 404: "Not Found"
        case 405: "Method Not Allowed"
        case 408: "Request Timeout"
        case 409: "Conflict"
        case 411: "Length Required"
        case 412: "Precondition Failed"
        case 413: "Payload Too Large"
        case 414: "URI Too Long"
        case 415: "Unsupported Media Type"
        case 416: "Range Not Satisfiable"
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
