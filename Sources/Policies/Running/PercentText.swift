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

    /// All bytes of a text, unescaped.
    package static func bytes(_ text: UnsafeRawBufferPointer, plusIsBlank: Bool = false) -> [UInt8] {
        var result: [UInt8] = []
        result.reserveCapacity(text.count)
        var place = 0
        while place < text.count {
            let (byte, length) = unescaped(text, place)
            result.append(byte == 0x2B && length == 1 && plusIsBlank ? 0x20 : byte)
            place += length
        }
        return result
    }

    /// Bytes that are not UTF-8 stay escaped, so that no two texts become one.
    package static func decoded(_ text: String, plusIsBlank: Bool = false) -> String {
        guard text.utf8.contains(where: { $0 == 0x25 || $0 == 0x2B }) else { return text }
        return self.text(Array(text.utf8).withUnsafeBytes { bytes($0, plusIsBlank: plusIsBlank) })
    }

    /// The bytes as text; those that are not UTF-8 are escaped, so that no two texts become one.
    package static func text(_ bytes: [UInt8]) -> String {
        if let text = String(validating: bytes, as: UTF8.self) { return text }
        var result = ""
        var parser = Unicode.UTF8.ForwardParser()
        var rest = bytes.makeIterator()
        var offset = 0
        while true {
            switch parser.parseScalar(from: &rest) {
            case .valid(let scalar):
                result.unicodeScalars.append(Unicode.UTF8.decode(scalar))
                offset += scalar.count
            case .error(let length):
                for byte in bytes[offset..<(offset + length)] { escape(byte, to: &result) }
                offset += length
            case .emptyInput: return result
            }
        }
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
    package static func encoded(_ text: String) -> String { encoded(text.utf8) }

    package static func encoded(_ bytes: some Sequence<UInt8>) -> String {
        var result = ""
        for byte in bytes {
            if isUnreserved(byte) {
                result.unicodeScalars.append(Unicode.Scalar(byte))
            } else {
                escape(byte, to: &result)
            }
        }
        return result
    }

    /// A finished piece of a path or query: what is escaped stays so, and what may not stand there (RFC 3986, 3.3 and 3.4) is escaped.
    ///
    /// - Parameter isQuery: whether a question mark is text.
    package static func finished(_ bytes: some Collection<UInt8>, isQuery: Bool) -> String {
        let bytes = Array(bytes)
        var result = ""
        for (offset, byte) in bytes.enumerated() {
            let isAllowed =
                switch byte {
                case 0x25: offset + 2 < bytes.count && hex(bytes[offset + 1]) != nil && hex(bytes[offset + 2]) != nil
                // / : @ and the delimiters of parts: ! $ & ' ( ) * + , ; =
                case 0x2F, 0x3A, 0x40, 0x21, 0x24, 0x26...0x2C, 0x3B, 0x3D: true
                case 0x3F: isQuery
                default: isUnreserved(byte)
                }
            if isAllowed {
                result.unicodeScalars.append(Unicode.Scalar(byte))
            } else {
                escape(byte, to: &result)
            }
        }
        return result
    }

    private static func isUnreserved(_ byte: UInt8) -> Bool {
        switch byte {
        case 0x30...0x39, 0x41...0x5A, 0x61...0x7A, 0x2D, 0x2E, 0x5F, 0x7E: true
        default: false
        }
    }

    private static func escape(_ byte: UInt8, to result: inout String) {
        let digits = String(byte, radix: 16, uppercase: true)
        result += digits.count == 1 ? "%0" + digits : "%" + digits
    }
}
