import Expressions

/// Reads policy documents as people write them.
///
/// A raw document is not XML: an expression may hold quotes, `<` and `&`, in attributes and in text, and is stepped over by the
/// rules of its own language. In the other format expressions are escaped as XML wants.
struct PolicyParser {
    /// Elements inside one another: `choose` in `choose` and so on; each costs stack.
    private static let depthMax = 64

    private let source: PolicyText
    private let bytes: [UInt8]
    private let isRaw: Bool
    private var place = 0

    private init(_ source: PolicyText, isRaw: Bool) {
        self.source = source
        bytes = source.bytes
        self.isRaw = isRaw
    }

    /// - Parameter root: what the outermost element must be called.
    static func parse(_ source: PolicyText, isRaw: Bool, root: String) throws(PolicyDiagnostic) -> PolicyElement {
        var parser = PolicyParser(source, isRaw: isRaw)
        if parser.isNext("\u{FEFF}") { parser.place += 3 }
        try parser.skipMisc()
        guard parser.peek() == 0x3C else { throw parser.problem("The document must begin with <\(root)>.") }
        let element = try parser.element(depth: 0)
        guard element.name == root else {
            throw source.diagnostic("The document must be a <\(root)> element.", at: element.offset)
        }
        try parser.skipMisc()
        guard parser.place == parser.bytes.count else { throw parser.problem("Nothing may follow </\(root)>.") }
        return element
    }

    // MARK: - Bytes

    private func problem(_ message: String, at offset: Int? = nil) -> PolicyDiagnostic {
        source.diagnostic(message, at: offset ?? place)
    }

    private func peek(_ ahead: Int = 0) -> UInt8? { place + ahead < bytes.count ? bytes[place + ahead] : nil }

    private func isNext(_ text: StaticString) -> Bool {
        guard place + text.utf8CodeUnitCount <= bytes.count else { return false }
        return (0..<text.utf8CodeUnitCount).allSatisfy { bytes[place + $0] == text.utf8Start[$0] }
    }

    private static func isBlank(_ byte: UInt8) -> Bool { byte == 0x20 || byte == 0x09 || byte == 0x0A || byte == 0x0D }

    private mutating func skipBlanks() { while let byte = peek(), PolicyParser.isBlank(byte) { place += 1 } }

    private mutating func skip(past end: StaticString, _ what: String) throws(PolicyDiagnostic) {
        let start = place
        while !isNext(end) {
            guard place < bytes.count else { throw problem("The \(what) has no end.", at: start) }
            place += 1
        }
        place += end.utf8CodeUnitCount
    }

    /// Blanks, comments and processing instructions; there is no document type, and so no entity of anybody's making.
    private mutating func skipMisc() throws(PolicyDiagnostic) {
        while true {
            skipBlanks()
            if isNext("<!--") {
                try skip(past: "-->", "comment")
            } else if isNext("<?") {
                try skip(past: "?>", "processing instruction")
            } else {
                return
            }
        }
    }

    private mutating func name() throws(PolicyDiagnostic) -> Range<Int> {
        let start = place
        while let byte = peek() {
            switch byte {
            case 0x30...0x39, 0x2D, 0x2E:
                guard place > start else { throw problem("A name is expected here.") }
            case 0x41...0x5A, 0x61...0x7A, 0x5F, 0x3A, 0x80...0xFF: break
            default:
                guard place > start else { throw problem("A name is expected here.") }
                return start..<place
            }
            place += 1
        }
        throw problem("The document ends too early.")
    }

    // MARK: - Elements

    private mutating func element(depth: Int) throws(PolicyDiagnostic) -> PolicyElement {
        let start = place
        guard depth < PolicyParser.depthMax else { throw problem("The elements are nested too deeply.") }
        place += 1
        let name = try name()
        let attributes = try attributes()
        var children: [PolicyElement] = []
        var text: PolicyValue?
        var inner = place..<place
        if peek() == 0x2F {
            place += 1
            guard peek() == 0x3E else { throw problem("A \">\" is expected here.") }
            place += 1
        } else {
            place += 1
            let innerStart = place
            (children, text) = try content(depth)
            inner = innerStart..<place
            place += 2
            let closing = try self.name()
            guard bytes[closing] == bytes[name] else {
                throw problem("<\(source.quotable(name))> is closed by another name.", at: closing.lowerBound)
            }
            skipBlanks()
            guard peek() == 0x3E else { throw problem("A \">\" is expected here.") }
            place += 1
        }
        return PolicyElement(
            name: String(decoding: bytes[name], as: UTF8.self),
            attributes: attributes,
            children: children,
            text: text,
            inner: String(decoding: bytes[inner], as: UTF8.self),
            offset: start
        )
    }

    /// Up to the `</` of the element.
    private mutating func content(_ depth: Int) throws(PolicyDiagnostic) -> ([PolicyElement], PolicyValue?) {
        var children: [PolicyElement] = []
        var text: [UInt8] = []
        var textStart: Int?
        var expression: PolicyValue?
        while true {
            guard let byte = peek() else { throw problem("The document ends before its elements are closed.") }
            if isNext("<!--") {
                try skip(past: "-->", "comment")
            } else if isNext("<![CDATA[") {
                let start = place + 9
                try skip(past: "]]>", "CDATA section")
                textStart = textStart ?? start
                text.append(contentsOf: bytes[start..<(place - 3)])
            } else if isNext("</") {
                break
            } else if byte == 0x3C {
                children.append(try element(depth: depth + 1))
            } else if isRaw, textStart == nil, expression == nil, let found = try rawExpression() {
                expression = found
            } else if expression != nil, !PolicyParser.isBlank(byte) {
                throw problem("An expression must be the whole text of its element.")
            } else {
                if textStart == nil, !PolicyParser.isBlank(byte) { textStart = place }
                try takeCharacter(into: &text)
            }
        }
        if let expression { return (children, expression) }
        guard let textStart else { return (children, nil) }
        return (children, value(text, textStart))
    }

