/// A `$filter` of OData as the management doors take it (contracts/api-management.md 4.1).
///
/// Comparisons, `and`, `or`, `not`, brackets, and the four functions on texts; what a field means is told by who asks.
package indirect enum ODataFilter: Sendable, Equatable {
    package enum Comparison: String, Sendable {
        case equal = "eq"
        case notEqual = "ne"
        case greater = "gt"
        case greaterOrEqual = "ge"
        case less = "lt"
        case lessOrEqual = "le"
    }

    package enum TextMatch: String, Sendable {
        case contains
        case startsWith = "startswith"
        case endsWith = "endswith"
    }

    package enum Value: Sendable, Equatable {
        case text(String)
        case number(Double)
        case bool(Bool)
        /// As it was written: what follows `datetime` in quotes, or a bare time.
        case time(String)
        case null
    }

    /// The names of a path, as `termsOfService`, `enabled`; a leading `properties` is left out.
    package typealias Field = [String]

    case and(ODataFilter, ODataFilter)
    case or(ODataFilter, ODataFilter)
    case not(ODataFilter)
    case compare(Field, Comparison, Value)
    case match(TextMatch, Field, String)

    package struct ParseError: Error, Sendable, Equatable {
        package let message: String
    }

    /// Characters of a filter: more than any client's form makes.
    package static let charactersMax = 4000
    /// Brackets and `not` inside one another.
    package static let depthMax = 32

    package init(_ text: String) throws(ParseError) {
        guard text.utf8.count <= ODataFilter.charactersMax else {
            throw ParseError(message: "A filter may have \(ODataFilter.charactersMax) characters.")
        }
        var parser = ODataFilterParser(text)
        self = try parser.parse()
    }

    /// Every field that the filter names.
    package var fields: [Field] {
        switch self {
        case .and(let left, let right), .or(let left, let right): left.fields + right.fields
        case .not(let inner): inner.fields
        case .compare(let field, _, _), .match(_, let field, _): [field]
        }
    }

    /// The comparisons of a filter that is only joined by `and`; nil for any other.
    package var conjunction: [(field: Field, comparison: Comparison, value: Value)]? {
        switch self {
        case .and(let left, let right):
            guard let first = left.conjunction, let second = right.conjunction else { return nil }
            return first + second
        case .compare(let field, let comparison, let value): return [(field, comparison, value)]
        case .or, .not, .match: return nil
        }
    }
}

/// Reads filters by recursive descent.
private struct ODataFilterParser {
    private enum Token: Equatable {
        case word(String)
        case text(String)
        case number(Double)
        case time(String)
        case open
        case close
        case comma
        case end
    }

    private let characters: [Character]
    private var place = 0
    private var token = Token.end
    private var depth = 0

    init(_ text: String) { characters = Array(text) }

    mutating func parse() throws(ODataFilter.ParseError) -> ODataFilter {
        try advance()
        let filter = try disjunction()
        guard token == .end else { throw error("Expected the filter's end") }
        return filter
    }

    // MARK: - Grammar

    private mutating func disjunction() throws(ODataFilter.ParseError) -> ODataFilter {
        var left = try conjunction()
        while isWord("or") {
            try advance()
            left = .or(left, try conjunction())
        }
        return left
    }

    private mutating func conjunction() throws(ODataFilter.ParseError) -> ODataFilter {
        var left = try term()
        while isWord("and") {
            try advance()
            left = .and(left, try term())
        }
        return left
    }

    private mutating func term() throws(ODataFilter.ParseError) -> ODataFilter {
        depth += 1
        defer { depth -= 1 }
        guard depth <= ODataFilter.depthMax else {
            throw ODataFilter.ParseError(message: "A filter may be \(ODataFilter.depthMax) levels deep.")
        }
        if isWord("not") {
            try advance()
            return .not(try term())
        }
        if token == .open {
            try advance()
            let inner = try disjunction()
            try expect(.close, ")")
            return inner
        }
        guard case .word(let name) = token else { throw error("Expected a field or a function") }
        try advance()
        if token == .open { return try function(name) }
        guard case .word(let word) = token, let comparison = ODataFilter.Comparison(rawValue: word.lowercased()) else {
            throw error("Expected eq, ne, gt, ge, lt or le")
        }
        try advance()
        return .compare(field(name), comparison, try value())
    }

