package import Policies
package import ResourceModel

/// The answers that the descriptions of one API's operations hold.
package struct OperationSamples {
    /// Bytes of one sample.
    private static let bodyMax = 1 << 20
    /// Bytes of all samples of an API: types name types, so that a small description could make gigabytes.
    private static let bytesMax = 64 << 20
    /// Values that are made for all of them, which bounds the time that it takes.
    private static let valuesMax = 500_000

    /// The API's schemas by name in lower case.
    private let schemas: [String: JSONValue]
    private var types: [String: SchemaTypes] = [:]
    /// Examples by schema and type: each is made once.
    private var made: [String: String?] = [:]
    private var bytesLeft = bytesMax
    private var valuesLeft = valuesMax

    /// - Parameter schemas: the documents of the API's schemas, by name in lower case.
    package init(schemas: [String: JSONValue]) { self.schemas = schemas }

    /// By status, in the order in which they are written; an answer without a representation is one without a body.
    package mutating func read(_ operation: JSONObject) -> [PolicyFacts.Sample] {
        var samples: [PolicyFacts.Sample] = []
        for answer in operation["responses"]?.array ?? [] {
            guard let status = answer["statusCode"]?.int else { continue }
            for representation in answer["representations"]?.array ?? [] {
                samples.append(
                    PolicyFacts.Sample(
                        status: status,
                        contentType: Self.fieldText(representation["contentType"]?.string) ?? "application/json",
                        body: body(representation)
                    )
                )
            }
        }
        return samples
    }

    /// The first example, or the sample of earlier versions of the contract; else one that is made by the schema.
    private mutating func body(_ representation: JSONValue) -> String? {
        let example = representation["examples"]?.object?.members.first?.value
        guard let value = example?["value"] ?? representation["sample"] else { return made(representation) }
        return value.isNull ? nil : text(value)
    }

    /// A sample as it is sent; nil where it is too long by itself or with the others.
    private mutating func text(_ value: JSONValue) -> String? {
        let limit = min(Self.bodyMax, bytesLeft)
        // Before it is written out; a number may count for eight times what it is.
        let most = 8 * limit
        guard value.string != nil || value.byteCount(upTo: most) <= most else { return nil }
        let text = value.string ?? value.text
        guard text.utf8.count <= limit else { return nil }
        bytesLeft -= text.utf8.count
        return text
    }

    /// An example by the type that a representation names, where it is JSON.
    private mutating func made(_ representation: JSONValue) -> String? {
        guard SchemaRules.isJSON(representation["contentType"]?.string ?? "application/json"),
            let schema = representation["schemaId"]?.string?.lowercased(), let document = schemas[schema]
        else { return nil }
        let name = representation["typeName"]?.string
        let key = "\(schema)/\(name ?? "")"
        if let known = made[key] { return known }
        let known = types[schema] ?? SchemaTypes(document)
        types[schema] = known
        var sample = SchemaSample(known, valuesMax: valuesLeft, bytesMax: min(Self.bodyMax, bytesLeft))
        let example = name.map { sample.of($0) } ?? sample.ofWhole(document)
        valuesLeft -= sample.values
        let result = example.flatMap { $0.isNull ? nil : text($0) }
        made[key] = result
        return result
    }

    /// nil where it cannot stand in a header.
    private static func fieldText(_ text: String?) -> String? {
        guard let text, !text.isEmpty, text.utf8.allSatisfy({ $0 >= 0x20 && $0 < 0x7F }) else { return nil }
        return text
    }
}
