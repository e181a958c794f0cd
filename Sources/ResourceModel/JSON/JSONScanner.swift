/// A pull scanner over the bytes of a JSON document (RFC 8259).
///
/// The management documents are read through `JSONValue(parsing:)`, the request bodies of scored calls straight from here,
/// so that a cell goes from the socket's bytes into a column without a `String` between.
package struct JSONScanner: Sendable {
    /// Nesting beyond this is refused: hostile depth would exhaust the stack, and no document of ours nests past 20.
    package static let depthMax = 64

    @usableFromInline package let bytes: [UInt8]
    @usableFromInline package internal(set) var index = 0
    /// Whether the bare token `NaN` is a number (some clients of the web service contract send it).
    package let allowsNaN: Bool

    /// - Throws: `JSONError` when the bytes are not UTF-8.
    package init(_ bytes: [UInt8], allowsNaN: Bool = false) throws(JSONError) {
        self.bytes = bytes
        self.allowsNaN = allowsNaN
        if let place = JSONScanner.firstNonASCII(bytes), String(validating: bytes[place...], as: UTF8.self) == nil {
            throw JSONError(message: "The document is not UTF-8.", offset: place)
        }
    }

    /// Eight bytes at a time: most bodies are ASCII, and this walks all of every one.
    private static func firstNonASCII(_ bytes: [UInt8]) -> Int? {
        bytes.withUnsafeBytes { raw in
            var place = 0
            while place &+ 8 <= raw.count {
                let word = raw.loadUnaligned(fromByteOffset: place, as: UInt64.self)
                if word & 0x8080_8080_8080_8080 != 0 { break }
                place &+= 8
            }
            return raw[place...].firstIndex { $0 >= 0x80 }
        }
    }

    @inlinable @inline(__always)
    package mutating func skipSpace() {
        // Most tokens follow each other without a space.
        if index < bytes.count, bytes[index] > 0x20 { return }
        skipSpaces()
    }

    @usableFromInline
    mutating func skipSpaces() {
        while index < bytes.count {
            switch bytes[index] {
            case 0x20, 0x0A, 0x0D, 0x09: index &+= 1
            default: return
            }
        }
    }

    /// The next byte that is no space, without taking it.
    @inlinable @inline(__always)
    package mutating func peek() throws(JSONError) -> UInt8 {
        skipSpace()
        guard index < bytes.count else { throw endsEarly }
        return bytes[index]
    }

    @usableFromInline
    var endsEarly: JSONError { error("The document ends too early.") }

    /// Takes the byte if it is the next one that is no space.
    @inlinable @inline(__always)
    package mutating func take(_ byte: UInt8) throws(JSONError) -> Bool {
        guard try peek() == byte else { return false }
        index &+= 1
        return true
    }

    @inlinable @inline(__always)
    package mutating func expect(_ byte: UInt8) throws(JSONError) {
        guard try take(byte) else { throw missing(byte) }
    }

    @usableFromInline
    func missing(_ byte: UInt8) -> JSONError { error("Expected '\(Character(Unicode.Scalar(byte)))'.") }

    /// Throws unless only space is left.
    package mutating func end() throws(JSONError) {
        skipSpace()
        guard index == bytes.count else { throw error("There is text after the end of the document.") }
    }

    /// Takes a string and gives the range of its raw bytes between the quotes, and whether it holds escapes.
    package mutating func rawString() throws(JSONError) -> (range: Range<Int>, escaped: Bool) {
        try expect(0x22)
        let start = index
        var escaped = false
        let count = bytes.count
        index = plainEnd()
        while index < count {
            let byte = bytes[index]
            if byte == 0x22 {
                index &+= 1
                return (start..<(index &- 1), escaped)
            }
            if byte < 0x20 { throw error("A control character stands in a string without an escape.") }
            if byte == 0x5C {
                escaped = true
                index &+= 1
            }
            index &+= 1
        }
        throw error("A string is not closed.")
    }

    /// The first place from here on in whose eight bytes a quote, a backslash or a control character stands.
    private func plainEnd() -> Int {
        bytes.withUnsafeBytes { raw in
            var place = index
            while place &+ 8 <= raw.count {
                let word = raw.loadUnaligned(fromByteOffset: place, as: UInt64.self)
                let quote = word ^ 0x2222_2222_2222_2222
                let backslash = word ^ 0x5C5C_5C5C_5C5C_5C5C
                let found =
                    (word &- 0x2020_2020_2020_2020) & ~word | (quote &- 0x0101_0101_0101_0101) & ~quote
                    | (backslash &- 0x0101_0101_0101_0101) & ~backslash
                if found & 0x8080_8080_8080_8080 != 0 { break }
                place &+= 8
            }
            return place
        }
    }

    /// Takes a string that names something; it is compared without being made a `String`.
    package mutating func name() throws(JSONError) -> Name {
        let (range, escaped) = try rawString()
        guard escaped else { return Name(range: range, text: nil) }
        var text: [UInt8] = []
        try unescape(range, into: &text)
        return Name(range: range, text: text)
    }

    /// A string of the document, by its place.
    package struct Name: Sendable {
        fileprivate let range: Range<Int>
        /// Where the string holds escapes: what it says without them.
        fileprivate let text: [UInt8]?
    }

    package func text(_ name: Name) -> String {
        String(decoding: name.text ?? Array(bytes[name.range]), as: UTF8.self)
    }

    package func equal(_ name: Name, _ word: StaticString) -> Bool {
        let pattern = UnsafeBufferPointer(start: word.utf8Start, count: word.utf8CodeUnitCount)
        if let text = name.text { return text.elementsEqual(pattern) }
        guard name.range.count == pattern.count else { return false }
        for place in 0..<pattern.count where bytes[name.range.lowerBound &+ place] != pattern[place] { return false }
        return true
    }

    package func equal(_ name: Name, _ word: [UInt8]) -> Bool {
        if let text = name.text { return text == word }
        guard name.range.count == word.count else { return false }
        for place in 0..<word.count where bytes[name.range.lowerBound &+ place] != word[place] { return false }
        return true
    }

    /// Takes a string and appends its text as UTF-8.
    ///
    /// A lone surrogate is an error, since no UTF-8 text can hold it.
    package mutating func string(into output: inout [UInt8]) throws(JSONError) {
        let (range, escaped) = try rawString()
        guard escaped else {
            output.append(contentsOf: bytes[range])
            return
        }
        try unescape(range, into: &output)
    }

    package mutating func string() throws(JSONError) -> String {
        let (range, escaped) = try rawString()
        guard escaped else { return String(decoding: bytes[range], as: UTF8.self) }
        var text: [UInt8] = []
        try unescape(range, into: &text)
        return String(decoding: text, as: UTF8.self)
    }

    /// The raw bytes of a number, `NaN` included where it is allowed.
    package mutating func rawNumber() throws(JSONError) -> Range<Int> {
        _ = try peek()
        let start = index
        if allowsNaN, bytes[index] == 0x4E {
            try word("NaN")
            return start..<index
        }
        if bytes[index] == 0x2D { index &+= 1 }
        let whole = digits()
        guard whole > 0, whole == 1 || bytes[index &- whole] != 0x30 else { throw error("A value is not valid JSON.") }
        if index < bytes.count, bytes[index] == 0x2E {
            index &+= 1
            guard digits() > 0 else { throw error("A number has no digits after its point.") }
        }
        if index < bytes.count, bytes[index] | 0x20 == 0x65 {
            index &+= 1
            if index < bytes.count, bytes[index] == 0x2B || bytes[index] == 0x2D { index &+= 1 }
            guard digits() > 0 else { throw error("A number has no digits in its exponent.") }
        }
        return start..<index
    }

    /// Takes one of the words `true`, `false`, `null`, `NaN`.
    package mutating func word(_ word: StaticString) throws(JSONError) {
        let length = word.utf8CodeUnitCount
        let matches =
            index + length <= bytes.count
            && word.withUTF8Buffer { text in
                for offset in 0..<length where bytes[index &+ offset] != text[offset] { return false }
                return true
            }
        guard matches else { throw error("A value is not valid JSON.") }
        index &+= length
    }

    /// Takes any value and forgets it; its grammar is still checked.
    package mutating func skipValue(depth: Int = 0) throws(JSONError) {
        guard depth < JSONScanner.depthMax else { throw error("The document nests too deeply.") }
        switch try peek() {
        case 0x7B:
            try members { scanner, _ throws(JSONError) in try scanner.skipValue(depth: depth + 1) }
        case 0x5B:
            try elements { scanner throws(JSONError) in try scanner.skipValue(depth: depth + 1) }
        case 0x22:
            let (range, escaped) = try rawString()
            if escaped {
                var unused: [UInt8] = []
                try unescape(range, into: &unused)
            }
        case 0x74: try word("true")
        case 0x66: try word("false")
        case 0x6E: try word("null")
        default: _ = try rawNumber()
        }
    }

    /// Walks an object: `body` is called at each value with the member's name and must take the value.
    package mutating func members(
        _ body: (inout JSONScanner, String) throws(JSONError) -> Void
    ) throws(JSONError) {
        try expect(0x7B)
        if try take(0x7D) { return }
        repeat {
            let name = try string()
            try expect(0x3A)
            _ = try peek()
            try body(&self, name)
        } while try take(0x2C)
        try expect(0x7D)
    }

    /// Walks an array: `body` is called at each element and must take it.
    package mutating func elements(_ body: (inout JSONScanner) throws(JSONError) -> Void) throws(JSONError) {
        try expect(0x5B)
        if try take(0x5D) { return }
        repeat {
            _ = try peek()
            try body(&self)
        } while try take(0x2C)
        try expect(0x5D)
    }

    /// Goes back, or forth, to a place that this scanner was at.
    package mutating func move(to place: Int) { index = place }

    package func error(_ message: String) -> JSONError { JSONError(message: message, offset: index) }

    private mutating func digits() -> Int {
        let start = index
        while index < bytes.count, bytes[index] &- 0x30 < 10 { index &+= 1 }
        return index &- start
    }

    private func unescape(_ range: Range<Int>, into output: inout [UInt8]) throws(JSONError) {
        var place = range.lowerBound
        while place < range.upperBound {
            let byte = bytes[place]
            place &+= 1
            guard byte == 0x5C else {
                output.append(byte)
                continue
            }
            let escape = bytes[place]
            place &+= 1
            switch escape {
            case 0x22, 0x5C, 0x2F: output.append(escape)
            case 0x62: output.append(0x08)
            case 0x66: output.append(0x0C)
            case 0x6E: output.append(0x0A)
            case 0x72: output.append(0x0D)
            case 0x74: output.append(0x09)
            case 0x75: output.append(contentsOf: String(try unicodeEscape(&place, range.upperBound)).utf8)
            default: throw JSONError(message: "A string holds an unknown escape.", offset: place)
            }
        }
    }

    private func unicodeEscape(_ place: inout Int, _ end: Int) throws(JSONError) -> Character {
        var code = UInt32(try hexUnit(&place, end))
        if code & 0xFC00 == 0xD800 {
            guard place + 1 < end, bytes[place] == 0x5C, bytes[place + 1] == 0x75 else { throw loneSurrogate(place) }
            place += 2
            let low = UInt32(try hexUnit(&place, end))
            guard low & 0xFC00 == 0xDC00 else { throw loneSurrogate(place) }
            code = 0x10000 + (code & 0x3FF) << 10 + (low & 0x3FF)
        }
        guard let scalar = Unicode.Scalar(code) else { throw loneSurrogate(place) }
        return Character(scalar)
    }

    private func loneSurrogate(_ place: Int) -> JSONError {
        JSONError(message: "A string holds half of a surrogate pair.", offset: place)
    }

    private func hexUnit(_ place: inout Int, _ end: Int) throws(JSONError) -> UInt16 {
        guard place + 4 <= end else { throw JSONError(message: "A \\u escape needs four digits.", offset: place) }
        var unit: UInt16 = 0
        for _ in 0..<4 {
            let byte = bytes[place]
            let digit: UInt8
            switch byte {
            case 0x30...0x39: digit = byte - 0x30
            case 0x41...0x46: digit = byte - 0x37
            case 0x61...0x66: digit = byte - 0x57
            default: throw JSONError(message: "A \\u escape needs four hexadecimal digits.", offset: place)
            }
            unit = unit << 4 | UInt16(digit)
            place += 1
        }
        return unit
    }
}

/// Why a JSON document could not be read, and where.
package struct JSONError: Error, Sendable, Equatable {
    package let message: String
    /// Bytes from the start of the document.
    package let offset: Int

    package init(message: String, offset: Int) {
        self.message = message
        self.offset = offset
    }

    package var description: String { "\(message) (at byte \(offset))" }
}
