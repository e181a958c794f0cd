import Expressions

/// Turns documents from one of the contract's formats into the other: they differ in their expressions only.
package enum PolicyFormat {
    /// Escapes the expressions of a raw document, so that it is XML.
    package static func escaped(_ raw: String) -> String {
        convert(raw) { bytes, place in
            guard let end = end(bytes, place) else { return nil }
            var text: [UInt8] = []
            for byte in bytes[place...end] {
                switch byte {
                case 0x26: text += Array("&amp;".utf8)
                case 0x3C: text += Array("&lt;".utf8)
                case 0x3E: text += Array("&gt;".utf8)
                case 0x22: text += Array("&quot;".utf8)
                default: text.append(byte)
                }
            }
            return (text, end + 1)
        }
    }

    /// Undoes the escapes in the expressions of a document that is XML.
    package static func raw(_ xml: String) -> String {
        convert(xml) { bytes, place in
            // An expression ends where the value does: at the quote it stands in, or at the next tag.
            let quote = place > 0 && (bytes[place - 1] == 0x22 || bytes[place - 1] == 0x27) ? bytes[place - 1] : 0x3C
            let end = bytes[place...].firstIndex(of: quote) ?? bytes.count
            var text: [UInt8] = []
            var next = place
            while next < end {
                let found = entities.first { bytes[next..<end].starts(with: $0.name) }
                text.append(found?.byte ?? bytes[next])
                next += found?.name.count ?? 1
            }
            return (text, end)
        }
    }

    private static let entities: [(name: [UInt8], byte: UInt8)] = [
        ("&quot;", 0x22), ("&lt;", 0x3C), ("&gt;", 0x3E), ("&apos;", 0x27), ("&amp;", 0x26), ("&#34;", 0x22),
        ("&#xA;", 0x0A), ("&#10;", 0x0A), ("&#xD;", 0x0D), ("&#39;", 0x27),
    ].map { (Array($0.0.utf8), UInt8($0.1)) }

    private static func end(_ bytes: [UInt8], _ place: Int) -> Int? {
        BalancedText.end(bytes, from: place + 2, closing: bytes[place + 1] == 0x28 ? 0x29 : 0x7D)
    }

    /// Gives each expression to `change`: one begins where a value or a text begins.
    private static func convert(_ text: String, _ change: ([UInt8], Int) -> (text: [UInt8], next: Int)?) -> String {
        let bytes = Array(text.utf8)
        var result: [UInt8] = []
        result.reserveCapacity(bytes.count + bytes.count / 8)
        var place = 0
        // What stands before, blanks left out.
        var before: UInt8 = 0
        while place < bytes.count {
            let byte = bytes[place]
            if byte == 0x3C, bytes[place...].starts(with: "<!--".utf8) {
                var end = place + 4
                while end < bytes.count, !bytes[end...].starts(with: "-->".utf8) { end += 1 }
                end = min(end + 3, bytes.count)
                result += bytes[place..<end]
                place = end
                before = 0x3E
                continue
            }
            if byte == 0x40, place + 1 < bytes.count, bytes[place + 1] == 0x28 || bytes[place + 1] == 0x7B,
                before == 0x22 || before == 0x27 || before == 0x3E, let (text, next) = change(bytes, place)
            {
                result += text
                place = next
                before = 0x29
                continue
            }
            result.append(byte)
            if byte != 0x20, byte != 0x09, byte != 0x0A, byte != 0x0D { before = byte }
            place += 1
        }
        return String(decoding: result, as: UTF8.self)
    }
}
