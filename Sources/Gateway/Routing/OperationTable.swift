package import Policies
import ResourceModel

/// The operations of one API, in the order in which they are tried.
///
/// The published rules leave precedence open: literals come before parameters, parameters before wildcards, and of equal
/// paths the one that asks for more of the query is tried first.
package struct OperationTable: Sendable {
    package final class Entry: Sendable {
        package let id: String
        package let facts: PolicyFacts.Operation
        package let method: [UInt8]
        let segments: [Part]
        let query: [QueryPart]

        init(_ operation: APIOperation) {
            id = operation.facts.id
            facts = operation.facts
            method = Array(operation.facts.method.utf8)
            segments = operation.template.segments.map { segment in
                switch segment {
                case .literal(let text): .literal(Array(text.lowercased().utf8))
                case .pattern(let names, let literals): .pattern(SegmentPattern(names: names, literals: literals))
                case .wildcard(let name): .wildcard(name: name)
                }
            }
            query = operation.template.query.map { item in
                switch item.value {
                case .literal(let text):
                    QueryPart(
                        name: Array(item.name.lowercased().utf8),
                        value: Array(text.lowercased().utf8),
                        parameter: nil
                    )
                case .parameter(let name):
                    QueryPart(name: Array(item.name.lowercased().utf8), value: nil, parameter: name)
                }
            }
        }
    }

    enum Part: Sendable {
        /// Lower case.
        case literal([UInt8])
        case pattern(SegmentPattern)
        case wildcard(name: String?)
    }

    struct QueryPart: Sendable {
        /// Lower case.
        let name: [UInt8]
        /// Lower case; nil for any value.
        let value: [UInt8]?
        /// What the value is called where it may be any.
        let parameter: String?
    }

    package let entries: [Entry]

    package init(_ operations: [APIOperation]) {
        let sorted = operations.sorted { left, right in
            OperationTable.rank(left.template).lexicographicallyPrecedes(OperationTable.rank(right.template))
        }
        entries = sorted.map(Entry.init)
    }

    /// Lower is tried earlier.
    private static func rank(_ template: URLTemplate) -> [Int] {
        let segments = template.segments.map { segment in
            switch segment {
            case .literal: 0
            case .pattern(_, let literals): literals.allSatisfy(\.isEmpty) ? 2 : 1
            case .wildcard: 3
            }
        }
        let literals = template.query.filter { if case .literal = $0.value { true } else { false } }.count
        return segments + [4, -literals, -template.query.count]
    }

    /// - Parameters:
    ///   - path: what follows the API's path, from its slash on, not decoded.
    ///   - query: without the question mark.
    /// - Returns: the operation, or nil where none fits.
    package func match(
        method: UnsafeRawBufferPointer,
        path: UnsafeRawBufferPointer,
        query: UnsafeRawBufferPointer
    ) -> Entry? {
        for entry in entries where method.count == entry.method.count {
            guard method.elementsEqual(entry.method), OperationTable.matches(entry.segments, path) else { continue }
            if entry.query.allSatisfy({ part in OperationTable.matches(part, query) }) { return entry }
        }
        return nil
    }

    private static func matches(_ parts: [Part], _ path: UnsafeRawBufferPointer) -> Bool {
        var place = 0
        for part in parts {
            while place < path.count, path[place] == 0x2F { place += 1 }
            if case .wildcard = part { return true }
            let start = place
            while place < path.count, path[place] != 0x2F { place += 1 }
            guard start < place else { return false }
            let segment = UnsafeRawBufferPointer(rebasing: path[start..<place])
            switch part {
            case .literal(let text):
                guard PathText.equal(segment, text) else { return false }
            case .pattern(let pattern):
                guard pattern.takesAnything || pattern.values(segment) != nil else { return false }
            case .wildcard: break
            }
        }
        // A trailing slash is not significant.
        while place < path.count, path[place] == 0x2F { place += 1 }
        return place == path.count
    }

    private static func matches(_ part: QueryPart, _ query: UnsafeRawBufferPointer) -> Bool {
        var found = false
        QueryText.forEach(query) { name, value in
            guard !found, PathText.equal(name, part.name) else { return }
            found = part.value.map { PathText.equal(value, $0) } ?? true
        }
        return found
    }
}

