/// An element of a small XML document: requests and answers of the blob protocol.
///
/// Document types are refused, so that no entity can grow; namespaces are kept as part of the name.
package struct XMLElement: Sendable, Equatable {
    /// Documents beyond this nest for no reason of the protocol.
    package static let depthMax = 32

    package let name: String
    package var attributes: [String: String] = [:]
    package var children: [XMLElement] = []
    /// The element's own text, entities resolved.
    package var text = ""

    package init(_ name: String, _ text: String = "", _ children: [XMLElement] = []) {
        self.name = name
        self.text = text
        self.children = children
    }

    package subscript(_ name: String) -> XMLElement? { children.first { $0.name == name } }

    /// The trimmed text of the first child of that name.
    package func text(_ name: String) -> String? { self[name]?.text }

    /// The element as it is written inside a document.
    package var xml: String {
        var text = XMLText()
        text.write(self)
        return String(text.text.dropFirst(XMLText().text.count))
    }

    /// Reads a document.
    ///
    /// - Throws: `XMLError` for anything that is not well-formed.
    package init(parsing bytes: [UInt8]) throws(XMLError) {
        var reader = XMLReader(bytes)
        self = try reader.document()
    }
}

package struct XMLError: Error, Sendable, Equatable {
    package let message: String
    package let offset: Int
}

/// Writes XML text piece by piece; what comes from outside is escaped.
package struct XMLText: Sendable {
    package private(set) var text = "<?xml version=\"1.0\" encoding=\"utf-8\"?>"

    package init() {}

    package mutating func open(_ name: String, _ attributes: [(String, String)] = []) {
        text += "<\(name)"
        for (name, value) in attributes { text += " \(name)=\"\(XMLText.escaped(value))\"" }
        text += ">"
    }

    package mutating func close(_ name: String) { text += "</\(name)>" }

    package mutating func leaf(_ name: String, _ value: String) {
        text += value.isEmpty ? "<\(name) />" : "<\(name)>\(XMLText.escaped(value))</\(name)>"
    }

    /// Writes what is XML already.
    package mutating func raw(_ xml: String) { text += xml }

    package mutating func write(_ element: XMLElement) {
        open(element.name, element.attributes.sorted { $0.key < $1.key }.map { ($0.key, $0.value) })
        if element.children.isEmpty { text += XMLText.escaped(element.text) }
        for child in element.children { write(child) }
        close(element.name)
    }

    /// Writes the element where there is a value.
    package mutating func leaf(_ name: String, optional value: String?) {
        if let value { leaf(name, value) }
    }

    /// Whether XML 1.0 has a way to write the character: most controls and two of the rest have none (section 2.2).
    package static func hasForm(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.value {
        case 0x09, 0x0A, 0x0D: true
        case 0..<0x20, 0xFFFE, 0xFFFF: false
        default: true
        }
    }

    /// Text as it stands in an element or an attribute; what XML cannot write becomes U+FFFD.
    package static func escaped(_ text: String) -> String {
        let isPlain = text.utf8.allSatisfy { byte in
            // 0xEF begins the two that have no form, among others.
            byte >= 0x20 && byte != 0x26 && byte != 0x3C && byte != 0x3E && byte != 0x22 && byte != 0xEF
        }
        if isPlain { return text }
        var result = ""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "&": result += "&amp;"
            case "<": result += "&lt;"
            case ">": result += "&gt;"
            case "\"": result += "&quot;"
            case "\t", "\n", "\r": result += "&#x\(String(scalar.value, radix: 16, uppercase: true));"
            default: result.unicodeScalars.append(hasForm(scalar) ? scalar : "\u{FFFD}")
            }
        }
        return result
    }
}

/// A strict reader of elements, attributes, text, CDATA and comments.
private struct XMLReader {
    private let bytes: [UInt8]
    private var place = 0

    init(_ bytes: [UInt8]) { self.bytes = bytes }

    mutating func document() throws(XMLError) -> XMLElement {
        if bytes.starts(with: [0xEF, 0xBB, 0xBF]) { place = 3 }
        guard String(validating: bytes[place...], as: UTF8.self) != nil else {
            throw error("The document is not UTF-8.")
        }
        if let bad = firstWithoutForm {
            place = bad
            throw error("The document has a character that XML does not allow.")
        }
        try skipBetween()
        let root = try element(depth: 0)
        try skipBetween()
        guard place == bytes.count else { throw error("Text follows the root element.") }
        return root
    }

    /// Where the first character stands that no XML document may hold.
    private var firstWithoutForm: Int? {
        bytes.indices.first { index in
            let byte = bytes[index]
            if byte < 0x20 { return !XMLText.hasForm(Unicode.Scalar(byte)) }
            // U+FFFE and U+FFFF, whose UTF-8 was proven before.
            return byte == 0xEF && bytes[index + 1] == 0xBF && bytes[index + 2] >= 0xBE
        }
    }

