/// Cuts the text of an expression into words, as C# does.
struct ExpressionLexer {
    /// Longest first, so that `??` is not read as two.
    private static let symbols = [
        "??", "?.", "==", "!=", "<=", ">=", "&&", "||", "=>", "++", "--", "<<", "+", "-", "*", "/", "%", "<", ">", "!",
        "?", ":",
        "(", ")", "[", "]", "{", "}", ",", ".", ";", "=", "&", "|", "^", "~",
    ].map { Array($0.utf8) }

    private let bytes: [UInt8]
    /// What offsets are counted from: holes of interpolated strings are texts of their own.
    private let base: Int
    private var place = 0

    init(_ text: String, base: Int = 0) {
        bytes = Array(text.utf8)
        self.base = base
    }

    mutating func tokens() throws(ExpressionError) -> [ExpressionToken] {
        var result: [ExpressionToken] = []
        while true {
            let token = try next()
            result.append(token)
            if token.kind == .end { return result }
        }
    }

    private func peek(_ ahead: Int = 0) -> UInt8? { place + ahead < bytes.count ? bytes[place + ahead] : nil }

    private mutating func next() throws(ExpressionError) -> ExpressionToken {
        try skipBlanks()
        let start = place
        guard let byte = peek() else { return ExpressionToken(kind: .end, offset: base + start) }
        let kind: ExpressionToken.Kind
        switch byte {
        case 0x22: kind = .string(try quoted())
        case 0x27: kind = .string(try character())
        case 0x40 where peek(1) == 0x22:
            place += 1
            kind = .string(try verbatim())
        case 0x24 where peek(1) == 0x22:
            place += 1
            kind = .interpolated(try interpolated())
        case 0x30...0x39: kind = try number()
        case let first where ExpressionLexer.startsWord(first): kind = .identifier(word())
        default:
            guard let symbol = ExpressionLexer.symbols.first(where: { bytes[place...].starts(with: $0) }) else {
                throw ExpressionError("The character cannot be read here.", at: base + place)
            }
            place += symbol.count
            kind = .symbol(String(decoding: symbol, as: UTF8.self))
        }
        return ExpressionToken(kind: kind, offset: base + start)
    }

    private mutating func skipBlanks() throws(ExpressionError) {
        while let byte = peek() {
            if byte == 0x20 || (0x09...0x0D).contains(byte) {
                place += 1
            } else if byte == 0x2F, peek(1) == 0x2F {
                while let next = peek(), next != 0x0A { place += 1 }
            } else if byte == 0x2F, peek(1) == 0x2A {
                let start = place
                place += 2
                while !(peek() == 0x2A && peek(1) == 0x2F) {
                    guard place < bytes.count else {
                        throw ExpressionError("The comment has no end.", at: base + start)
                    }
                    place += 1
                }
                place += 2
            } else {
                return
            }
        }
    }

    private static func startsWord(_ byte: UInt8) -> Bool {
        (0x41...0x5A).contains(byte) || (0x61...0x7A).contains(byte) || byte == 0x5F || byte >= 0x80
    }

    private mutating func word() -> String {
        let start = place
        while let byte = peek(), ExpressionLexer.startsWord(byte) || (0x30...0x39).contains(byte) { place += 1 }
        return String(decoding: bytes[start..<place], as: UTF8.self)
    }

    private mutating func number() throws(ExpressionError) -> ExpressionToken.Kind {
        let start = place
        if peek() == 0x30, let mark = peek(1).map({ $0 | 0x20 }), mark == 0x78 || mark == 0x62 {
            return .int(try wholeNumber(radix: mark == 0x78 ? 16 : 2))
        }
        var isDouble = false
        while let byte = peek() {
            if byte == 0x2E, let after = peek(1), (0x30...0x39).contains(after), !isDouble {
                isDouble = true
            } else if !(0x30...0x39).contains(byte), byte != 0x5F {
                break
            }
            place += 1
        }
        let text = String(decoding: bytes[start..<place].filter { $0 != 0x5F }, as: UTF8.self)
        let suffix = peek().map { $0 | 0x20 }
        if suffix == 0x64 || suffix == 0x66 || suffix == 0x6D {
            isDouble = true
            place += 1
        } else if suffix == 0x6C, !isDouble {
            place += 1
        }
        if let byte = peek(), ExpressionLexer.startsWord(byte) || (0x30...0x39).contains(byte) {
            throw ExpressionError("The number cannot be read.", at: base + start)
        }
        if isDouble, let value = Double(text) { return .double(value) }
        guard !isDouble, let value = Int64(text) else {
            throw ExpressionError("The number is too large.", at: base + start)
        }
        return .int(value)
    }

    /// `0x1F` and `0b101`.
    private mutating func wholeNumber(radix: Int) throws(ExpressionError) -> Int64 {
        let start = place
        place += 2
        let word = word().lowercased().filter { $0 != "_" }
        let digits = word.hasSuffix("l") ? word.dropLast() : word[...]
        guard !digits.isEmpty, digits.allSatisfy({ $0.isASCII && Int(String($0), radix: radix) != nil }) else {
            throw ExpressionError("The number cannot be read.", at: base + start)
        }
        guard let value = Int64(digits, radix: radix) else {
            throw ExpressionError("The number is too large.", at: base + start)
        }
        return value
    }

