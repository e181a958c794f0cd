import ResourceModel
import Yams

/// YAML as the JSON that it stands for.
enum YAMLDocument {
    /// Values of a document with all its aliases written out: an alias of aliases would grow without end.
    private static let valuesMax = 1_000_000
    private static let depthMax = 64

    /// - Throws: `APIError` naming `value`.
    static func read(_ text: String) throws(APIError) -> JSONValue {
        let node: Node?
        do { node = try Yams.compose(yaml: text) } catch {
            throw .validation(
                "value",
                "The description is neither JSON nor YAML: \(String(describing: error).prefix(300))"
            )
        }
        guard let node else { throw .validation("value", "The description is empty.") }
        var left = valuesMax
        return try value(node, depth: 0, &left)
    }

    private static func value(_ node: Node, depth: Int, _ left: inout Int) throws(APIError) -> JSONValue {
        left -= 1
        guard left > 0, depth < depthMax else {
            throw .validation(
                "value",
                "The description is deeper than \(depthMax) levels or has more than \(valuesMax) values."
            )
        }
        switch node {
        case .mapping(let mapping):
            var members: [(name: String, value: JSONValue)] = []
            for (key, inner) in mapping {
                guard let name = key.scalar?.string else { throw .validation("value", "Names must be texts.") }
                members.append((name, try value(inner, depth: depth + 1, &left)))
            }
            return .object(JSONObject(members))
        case .sequence(let sequence):
            var items: [JSONValue] = []
            for inner in sequence { items.append(try value(inner, depth: depth + 1, &left)) }
            return .array(items)
        case .scalar(let scalar):
            // Only bare words may be something other than texts.
            guard scalar.style == .plain || scalar.style == .any else { return .string(scalar.string) }
            // A time of the day or grouped digits are no numbers of YAML 1.2, in which descriptions are written.
            let isNumeric = !scalar.string.contains { $0 == ":" || $0 == "_" }
            if isNumeric, let whole = node.int { return .int(whole) }
            if isNumeric, let number = node.float { return number.isFinite ? .double(number) : .string(scalar.string) }
            if ["", "~", "null", "Null", "NULL"].contains(scalar.string) { return .null }
            if ["true", "True", "TRUE"].contains(scalar.string) { return .bool(true) }
            if ["false", "False", "FALSE"].contains(scalar.string) { return .bool(false) }
            return .string(scalar.string)
        case .alias: throw .validation("value", "The description has an alias to nothing.")
        }
    }
}