    private mutating func function(_ name: String) throws(ODataFilter.ParseError) -> ODataFilter {
        let isReversed = name.lowercased() == "substringof"
        guard let match = isReversed ? .contains : ODataFilter.TextMatch(rawValue: name.lowercased()) else {
            throw ODataFilter.ParseError(
                message:
                    "The function \"\(name.prefix(40))\" is not known; there are contains, substringof, startswith and endswith."
            )
        }
        try advance()
        var found: (field: ODataFilter.Field, text: String)
        if isReversed {
            found.text = try text()
            try expect(.comma, ",")
            found.field = try fieldName()
        } else {
            found.field = try fieldName()
            try expect(.comma, ",")
            found.text = try text()
        }
        try expect(.close, ")")
        let filter = ODataFilter.match(match, found.field, found.text)
        // `contains(…) eq true` says the same at length.
        guard isWord("eq") else { return filter }
        try advance()
        guard case .bool(let wanted) = try value() else { throw error("Expected true or false") }
        return wanted ? filter : .not(filter)
    }

    private mutating func fieldName() throws(ODataFilter.ParseError) -> ODataFilter.Field {
        guard case .word(let name) = token else { throw error("Expected a field") }
        try advance()
        return field(name)
    }

    private mutating func text() throws(ODataFilter.ParseError) -> String {
        guard case .text(let text) = token else { throw error("Expected a text in quotes") }
        try advance()
        return text
    }

    private func field(_ name: String) -> ODataFilter.Field {
        let parts = name.split(separator: "/").map(String.init)
        return parts.count > 1 && parts[0] == "properties" ? Array(parts.dropFirst()) : parts
    }

    private mutating func value() throws(ODataFilter.ParseError) -> ODataFilter.Value {
        let value: ODataFilter.Value
        switch token {
        case .text(let text): value = .text(text)
        case .number(let number): value = .number(number)
        case .time(let text): value = .time(text)
        case .word("true"): value = .bool(true)
        case .word("false"): value = .bool(false)
        case .word("null"): value = .null
        default: throw error("Expected a value")
        }
        try advance()
        return value
    }

    // MARK: - Tokens

    private func isWord(_ word: String) -> Bool {
        if case .word(let found) = token { return found.lowercased() == word }
        return false
    }

    private mutating func expect(_ wanted: Token, _ shown: String) throws(ODataFilter.ParseError) {
        guard token == wanted else { throw error("Expected \"\(shown)\"") }
        try advance()
    }

    private func error(_ what: String) -> ODataFilter.ParseError {
        ODataFilter.ParseError(message: "\(what) at character \(min(place, characters.count)).")
    }

    private mutating func advance() throws(ODataFilter.ParseError) {
        while place < characters.count, characters[place].isWhitespace { place += 1 }
        guard place < characters.count else {
            token = .end
            return
        }
        switch characters[place] {
        case "(": take(.open)
        case ")": take(.close)
        case ",": take(.comma)
        case "'": token = .text(try quoted())
        case let character where character.isNumber || character == "-": try number()
        case let character where character.isLetter || character == "_" || character == "$": try word()
        default: throw error("\"\(characters[place])\" has no meaning")
        }
    }

    private mutating func take(_ found: Token) {
        place += 1
        token = found
    }

    /// A text in single quotes; two of them inside stand for one.
    private mutating func quoted() throws(ODataFilter.ParseError) -> String {
        var text = ""
        place += 1
        while place < characters.count {
            if characters[place] == "'" {
                guard place + 1 < characters.count, characters[place + 1] == "'" else {
                    place += 1
                    return text
                }
                place += 1
            }
            text.append(characters[place])
            place += 1
        }
        throw error("A text is not closed")
    }

    /// A number, or a time that is not in quotes.
    private mutating func number() throws(ODataFilter.ParseError) {
        let start = place
        while place < characters.count,
            characters[place].isLetter || characters[place].isNumber || "-+.:".contains(characters[place])
        {
            place += 1
        }
        let text = String(characters[start..<place])
        if let number = Double(text) {
            token = .number(number)
        } else if text.count >= 10, text.dropFirst(4).first == "-" {
            token = .time(text)
        } else {
            throw error("\"\(text.prefix(40))\" is no number and no time")
        }
    }

    private mutating func word() throws(ODataFilter.ParseError) {
        let start = place
        while place < characters.count,
            characters[place].isLetter || characters[place].isNumber || "_/-$.".contains(characters[place])
        {
            place += 1
        }
        let word = String(characters[start..<place])
        if word.lowercased() == "datetime", place < characters.count, characters[place] == "'" {
            token = .time(try quoted())
        } else {
            token = .word(word)
        }
    }
}
