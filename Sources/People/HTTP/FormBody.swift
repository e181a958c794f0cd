import HTTPServing
import HTTPTypes
package import Hummingbird
import ResourceModel

/// A form's body, of which this room reads the field that shows where the form came from.
package enum FormBody {
    /// Bytes of a form: the longest fields are descriptions of some thousand characters.
    package static let bytesMax = 64 << 10
    package static let type = "application/x-www-form-urlencoded"

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
    package var isForm: Bool {
        let type = headers[.contentType]?.prefix { $0 != ";" && $0 != " " } ?? ""
        return type.lowercased() == FormBody.type
    }

    /// Whether the method asks for a change.
    var isWrite: Bool { ![.get, .head, .options].contains(method) }

    /// Whether a program shows who it is by itself.
    var carriesToken: Bool { headers[.authorization] != nil }
}
