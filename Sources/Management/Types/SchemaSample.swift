import ResourceModel

/// The types of a schema resource by name.
struct SchemaTypes {
    private let types: [String: JSONValue]

    /// - Parameter document: of a schema resource: its value, definitions or components.
    init(_ document: JSONValue) {
        let members = SchemaRules.types(document).members
        types = Dictionary(members.map { ($0.name, $0.value) }) { first, _ in first }
    }

    subscript(name: String) -> JSONValue? { types[name] }
}

/// Makes an example of a type that a schema resource describes, by JSON Schema as OpenAPI 2 and 3 use it.
struct SchemaSample {
    /// Types within types: beyond, null stands for what a type that holds itself would go on with.
    private static let depthMax = 12
    /// Values of one example: a schema may name the same large type again and again.
    private static let valuesMax = 5000

    private let types: SchemaTypes
    private let valuesMax: Int
    private var bytesLeft: Int
    private(set) var values = 0

    /// - Parameters:
    ///   - valuesMax: where fewer than usual may be made.
    ///   - bytesMax: of the example, about.
    init(_ types: SchemaTypes, valuesMax: Int, bytesMax: Int) {
        self.types = types
        self.valuesMax = min(Self.valuesMax, valuesMax)
        bytesLeft = bytesMax
    }

    /// An example of a type; nil where the document has no such type.
    mutating func of(_ typeName: String) -> JSONValue? { types[typeName].map { value($0, 0) } }

    /// An example of the document itself, where it is one schema.
    mutating func ofWhole(_ document: JSONValue) -> JSONValue? {
        var schema = document["value"] ?? document
        if let text = schema.string, let parsed = try? JSONValue(parsing: text) { schema = parsed }
        guard schema["type"] != nil || schema["properties"] != nil || schema["$ref"] != nil else { return nil }
        return value(schema, 0)
    }

    private mutating func value(_ schema: JSONValue, _ depth: Int) -> JSONValue {
        values += 1
        guard depth < SchemaSample.depthMax, values < valuesMax, bytesLeft > 0 else { return .null }
        for word in ["example", "const", "default"] {
            if let given = schema[word] { return taken(given) }
        }
        if let given = schema["examples"]?.array?.first ?? schema["enum"]?.array?.first { return taken(given) }
        if let name = schema["$ref"]?.string?.split(separator: "/").last {
            return types[String(name)].map { value($0, depth + 1) } ?? .null
        }
        if let parts = schema["allOf"]?.array { return merged(parts, schema, depth) }
        if let first = (schema["oneOf"] ?? schema["anyOf"])?.array?.first { return value(first, depth + 1) }
        switch type(schema) {
        case "object": return object(schema, depth)
        case "array": return .array(schema["items"].map { [value($0, depth + 1)] } ?? [])
        case "string": return .string(text(schema))
        case "integer": return .int(schema["minimum"]?.int ?? 0)
        case "number": return schema["minimum"].map { taken($0) } ?? .int(0)
        case "boolean": return .bool(true)
        default: return .null
        }
    }

    /// What the schema says itself, as long as there is room for it.
    private mutating func taken(_ given: JSONValue) -> JSONValue {
        let size = given.byteCount(upTo: bytesLeft)
        guard size <= bytesLeft else { return .null }
        bytesLeft -= size
        return given
    }

    /// The type that is said, the first one but null where there are several, or the one that the schema's words mean.
    private func type(_ schema: JSONValue) -> String? {
        if let type = schema["type"]?.string { return type }
        if let types = schema["type"]?.array { return types.compactMap(\.string).first { $0 != "null" } }
        if schema["properties"] != nil || schema["additionalProperties"] != nil { return "object" }
        return schema["items"] == nil ? nil : "array"
    }

    private mutating func object(_ schema: JSONValue, _ depth: Int) -> JSONValue {
        var members: [(name: String, value: JSONValue)] = []
        for (name, property) in schema["properties"]?.object?.members ?? [] where values < valuesMax {
            // What only requests carry is no part of an answer.
            guard property["writeOnly"]?.bool != true else { continue }
            bytesLeft -= name.utf8.count
            guard bytesLeft > 0 else { break }
            members.append((name, value(property, depth + 1)))
        }
        if members.isEmpty, let other = schema["additionalProperties"], other.object != nil {
            members.append(("property", value(other, depth + 1)))
        }
        return .object(JSONObject(members))
    }

    private mutating func merged(_ parts: [JSONValue], _ schema: JSONValue, _ depth: Int) -> JSONValue {
        var members: [(name: String, value: JSONValue)] = []
        for part in parts where values < valuesMax {
            let made = value(part, depth + 1)
            guard let object = made.object else { return made }
            members += object.members
        }
        if schema["properties"] != nil, let own = object(schema, depth).object { members += own.members }
        return .object(JSONObject(members))
    }

    private func text(_ schema: JSONValue) -> String {
        switch schema["format"]?.string {
        case "date": "2000-01-23"
        case "date-time": "2000-01-23T04:56:07Z"
        case "time": "04:56:07Z"
        case "uuid": "00000000-0000-0000-0000-000000000000"
        case "email": "user@example.com"
        case "uri", "url": "https://example.com"
        case "byte": "Z2F0ZWhvdXNl"
        case "ipv4": "192.0.2.1"
        default: "string"
        }
    }
}
