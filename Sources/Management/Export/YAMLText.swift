import ResourceModel

/// JSON as YAML for people to read; what is read from it again is the same.
struct YAMLText {
    /// Characters that a bare text is made of; all others put it in quotes.
    private static let bareMarks: Set<Character> = ["-", "_", "/", ".", "$", "{", "}", " ", "(", ")", "+", ";", "="]
    private static let words: Set<String> = ["true", "false", "null", "yes", "no", "on", "off", "y", "n", "nan", "inf"]

    private(set) var text = ""

    static func of(_ value: JSONValue) -> String {
        var writer = YAMLText()
        writer.write(value, indent: 0, isInline: false)
        return writer.text
    }

    /// - Parameter isInline: whether the line has begun with the name or the dash that the value belongs to.
    private mutating func write(_ value: JSONValue, indent: Int, isInline: Bool) {
        switch value {
        case .object(let object) where !object.isEmpty:
            if isInline { text += "\n" }
            for (name, inner) in object.members {
                text += String(repeating: " ", count: indent) + Self.scalar(name) + ":"
                write(inner, indent: indent + 2, isInline: true)
            }
        case .array(let items) where !items.isEmpty:
            if isInline { text += "\n" }
            for item in items {
                text += String(repeating: " ", count: indent) + "-"
                write(item, indent: indent + 2, isInline: true)
            }
        case .string(let string): text += (isInline ? " " : "") + Self.scalar(string) + "\n"
        default: text += (isInline ? " " : "") + value.text + "\n"
        }
    }

    /// A text, bare where no reader could take it for anything else.
    private static func scalar(_ text: String) -> String {
        guard let first = text.first, first.isASCII, first.isLetter || first == "/", text.last != " ",
            text.allSatisfy({ $0.isASCII && ($0.isLetter || $0.isNumber) || bareMarks.contains($0) }),
            !words.contains(text.lowercased())
        else {
            // YAML takes fewer bare control characters than JSON does.
            return JSONValue.string(text).text.unicodeScalars.reduce(into: "") { quoted, scalar in
                if (0x7F...0x9F).contains(scalar.value) {
                    quoted += "\\u00" + String(scalar.value, radix: 16)
                } else {
                    quoted.unicodeScalars.append(scalar)
                }
            }
        }
        return text
    }
}
