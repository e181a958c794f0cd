package import ResourceModel

/// YAML as the JSON that it stands for.
///
/// An alias stands for a copy of what its anchor names, so that aliases of aliases would grow without end: what they stand for is counted
/// while the document is read, before anything of it is written out.
package enum YAMLDocument {
    /// Values of a document as it is written: more than 4 MiB of a description hold, fewer than would keep a processor for seconds.
    static let valuesMax = 500_000
    /// Aliases of a document: people write dozens.
    static let aliasesMax = 10_000
    /// Values that all aliases of a document stand for.
    static let aliasedValuesMax = 50_000
    /// Levels, with those of what an alias stands for: as deep as the JSON that is read elsewhere.
    static let depthMax = 64

    /// - Throws: `APIError` naming `value`.
    static func read(_ text: String) throws(APIError) -> JSONValue {
        do throws(YAMLError) { return try value(text) } catch {
            throw .validation("value", "The description cannot be read as YAML: \(error.message)")
        }
    }

    /// What breaks the rules of a document: its syntax, or a bound.
    package struct YAMLError: Error, CustomStringConvertible {
        package let message: String
        package var description: String { message }

        static func tooDeep(line: Int) -> YAMLError {
            YAMLError(message: "Values are nested deeper than \(depthMax) levels, line \(line).")
        }
    }

    package static func value(_ text: String) throws(YAMLError) -> JSONValue {
        let events = YAMLEvents(text)
        var composer = Composer(events: events)
        guard let value = try composer.document() else { throw YAMLError(message: "The document is empty.") }
        return value
    }

    /// What was read of one value.
    private struct Node {
        let value: JSONValue
        /// As it was written, where it is no collection.
        let text: String?
        /// Of values, with itself.
        let count: Int
        /// Levels of collections, with itself.
        let height: Int
    }

    /// Puts the events of a document together.
    private struct Composer {
        let events: YAMLEvents
        private var anchors: [String: Node] = [:]
        private var written = 0
        private var aliases = 0
        private var aliased = 0

        init(events: YAMLEvents) { self.events = events }

        /// nil for a stream without documents.
        mutating func document() throws(YAMLError) -> JSONValue? {
            guard case .streamStart = try events.next() else { throw YAMLError(message: "The document has no start.") }
            guard case .documentStart = try events.next() else { return nil }
            let node = try node(try events.next(), depth: 0)
            _ = try events.next()
            guard case .streamEnd = try events.next() else {
                throw YAMLError(message: "There is more than one document, line \(events.line).")
            }
            return node.value
        }

        private mutating func node(_ event: YAMLEvents.Event, depth: Int) throws(YAMLError) -> Node {
            if case .alias(let name) = event { return try alias(name, depth: depth) }
            written += 1
            guard written <= valuesMax else {
                throw YAMLError(message: "There are more than \(valuesMax) values.")
            }
            try checkDepth(depth)
            switch event {
            case .scalar(let scalar, let anchor):
                return named(anchor, Node(value: scalar.value, text: scalar.text, count: 1, height: 0))
            case .sequenceStart(let anchor): return named(anchor, try sequence(depth: depth))
            case .mappingStart(let anchor): return named(anchor, try mapping(depth: depth))
            default: throw YAMLError(message: "A value is missing, line \(events.line).")
            }
        }

        private mutating func named(_ anchor: String?, _ node: Node) -> Node {
            if let anchor { anchors[anchor] = node }
            return node
        }

        private func checkDepth(_ depth: Int) throws(YAMLError) {
            guard depth <= depthMax else {
                throw YAMLError.tooDeep(line: events.line)
            }
        }

        private mutating func alias(_ name: String, depth: Int) throws(YAMLError) -> Node {
            guard let node = anchors[name] else {
                throw YAMLError(
                    message: "The alias \"\(name.prefix(80))\" has no anchor before it, line \(events.line)."
                )
            }
            aliases += 1
            aliased += node.count
            guard aliases <= aliasesMax else {
                throw YAMLError(message: "There are more than \(aliasesMax) aliases.")
            }
            guard aliased <= aliasedValuesMax else {
                throw YAMLError(
                    message: "The aliases stand for more than \(aliasedValuesMax) values, line \(events.line)."
                )
            }
            try checkDepth(depth + node.height)
            return node
        }

        private mutating func sequence(depth: Int) throws(YAMLError) -> Node {
            var items: [JSONValue] = []
            var (count, height) = (1, 0)
            while true {
                let event = try events.next()
                if case .sequenceEnd = event { break }
                let item = try node(event, depth: depth + 1)
                items.append(item.value)
                count += item.count
                height = max(height, item.height)
            }
            return Node(value: .array(items), text: nil, count: count, height: height + 1)
        }

        private mutating func mapping(depth: Int) throws(YAMLError) -> Node {
            var members: [(name: String, value: JSONValue)] = []
            var names: Set<String> = []
            var (count, height) = (1, 0)
            while true {
                let event = try events.next()
                if case .mappingEnd = event { break }
                let key = try node(event, depth: depth + 1)
                guard let name = key.text else {
                    throw YAMLError(message: "A name must be a text, line \(events.line).")
                }
                guard names.insert(name).inserted else {
                    throw YAMLError(
                        message: "The name \"\(name.prefix(80))\" appears twice in one mapping, line \(events.line)."
                    )
                }
                let value = try node(try events.next(), depth: depth + 1)
                members.append((name, value.value))
                count += value.count
                height = max(height, value.height)
            }
            return Node(value: .object(JSONObject(members)), text: nil, count: count, height: height + 1)
        }
    }
}
