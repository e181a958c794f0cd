/// The URL template of an operation: a path of literals and parameters, and query parameters that a request must have.
package struct URLTemplate: Sendable, Equatable {
    package enum Segment: Sendable, Equatable {
        /// Compared without case.
        case literal(String)
        /// `{name}`, or several, with literal text before, between and behind them: one text more than names.
        case pattern(names: [String], literals: [String])
        /// `*` or `{*name}`: all that is left, slashes included.
        case wildcard(name: String?)
    }

    package enum QueryValue: Sendable, Equatable {
        case literal(String)
        case parameter(String)
    }

    package struct QueryItem: Sendable, Equatable {
        package let name: String
        package let value: QueryValue
    }

    package struct ParseError: Error, Sendable {
        package let message: String
    }

    package let segments: [Segment]
    package let query: [QueryItem]

    /// - Throws: `ParseError` with the rule that the text breaks.
    package init(_ text: String) throws(ParseError) {
        let halves = text.split(separator: "?", maxSplits: 1, omittingEmptySubsequences: false)
        var segments: [Segment] = []
        let words = halves[0].split(separator: "/", omittingEmptySubsequences: true)
        for (place, word) in words.enumerated() {
            let segment = try URLTemplate.segment(String(word))
            if case .wildcard = segment, place != words.count - 1 {
                throw ParseError(message: "A wildcard may only be the last segment of the template.")
            }
            segments.append(segment)
        }
        self.segments = segments
        var query: [QueryItem] = []
        for item in halves.count > 1 ? halves[1].split(separator: "&") : [] {
            query.append(try URLTemplate.queryItem(String(item)))
        }
        self.query = query
        let names = parameterNames.map { $0.lowercased() }
        guard Set(names).count == names.count else {
            throw ParseError(message: "Parameter names must be unique within the template, whatever their case.")
        }
    }

    /// The names of all parameters, of the path first.
    package var parameterNames: [String] {
        let path = segments.flatMap { segment -> [String] in
            switch segment {
            case .literal: []
            case .pattern(let names, _): names
            case .wildcard(let name): name.map { [$0] } ?? []
            }
        }
        let query = query.compactMap { item -> String? in
            if case .parameter(let name) = item.value { return name }
            return nil
        }
        return path + query
    }

    private static func segment(_ word: String) throws(ParseError) -> Segment {
        if word == "*" { return .wildcard(name: nil) }
        var names: [String] = []
        var literals: [String] = []
        var rest = word[...]
        while let open = rest.firstIndex(of: "{") {
            guard let close = rest[open...].firstIndex(of: "}") else {
                throw ParseError(message: "A \"{\" is not closed.")
            }
            let name = String(rest[rest.index(after: open)..<close])
            guard !name.isEmpty else { throw ParseError(message: "A parameter needs a name.") }
            guard names.isEmpty || open > rest.startIndex else {
                throw ParseError(message: "Two parameters of a segment need a text between them.")
            }
            names.append(name)
            literals.append(String(rest[..<open]))
            rest = rest[rest.index(after: close)...]
        }
        literals.append(String(rest))
        guard literals.allSatisfy({ !$0.contains("}") }) else {
            throw ParseError(message: "A \"}\" has no \"{\" before it.")
        }
        guard names.contains(where: { $0.hasPrefix("*") }) else {
            return names.isEmpty ? .literal(word) : .pattern(names: names, literals: literals)
        }
        guard names.count == 1, literals == ["", ""], names[0].count > 1 else {
            throw ParseError(message: "A wildcard must be a segment of its own with a name.")
        }
        return .wildcard(name: String(names[0].dropFirst()))
    }

    private static func queryItem(_ text: String) throws(ParseError) -> QueryItem {
        let parts = text.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
        guard !parts[0].isEmpty else { throw ParseError(message: "A query parameter needs a name.") }
        let value = parts.count > 1 ? parts[1] : ""
        if value.hasPrefix("{"), value.hasSuffix("}") {
            let name = String(value.dropFirst().dropLast())
            guard !name.isEmpty else { throw ParseError(message: "A parameter needs a name.") }
            return QueryItem(name: parts[0], value: .parameter(name))
        }
        return QueryItem(name: parts[0], value: .literal(value))
    }
}
