import Foundation
import HTTPTypes
package import Hummingbird
import NIOCore
import ResourceModel

/// The fields of a form as browsers send it (`application/x-www-form-urlencoded`).
package struct FormFields: Sendable {
    /// Bytes of a form: a few fields of some hundred bytes.
    package static let bytesMax = 64 << 10
    /// Fields of one form; more come from no page of ours.
    private static let countMax = 100

    private let values: [String: String]

    /// Reads the fields; of several with one name the first counts.
    package init(_ bytes: [UInt8]) {
        var values: [String: String] = [:]
        for pair in bytes.split(separator: UInt8(ascii: "&")).prefix(Self.countMax) {
            let halves = pair.split(separator: UInt8(ascii: "="), maxSplits: 1, omittingEmptySubsequences: false)
            let name = Self.decoded(halves[0])
            guard values[name] == nil else { continue }
            values[name] = halves.count == 2 ? Self.decoded(halves[1]) : ""
        }
        self.values = values
    }

    package subscript(_ name: String) -> String? { values[name] }

    /// A field without blanks around it; empty where it is missing.
    package func text(_ name: String) -> String {
        (values[name] ?? "").trimmingCharacters(in: .whitespacesAndNewlines)
    }

    private static func decoded(_ bytes: ArraySlice<UInt8>) -> String {
        var text: [UInt8] = []
        text.reserveCapacity(bytes.count)
        var place = bytes.startIndex
        while place < bytes.endIndex {
            let byte = bytes[place]
            if byte == UInt8(ascii: "%"), place + 2 < bytes.endIndex, let high = digit(bytes[place + 1]),
                let low = digit(bytes[place + 2])
            {
                text.append(high << 4 | low)
                place += 3
            } else {
                text.append(byte == UInt8(ascii: "+") ? UInt8(ascii: " ") : byte)
                place += 1
            }
        }
        return String(decoding: text, as: UTF8.self)
    }

    private static func digit(_ byte: UInt8) -> UInt8? {
        switch byte {
        case 0x30...0x39: byte - 0x30
        case 0x41...0x46: byte - 0x37
        case 0x61...0x66: byte - 0x57
        default: nil
        }
    }
}

extension Request {
    /// Whether the body is a form's fields.
    package var isForm: Bool {
        let type = headers[.contentType]?.split(separator: ";").first.map(String.init) ?? ""
        return type.trimmingCharacters(in: .whitespaces).lowercased() == "application/x-www-form-urlencoded"
    }

    /// The fields of a form that was posted.
    ///
    /// - Throws: `APIError` 415 for another kind of body, 413 above the bound.
    package func form() async throws -> FormFields {
        guard isForm else {
            throw APIError(
                status: 415,
                code: "UnsupportedMediaType",
                message: "The body must be application/x-www-form-urlencoded."
            )
        }
        return FormFields(try await bodyBytes(max: FormFields.bytesMax))
    }

    /// The values of a cookie by its exact name.
    package func cookies(named name: String) -> [String] {
        headers[values: .cookie].flatMap { $0.split(separator: ";") }.compactMap { pair in
            let halves = pair.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            guard halves.count == 2, halves[0].trimmingCharacters(in: .whitespaces) == name else { return nil }
            return halves[1].trimmingCharacters(in: .whitespaces)
        }
    }

    /// A cookie's value; nil also where the name comes twice with two values, since one of them is somebody else's.
    package func cookie(_ name: String) -> String? {
        let values = Set(cookies(named: name))
        return values.count == 1 ? values.first : nil
    }

    /// Whether the caller asks for a page, as browsers do that go to an address.
    package var wantsHTML: Bool { headers[.accept]?.lowercased().contains("text/html") ?? false }
}
