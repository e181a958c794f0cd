package import Policies
package import ResourceModel

/// The answers that an operation's description holds.
package enum OperationSamples {
    /// Characters of one sample.
    private static let bodyMax = 1 << 20

    /// By status, in the order in which they are written; an answer without a representation is one without a body.
    ///
    /// - Parameter schemas: the documents of the API's schemas, by name in lower case.
    package static func read(_ operation: JSONObject, schemas: [String: JSONValue] = [:]) -> [PolicyFacts.Sample] {
        var samples: [PolicyFacts.Sample] = []
        for answer in operation["responses"]?.array ?? [] {
            guard let status = answer["statusCode"]?.int else { continue }
            for representation in answer["representations"]?.array ?? [] {
                samples.append(
                    PolicyFacts.Sample(
                        status: status,
                        contentType: fieldText(representation["contentType"]?.string) ?? "application/json",
                        body: body(representation, schemas)
                    )
                )
            }
        }
        return samples
    }

    /// The first example, or the sample of earlier versions of the contract; else one that is made by the schema.
    private static func body(_ representation: JSONValue, _ schemas: [String: JSONValue]) -> String? {
        let example = representation["examples"]?.object?.members.first?.value
        let value = example?["value"] ?? representation["sample"] ?? made(representation, schemas)
        guard let value, !value.isNull else { return nil }
        let text = value.string ?? value.text
        return text.utf8.count <= bodyMax ? text : nil
    }

    /// An example by the type that a representation names, where it is JSON.
    private static func made(_ representation: JSONValue, _ schemas: [String: JSONValue]) -> JSONValue? {
        guard SchemaRules.isJSON(representation["contentType"]?.string ?? "application/json"),
            let document = (representation["schemaId"]?.string?.lowercased()).flatMap({ schemas[$0] })
        else { return nil }
        guard let name = representation["typeName"]?.string else { return SchemaSample.of(document) }
        return SchemaSample.of(name, in: document)
    }

    /// nil where it cannot stand in a header.
    private static func fieldText(_ text: String?) -> String? {
        guard let text, !text.isEmpty, text.utf8.allSatisfy({ $0 >= 0x20 && $0 < 0x7F }) else { return nil }
        return text
    }
}
