/// The URL template of an operation: a path of literals and parameters, and query parameters that a request must have.
package struct URLTemplate: Sendable, Equatable {
    package enum Segment: Sendable, Equatable {
        /// Compared without case.
        case literal(String)
        /// `{name}`, alone or between literal text of the same segment.
        case parameter(name: String, prefix: String, suffix: String)
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
        let path = segments.compactMap { segment -> String? in
            switch segment {
            case .literal: nil
            case .parameter(let name, _, _): name
            case .wildcard(let name): name
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
        guard let open = word.firstIndex(of: "{") else {
            guard !word.contains("}") else { throw ParseError(message: "A \"}\" has no \"{\" before it.") }
            return .literal(word)
        }
        guard let close = word[open...].firstIndex(of: "}") else {
            throw ParseError(message: "A \"{\" is not closed.")
        }
        let name = String(word[word.index(after: open)..<close])
        let prefix = String(word[..<open])
        let suffix = String(word[word.index(after: close)...])
        guard !suffix.contains("{"), !suffix.contains("}") else {
            throw ParseError(message: "A segment may hold one parameter.")
        }
        if name.hasPrefix("*") {
            guard prefix.isEmpty, suffix.isEmpty, name.count > 1 else {
                throw ParseError(message: "A wildcard must be a segment of its own with a name.")
            }
            return .wildcard(name: String(name.dropFirst()))
        }
        guard !name.isEmpty else { throw ParseError(message: "A parameter needs a name.") }
        return .parameter(name: name, prefix: prefix, suffix: suffix)
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