    // MARK: - Strings

    private mutating func quoted() throws(ExpressionError) -> String {
        let start = place
        place += 1
        var result: [UInt8] = []
        while let byte = peek(), byte != 0x0A {
            if byte == 0x22 {
                place += 1
                return try text(result, start)
            }
            try take(byte, into: &result)
        }
        throw ExpressionError("The string has no closing quote.", at: base + start)
    }

    private mutating func character() throws(ExpressionError) -> String {
        let start = place
        place += 1
        var result: [UInt8] = []
        while let byte = peek(), byte != 0x27, byte != 0x0A { try take(byte, into: &result) }
        let value = try text(result, start)
        guard peek() == 0x27, value.utf16.count == 1 else {
            throw ExpressionError("The character literal must hold one character.", at: base + start)
        }
        place += 1
        return value
    }

    private mutating func verbatim() throws(ExpressionError) -> String {
        let start = place
        place += 1
        var result: [UInt8] = []
        while let byte = peek() {
            place += 1
            guard byte == 0x22 else {
                result.append(byte)
                continue
            }
            guard peek() == 0x22 else { return try text(result, start) }
            place += 1
            result.append(0x22)
        }
        throw ExpressionError("The string has no closing quote.", at: base + start)
    }

    private mutating func interpolated() throws(ExpressionError) -> [InterpolationPart] {
        let start = place
        place += 1
        var parts: [InterpolationPart] = []
        var literal: [UInt8] = []
        while let byte = peek(), byte != 0x0A {
            switch byte {
            case 0x22:
                place += 1
                if !literal.isEmpty { parts.append(.text(try text(literal, start))) }
                return parts
            case 0x7B where peek(1) == 0x7B, 0x7D where peek(1) == 0x7D:
                literal.append(byte)
                place += 2
            case 0x7D: throw ExpressionError("A \"}\" in an interpolated string must be doubled.", at: base + place)
            case 0x7B:
                if !literal.isEmpty { parts.append(.text(try text(literal, start))) }
                literal = []
                parts.append(try hole())
            default: try take(byte, into: &literal)
            }
        }
        throw ExpressionError("The string has no closing quote.", at: base + start)
    }

    /// The text between braces, brackets and strings inside it counted.
    private mutating func hole() throws(ExpressionError) -> InterpolationPart {
        let open = place
        place += 1
        let start = place
        guard let end = BalancedText.end(bytes, from: start, closing: 0x7D) else {
            throw ExpressionError("A \"{\" in an interpolated string is not closed.", at: base + open)
        }
        place = end + 1
        return .hole(String(decoding: bytes[start..<end], as: UTF8.self), offset: base + start)
    }

    /// One character of a string, its escape undone.
    private mutating func take(_ byte: UInt8, into result: inout [UInt8]) throws(ExpressionError) {
        guard byte == 0x5C else {
            result.append(byte)
            place += 1
            return
        }
        let start = place
        place += 1
        guard let escape = peek() else { throw ExpressionError("The string ends in an escape.", at: base + start) }
        place += 1
        switch escape {
        case 0x22, 0x27, 0x5C: result.append(escape)
        case 0x30: result.append(0)
        case 0x61: result.append(0x07)
        case 0x62: result.append(0x08)
        case 0x66: result.append(0x0C)
        case 0x6E: result.append(0x0A)
        case 0x72: result.append(0x0D)
        case 0x74: result.append(0x09)
        case 0x76: result.append(0x0B)
        case 0x75: try unicode(4, start, &result)
        case 0x55: try unicode(8, start, &result)
        default: throw ExpressionError("The escape is not known.", at: base + start)
        }
    }

    private mutating func unicode(_ digits: Int, _ start: Int, _ result: inout [UInt8]) throws(ExpressionError) {
        guard var value = hex(digits) else {
            throw ExpressionError("The escape needs \(digits) hexadecimal digits.", at: base + start)
        }
        // C# writes a character beyond 16 bits as two escapes; here they become the one that they mean.
        if (0xD800..<0xDC00).contains(value), peek() == 0x5C, peek(1) == 0x75 {
            place += 2
            guard let low = hex(4), (0xDC00..<0xE000).contains(low) else {
                throw ExpressionError("The second half of the character is missing.", at: base + start)
            }
            value = 0x10000 + (value - 0xD800) << 10 + (low - 0xDC00)
        }
        guard let scalar = Unicode.Scalar(value) else {
            throw ExpressionError("The escape names no character.", at: base + start)
        }
        result.append(contentsOf: Array(String(Character(scalar)).utf8))
    }

    private mutating func hex(_ digits: Int) -> UInt32? {
        // A number may have a sign, an escape may not.
        guard place + digits <= bytes.count, bytes[place] != 0x2B, bytes[place] != 0x2D else { return nil }
        let value = UInt32(String(decoding: bytes[place..<(place + digits)], as: UTF8.self), radix: 16)
        place += digits
        return value
    }

    private func text(_ bytes: [UInt8], _ start: Int) throws(ExpressionError) -> String {
        guard let text = String(validating: bytes, as: UTF8.self) else {
            throw ExpressionError("The string is not UTF-8.", at: base + start)
        }
        return text
    }
}
