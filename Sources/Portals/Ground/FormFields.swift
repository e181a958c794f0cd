import HTTPServing
package import Hummingbird
import People
package import ResourceModel

/// The fields of a form, `application/x-www-form-urlencoded`.
package struct FormFields: Sendable {
    /// No form has as many.
    private static let fieldsMax = 100

    private var values: [String: String] = [:]

    /// - Throws: `APIError` 413, 415 or 400 that names the field and the rule.
    package init(_ request: Request) async throws {
        guard request.isForm else {
            let said = request.headers[.contentType] ?? ""
            throw APIError(
                status: 415,
                code: "UnsupportedMediaType",
                message: "The form must be sent as \(FormBody.type), not \"\(said.prefix(100))\"."
            )
        }
        try self.init(parsing: try await request.bodyBytes(max: FormBody.bytesMax))
    }

    /// - Throws: `APIError` 400 for a field that stands twice, that cannot be decoded, or that is one too many.
    package init(parsing bytes: [UInt8]) throws(APIError) {
        for (name, value) in try Self.pairs(bytes) {
            guard values.updateValue(value, forKey: name) == nil else {
                throw APIError.validation(name, "'\(name)' stands twice in the form.")
            }
        }
    }

    /// Names and values in their order; one name may stand several times.
    static func pairs(_ bytes: [UInt8]) throws(APIError) -> [(name: String, value: String)] {
        let pieces = bytes.split(separator: UInt8(ascii: "&"))
        guard pieces.count <= Self.fieldsMax else {
            throw APIError.badRequest("The form has more than \(Self.fieldsMax) fields.")
        }
        var pairs: [(name: String, value: String)] = []
        for piece in pieces {
            let halves = piece.split(separator: UInt8(ascii: "="), maxSplits: 1, omittingEmptySubsequences: false)
            guard let name = Self.decoded(halves[0]) else {
                throw APIError.badRequest("The name of a field of the form is not valid percent-encoded UTF-8.")
            }
            guard let value = Self.decoded(halves.count > 1 ? halves[1] : []) else {
                throw APIError.validation(name, "'\(name)' is not valid percent-encoded UTF-8.")
            }
            pairs.append((name, value))
        }
        return pairs
    }

    /// A field as it was sent; nil where it is absent, as a box that is not ticked.
    package subscript(name: String) -> String? { values[name] }

    /// A field that every browser sends with this form.
    ///
    /// - Throws: `APIError` 400 that names it where it is absent.
    package func require(_ name: String) throws(APIError) -> String {
        guard let value = values[name] else { throw APIError.validation(name, "'\(name)' must be sent.") }
        return value
    }

    /// A field of one line, without blanks around it and without control characters; empty where it is absent.
    package func line(_ name: String) -> String {
        (values[name] ?? "").split { $0.isWhitespace || Self.isControl($0) }.joined(separator: " ")
    }

    private static func isControl(_ character: Character) -> Bool {
        character.unicodeScalars.contains { $0.properties.generalCategory == .control }
    }

    private static func decoded(_ bytes: ArraySlice<UInt8>) -> String? {
        let text = String(validating: bytes.map { $0 == UInt8(ascii: "+") ? 0x20 : $0 }, as: UTF8.self)
        return text.flatMap { PercentEncoding.decoded($0) }
    }
}
