extension JSONValue {
    /// Reads a whole document.
    ///
    /// Of repeated members the last one counts, as in the clients' own libraries.
    package init(parsing bytes: [UInt8]) throws(JSONError) {
        var scanner = try JSONScanner(bytes)
        self = try JSONValue(from: &scanner, depth: 0)
        try scanner.end()
    }

    package init(parsing text: String) throws(JSONError) {
        self = try JSONValue(parsing: Array(text.utf8))
    }

    private init(from scanner: inout JSONScanner, depth: Int) throws(JSONError) {
        guard depth < JSONScanner.depthMax else { throw scanner.error("The document nests too deeply.") }
        switch try scanner.peek() {
        case 0x7B:
            var members: [(name: String, value: JSONValue)] = []
            try scanner.members { scanner, name throws(JSONError) in
                members.append((name, try JSONValue(from: &scanner, depth: depth + 1)))
            }
            self = .object(JSONObject(members))
        case 0x5B:
            var elements: [JSONValue] = []
            try scanner.elements { scanner throws(JSONError) in
                elements.append(try JSONValue(from: &scanner, depth: depth + 1))
            }
            self = .array(elements)
        case 0x22: self = .string(try scanner.string())
        case 0x74:
            try scanner.word("true")
            self = .bool(true)
        case 0x66:
            try scanner.word("false")
            self = .bool(false)
        case 0x6E:
            try scanner.word("null")
            self = .null
        default:
            let text = String(decoding: scanner.bytes[try scanner.rawNumber()], as: UTF8.self)
            if let whole = Int(text) {
                self = .int(whole)
            } else if let number = Double(text), number.isFinite {
                self = .double(number)
            } else {
                throw scanner.error("A number is out of range.")
            }
        }
    }
}
