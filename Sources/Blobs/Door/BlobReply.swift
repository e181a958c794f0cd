import Foundation
import HTTPWire
import NIOCore
import ResourceModel

/// An answer of the blobs door.
struct BlobReply: Sendable {
    enum Body: Sendable {
        case none
        case bytes([UInt8], contentType: String)
        /// A range of a blob; ended by whoever sends it.
        case blob(BlobReading, Range<Int64>)
        /// The length of a body that is not sent (HEAD).
        case omitted(Int64)
    }

    var status: Int
    var fields: [(name: String, value: String)] = []
    var body = Body.none

    init(_ status: Int, _ fields: [(name: String, value: String)] = [], _ body: Body = .none) {
        self.status = status
        self.fields = fields
        self.body = body
    }

    static func xml(_ text: String, _ fields: [(name: String, value: String)] = []) -> BlobReply {
        BlobReply(200, fields, .bytes(Array(text.utf8), contentType: "application/xml"))
    }

    /// The error document; answers to HEAD and 304 have none.
    init(_ error: BlobError, _ request: (method: String, id: String)) {
        self.init(error.status, [("x-ms-error-code", error.code)])
        for (name, value) in error.headers.sorted(by: { $0.key < $1.key }) { fields.append((name, value)) }
        guard request.method != "HEAD", error.status != 304 else { return }
        var text = XMLText()
        text.open("Error")
        text.leaf("Code", error.code)
        text.leaf(
            "Message",
            "\(error.message)\nRequestId:\(request.id)\nTime:\(BlobTime.iso(Date().timeIntervalSince1970))"
        )
        for detail in error.details { text.leaf(detail.name, detail.value) }
        text.close("Error")
        body = .bytes(Array(text.text.utf8), contentType: "application/xml")
    }

    var contentLength: Int64 {
        switch body {
        case .none: 0
        case .bytes(let bytes, _): Int64(bytes.count)
        case .blob(_, let range): range.upperBound - range.lowerBound
        case .omitted(let length): length
        }
    }

    /// The head as bytes.
    func head(closes: Bool) -> ByteBuffer {
        var text = "HTTP/1.1 \(status) \(ResponseBytes.reason(status))\r\n"
        if case .bytes(_, let type) = body { text += "Content-Type: \(type)\r\n" }
        for (name, value) in fields { text += "\(name): \(Self.safe(value))\r\n" }
        text += "Date: \(HTTPDate.text(seconds: Int(Date().timeIntervalSince1970)))\r\n"
        text += "Server: Gatehouse\r\n"
        if status != 304, status != 204 { text += "Content-Length: \(contentLength)\r\n" }
        if closes { text += "Connection: close\r\n" }
        return ByteBuffer(string: text + "\r\n")
    }

    /// What was stored is sent as it is, except what would end the line.
    private static func safe(_ value: String) -> String {
        guard value.unicodeScalars.contains(where: { $0.value < 0x20 && $0 != "\t" || $0.value == 0x7F }) else {
            return value
        }
        return String(String.UnicodeScalarView(value.unicodeScalars.filter { $0.value >= 0x20 && $0.value != 0x7F }))
    }
}