    /// An expression at this place, stepped over.
    private mutating func rawExpression() throws(PolicyDiagnostic) -> PolicyValue? {
        guard peek() == 0x40, let bracket = peek(1), bracket == 0x28 || bracket == 0x7B else { return nil }
        let start = place + 2
        let closing: UInt8 = bracket == 0x28 ? 0x29 : 0x7D
        guard let end = BalancedText.end(bytes, from: start, closing: closing) else {
            throw problem("The expression is not closed.")
        }
        place = end + 1
        return PolicyValue(
            kind: bracket == 0x28 ? .expression : .block,
            text: String(decoding: bytes[start..<end], as: UTF8.self),
            offset: start
        )
    }

    /// A text whose entities are undone: an expression where it begins as one.
    private func value(_ text: [UInt8], _ offset: Int) -> PolicyValue {
        let word = String(decoding: text, as: UTF8.self)
        let trimmed = text.drop(while: PolicyParser.isBlank).reversed().drop(while: PolicyParser.isBlank).reversed()
        let bytes = Array(trimmed)
        guard !isRaw, bytes.count >= 3, bytes[0] == 0x40, bytes[1] == 0x28 || bytes[1] == 0x7B,
            BalancedText.end(bytes, from: 2, closing: bytes[1] == 0x28 ? 0x29 : 0x7D) == bytes.count - 1
        else {
            return PolicyValue(kind: .literal, text: word, offset: offset)
        }
        return PolicyValue(
            kind: bytes[1] == 0x28 ? .expression : .block,
            text: String(decoding: bytes[2..<(bytes.count - 1)], as: UTF8.self),
            offset: offset + 2
        )
    }

    // MARK: - Attributes

    private mutating func attributes() throws(PolicyDiagnostic) -> [PolicyAttribute] {
        var result: [PolicyAttribute] = []
        while true {
            let before = place
            skipBlanks()
            guard let byte = peek() else { throw problem("The document ends inside a tag.") }
            if byte == 0x3E || byte == 0x2F { return result }
            guard place > before else { throw problem("A blank is expected before an attribute.") }
            let name = try name()
            let word = String(decoding: bytes[name], as: UTF8.self)
            guard !result.contains(where: { $0.name == word }) else {
                throw problem("The attribute \"\(source.quotable(name))\" stands twice.", at: name.lowerBound)
            }
            skipBlanks()
            guard peek() == 0x3D else { throw problem("A \"=\" is expected here.") }
            place += 1
            skipBlanks()
            guard let quote = peek(), quote == 0x22 || quote == 0x27 else { throw problem("A quote is expected here.") }
            place += 1
            result.append(PolicyAttribute(name: word, value: try attributeValue(quote), offset: name.lowerBound))
        }
    }

    private mutating func attributeValue(_ quote: UInt8) throws(PolicyDiagnostic) -> PolicyValue {
        let start = place
        if isRaw {
            skipBlanks()
            if let expression = try rawExpression() {
                skipBlanks()
                guard peek() == quote else { throw problem("An expression must be the whole value of its attribute.") }
                place += 1
                return expression
            }
            place = start
        }
        var text: [UInt8] = []
        while let byte = peek(), byte != quote {
            guard byte != 0x3C || isRaw else { throw problem("A \"<\" in an attribute must be written &lt;.") }
            try takeCharacter(into: &text)
        }
        guard peek() == quote else { throw problem("The attribute's value is not closed.", at: start) }
        place += 1
        return value(text, start)
    }

    /// One byte of text, or what an entity stands for.
    private mutating func takeCharacter(into text: inout [UInt8]) throws(PolicyDiagnostic) {
        let byte = bytes[place]
        guard byte == 0x26 else {
            text.append(byte)
            place += 1
            return
        }
        let end = bytes[place...].prefix(12).firstIndex(of: 0x3B)
        if let end, let found = PolicyParser.entity(String(decoding: bytes[(place + 1)..<end], as: UTF8.self)) {
            text.append(contentsOf: Array(String(found).utf8))
            place = end + 1
            return
        }
        // People write a lone & in raw documents, as in addresses.
        guard isRaw else { throw problem("A \"&\" must be written &amp;.") }
        text.append(byte)
        place += 1
    }

    private static func entity(_ name: String) -> Unicode.Scalar? {
        switch name {
        case "amp": "&"
        case "lt": "<"
        case "gt": ">"
        case "quot": "\""
        case "apos": "'"
        default:
            if name.hasPrefix("#x") {
                UInt32(name.dropFirst(2), radix: 16).flatMap(Unicode.Scalar.init)
            } else if name.hasPrefix("#") {
                UInt32(name.dropFirst()).flatMap(Unicode.Scalar.init)
            } else {
                nil
            }
        }
    }
}
