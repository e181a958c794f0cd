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

    init(_ operations: [APIOperation]) {
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
    /// What the template's parameters are in a request that it matched, decoded.
    package func parameters(
        path: UnsafeRawBufferPointer,
        query: UnsafeRawBufferPointer
    ) -> [(name: String, value: String)] {
        var found: [(name: String, value: String)] = []
        var place = 0
        for part in segments {
            while place < path.count, path[place] == 0x2F { place += 1 }
            let start = place
            if case .wildcard(let name) = part {
                if let name { found.append((name, text(path[start...]))) }
                break
            }
            while place < path.count, path[place] != 0x2F { place += 1 }
            if case .pattern(let pattern) = part,
                let values = pattern.values(UnsafeRawBufferPointer(rebasing: path[start..<place]))
            {
                found += zip(pattern.names, values).map { ($0, $1) }
            }
        }
        for part in self.query {
            guard let name = part.parameter else { continue }
            var value: String?
            QueryText.forEach(query) { given, bytes in
                if value == nil, PathText.equal(given, part.name) { value = text(bytes[...], plusIsBlank: true) }
            }
            found.append((name, value ?? ""))
        }
        return found
    }

    private func text(_ bytes: Slice<UnsafeRawBufferPointer>, plusIsBlank: Bool = false) -> String {
        PercentText.decoded(String(decoding: bytes, as: UTF8.self), plusIsBlank: plusIsBlank)
    }
}