extension OperationTable.Entry {
    /// What a parameter is in a request.
    private enum Found {
        /// A part of a path's segment, unescaped.
        case part(ArraySlice<UInt8>)
        /// A whole segment or the rest of the path, or a value of the query, as it came.
        case segment(UnsafeRawBufferPointer)
        case rest(UnsafeRawBufferPointer)
        case value(UnsafeRawBufferPointer)
    }

    /// Gives each parameter of the template with what it is in a request that the template matched.
    private func forEachParameter(
        path: UnsafeRawBufferPointer,
        query: UnsafeRawBufferPointer,
        _ body: (_ name: String, _ found: Found) -> Void
    ) {
        var place = 0
        for part in segments {
            while place < path.count, path[place] == 0x2F { place += 1 }
            let start = place
            if case .wildcard(let name) = part {
                if let name { body(name, .rest(UnsafeRawBufferPointer(rebasing: path[start...]))) }
                break
            }
            while place < path.count, path[place] != 0x2F { place += 1 }
            guard case .pattern(let pattern) = part else { continue }
            let segment = UnsafeRawBufferPointer(rebasing: path[start..<place])
            if pattern.takesAnything, let name = pattern.names.first {
                body(name, .segment(segment))
            } else {
                for (name, value) in zip(pattern.names, pattern.values(segment) ?? []) { body(name, .part(value)) }
            }
        }
        for part in self.query {
            guard let name = part.parameter else { continue }
            var value: UnsafeRawBufferPointer?
            QueryText.forEach(query) { given, bytes in
                if value == nil, PathText.equal(given, part.name) { value = bytes }
            }
            body(name, .value(value ?? UnsafeRawBufferPointer(start: nil, count: 0)))
        }
    }

    /// What the template's parameters are in a request that it matched, decoded.
    package func parameters(
        path: UnsafeRawBufferPointer,
        query: UnsafeRawBufferPointer
    ) -> [(name: String, value: String)] {
        var parameters: [(name: String, value: String)] = []
        forEachParameter(path: path, query: query) { name, found in
            let bytes =
                switch found {
                case .part(let bytes): Array(bytes)
                case .segment(let text), .rest(let text): PercentText.bytes(text)
                case .value(let text): PercentText.bytes(text, plusIsBlank: true)
                }
            parameters.append((name, PercentText.text(bytes)))
        }
        return parameters
    }

    /// A parameter as it may stand in an address; nil where the template has none of that name.
    ///
    /// No byte and no escape of the caller's is lost: a slash that was escaped stays so, and one that was not does too where it may.
    package func addressText(
        _ name: String,
        isQuery: Bool,
        path: UnsafeRawBufferPointer,
        query: UnsafeRawBufferPointer
    ) -> String? {
        let wanted = name.lowercased()
        var text: String?
        forEachParameter(path: path, query: query) { name, found in
            guard text == nil, name.lowercased() == wanted else { return }
            text =
                switch found {
                case .part(let bytes): PercentText.encoded(bytes)
                // What may stand in a path as it is may mean something in a query.
                case .segment(let raw): isQuery ? encoded(raw) : PercentText.finished(raw, isQuery: false)
                case .rest(let raw) where isQuery:
                    raw.split(separator: 0x2F, omittingEmptySubsequences: false)
                        .map { encoded(UnsafeRawBufferPointer(rebasing: $0)) }.joined(separator: "/")
                case .rest(let raw): PercentText.finished(raw, isQuery: false)
                case .value(let raw): PercentText.encoded(PercentText.bytes(raw, plusIsBlank: true))
                }
        }
        return text
    }

    private func encoded(_ raw: UnsafeRawBufferPointer) -> String { PercentText.encoded(PercentText.bytes(raw)) }
}
