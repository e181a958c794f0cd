/// The parameters of a query in their order, each with the text that it was written as.
package struct QueryList {
    struct Item {
        let name: String
        let value: String
        /// As it stands in the query, encoded.
        let text: String
    }

    private(set) var items: [Item]

    package init(_ query: String) {
        items = query.split(separator: "&", omittingEmptySubsequences: true).map { piece in
            let parts = piece.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            return Item(
                name: PercentText.decoded(String(parts[0]), plusIsBlank: true),
                value: parts.count > 1 ? PercentText.decoded(String(parts[1]), plusIsBlank: true) : "",
                text: String(piece)
            )
        }
    }

    func values(_ name: String) -> [String] {
        let wanted = name.lowercased()
        return items.filter { $0.name.lowercased() == wanted }.map(\.value)
    }

    mutating func remove(_ name: String) {
        let wanted = name.lowercased()
        items.removeAll { $0.name.lowercased() == wanted }
    }

    /// Puts values in the place of those that a name has.
    package mutating func set(_ name: String, _ values: [String]) {
        remove(name)
        for value in values { append(name, value) }
    }

    mutating func append(_ name: String, _ value: String) {
        let text = "\(PercentText.encoded(name))=\(PercentText.encoded(value))"
        items.append(Item(name: name, value: value, text: text))
    }

    package var text: String { items.map(\.text).joined(separator: "&") }
}

/// Percent encoding of single words of a URL.
package enum PercentText {
    /// The byte at a place, unescaped where it is, and how many bytes stand for it.
    @inlinable @inline(__always)
    package static func unescaped(_ text: UnsafeRawBufferPointer, _ place: Int) -> (byte: UInt8, length: Int) {
        guard text[place] == 0x25, place + 2 < text.count, let high = hex(text[place + 1]),
            let low = hex(text[place + 2])
        else { return (text[place], 1) }
        return (high << 4 | low, 3)
    }

    /// Bytes that are not UTF-8 become replacement characters.
    package static func decoded(_ text: String, plusIsBlank: Bool = false) -> String {
        guard text.utf8.contains(where: { $0 == 0x25 || $0 == 0x2B }) else { return text }
        var result: [UInt8] = []
        result.reserveCapacity(text.utf8.count)
        Array(text.utf8).withUnsafeBytes { text in
            var place = 0
            while place < text.count {
                let (byte, length) = unescaped(text, place)
                result.append(byte == 0x2B && length == 1 && plusIsBlank ? 0x20 : byte)
                place += length
            }
        }
        return String(decoding: result, as: UTF8.self)
    }

    /// Whether a path holds `.` or `..` as a segment, or what servers read as one: escaped, between slashes that are escaped or lean the
    /// other way, or with a parameter behind it.
    package static func hasDotSegments(_ path: UnsafeRawBufferPointer) -> Bool {
        // Of the segment so far; nil once it holds anything else.
        var dots: Int? = 0
        var place = 0
        while place < path.count {
            let (byte, length) = unescaped(path, place)
            place += length
            switch byte {
            case 0x2E: dots = dots.map { $0 + 1 }
            case 0x2F, 0x5C, 0x3B:
                if dots == 1 || dots == 2 { return true }
                dots = byte == 0x3B ? nil : 0
            default: dots = nil
            }
        }
        return dots == 1 || dots == 2
    }

    @inlinable
    package static func hex(_ byte: UInt8) -> UInt8? {
        switch byte {
        case 0x30...0x39: byte - 0x30
        case 0x41...0x46: byte - 0x37
        case 0x61...0x66: byte - 0x57
        default: nil
        }
    }

    /// All but RFC 3986's unreserved characters is escaped.
    package static func encoded(_ text: String) -> String {
        var result = ""
        for byte in text.utf8 {
            switch byte {
            case 0x30...0x39, 0x41...0x5A, 0x61...0x7A, 0x2D, 0x2E, 0x5F, 0x7E:
                result.unicodeScalars.append(Unicode.Scalar(byte))
            default:
                let digits = String(byte, radix: 16, uppercase: true)
                result += digits.count == 1 ? "%0" + digits : "%" + digits
            }
        }
        return result
    }
}
