import HTTPServing
import HTTPTypes
import Hummingbird
import ResourceModel

/// A form's body, of which this room reads the field that shows where the form came from.
enum FormBody {
    /// Bytes of a form: a few fields of some hundred bytes.
    static let bytesMax = 64 << 10

    /// The value of the first field of this name; what we make of hexadecimal digits is never escaped.
    static func value(of name: String, in bytes: [UInt8]) -> String? {
        let start = Array("\(name)=".utf8)
        return bytes.split(separator: UInt8(ascii: "&")).first { $0.starts(with: start) }.map {
            String(decoding: $0.dropFirst(start.count), as: UTF8.self)
        }
    }
}

extension Request {
    /// Whether the body is a form's fields.
    var isForm: Bool {
        let type = headers[.contentType]?.prefix { $0 != ";" && $0 != " " } ?? ""
        return type.lowercased() == "application/x-www-form-urlencoded"
    }

    /// Whether the method asks for a change.
    var isWrite: Bool { ![.get, .head, .options].contains(method) }

    /// Whether a program shows who it is by itself.
    var carriesToken: Bool { headers[.authorization] != nil }

    /// Whether the caller asks for a page, as browsers do that go to an address.
    var wantsHTML: Bool { headers[.accept]?.lowercased().contains("text/html") ?? false }
}