    /// Space, comments and processing instructions around the root.
    private mutating func skipBetween() throws(XMLError) {
        while true {
            skipSpace()
            if looksAt("<?") {
                try skip(past: "?>")
            } else if looksAt("<!--") {
                try skip(past: "-->")
            } else if looksAt("<!") {
                throw error("Document types are not allowed.")
            } else {
                return
            }
        }
    }

    private mutating func element(depth: Int) throws(XMLError) -> XMLElement {
        guard depth < XMLElement.depthMax else { throw error("The document nests too deeply.") }
        try expect("<")
        var element = XMLElement(try name())
        while true {
            skipSpace()
            if looksAt("/>") {
                place += 2
                return element
            }
            if looksAt(">") {
                place += 1
                break
            }
            let attribute = try name()
            skipSpace()
            try expect("=")
            skipSpace()
            guard place < bytes.count, bytes[place] == 0x22 || bytes[place] == 0x27 else {
                throw error("An attribute has no quoted value.")
            }
            let quote = bytes[place]
            place += 1
            guard let end = bytes[place...].firstIndex(of: quote) else { throw error("An attribute is not closed.") }
            guard element.attributes[attribute] == nil else { throw error("The attribute \(attribute) stands twice.") }
            element.attributes[attribute] = try resolve(place..<end)
            place = end + 1
        }
        try content(&element, depth: depth)
        return element
    }

    private mutating func content(_ element: inout XMLElement, depth: Int) throws(XMLError) {
        while true {
            guard let next = bytes[place...].firstIndex(of: 0x3C) else {
                throw error("<\(element.name)> is not closed.")
            }
            element.text += try resolve(place..<next)
            place = next
            if looksAt("</") {
                place += 2
                guard try name() == element.name else { throw error("<\(element.name)> is closed by another name.") }
                skipSpace()
                try expect(">")
                return
            } else if looksAt("<!--") {
                try skip(past: "-->")
            } else if looksAt("<![CDATA[") {
                let start = place + 9
                try skip(past: "]]>")
                element.text += String(decoding: bytes[start..<(place - 3)], as: UTF8.self)
            } else if looksAt("<?") {
                try skip(past: "?>")
            } else if looksAt("<!") {
                throw error("Document types are not allowed.")
            } else {
                element.children.append(try self.element(depth: depth + 1))
            }
        }
    }

    private mutating func name() throws(XMLError) -> String {
        let start = place
        while place < bytes.count, isNameByte(bytes[place]) { place += 1 }
        guard place > start else { throw error("A name is missing.") }
        return String(decoding: bytes[start..<place], as: UTF8.self)
    }

    private func isNameByte(_ byte: UInt8) -> Bool {
        switch byte {
        case 0x30...0x3A, 0x41...0x5A, 0x61...0x7A, 0x5F, 0x2D, 0x2E, 0x80...0xFF: true
        default: false
        }
    }

    /// Text with its entities resolved.
    private func resolve(_ range: Range<Int>) throws(XMLError) -> String {
        let raw = bytes[range]
        guard raw.contains(0x26) else { return String(decoding: raw, as: UTF8.self) }
        var result = ""
        var start = raw.startIndex
        while let mark = raw[start...].firstIndex(of: 0x26) {
            result += String(decoding: raw[start..<mark], as: UTF8.self)
            guard let end = raw[mark...].firstIndex(of: 0x3B), end - mark <= 10 else {
                throw error("An entity is not closed.")
            }
            result.unicodeScalars.append(try entity(String(decoding: raw[(mark + 1)..<end], as: UTF8.self)))
            start = end + 1
        }
        return result + String(decoding: raw[start...], as: UTF8.self)
    }

    private func entity(_ word: String) throws(XMLError) -> Unicode.Scalar {
        switch word {
        case "amp": return "&"
        case "lt": return "<"
        case "gt": return ">"
        case "quot": return "\""
        case "apos": return "'"
        default:
            let digits = word.hasPrefix("#x") ? UInt32(word.dropFirst(2), radix: 16) : UInt32(word.dropFirst())
            guard word.hasPrefix("#"), let digits, let scalar = Unicode.Scalar(digits), XMLText.hasForm(scalar) else {
                throw error("The entity &\(word); is unknown.")
            }
            return scalar
        }
    }

    private mutating func skipSpace() {
        while place < bytes.count, [0x20, 0x09, 0x0A, 0x0D].contains(bytes[place]) { place += 1 }
    }

    private func looksAt(_ word: StaticString) -> Bool {
        word.withUTF8Buffer { bytes[place...].starts(with: $0) }
    }

    private mutating func expect(_ word: StaticString) throws(XMLError) {
        guard looksAt(word) else { throw error("Expected \(word).") }
        place += word.utf8CodeUnitCount
    }

    private mutating func skip(past word: StaticString) throws(XMLError) {
        while place < bytes.count, !looksAt(word) { place += 1 }
        try expect(word)
    }

    private func error(_ message: String) -> XMLError { XMLError(message: message, offset: place) }
}
