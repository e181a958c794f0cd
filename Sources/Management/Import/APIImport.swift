import Policies
import ResourceModel
import Store

/// A PUT of an API that carries a description: API, operations and types are written as it says (contracts/api-management.md 7).
enum APIImport {
    /// Bytes of a description (the contract's bound of inline documents).
    private static let bytesMax = 4 << 20
    private static let formats = [
        "openapi", "openapi-link", "openapi+json", "openapi+json-link", "swagger-json", "swagger-link-json", "wadl-xml",
        "wadl-link-json",
    ]
    /// Members of the body that say how to read, and are kept nowhere.
    private static let ownFields: Set<String> = [
        "format", "value", "translateRequiredQueryParameters", "apiType", "wsdlSelector",
    ]

    /// What a description says.
    struct Result {
        /// Of the API; what the caller says counts more.
        let properties: JSONObject
        /// Whether the description names protocols, or they are only what is usual.
        let saysProtocols: Bool
        /// Whether the description names the upstream as what it is, not as the address of a server that it knows of.
        let saysServiceURL: Bool
        /// What is written with the API.
        let writes: [ResourceWrite]
    }

    /// - Parameters:
    ///   - given: loses the members that say how to read.
    ///   - origin: of an API that is made as a copy: whose operations it begins with.
    /// - Returns: nil where the body brings no description.
    static func take(
        _ id: ResourceID,
        _ given: inout JSONObject,
        _ before: Resource?,
        _ origin: ResourceID?,
        _ context: RuleContext
    ) async throws(APIError) -> Result? {
        guard let format = given["format"]?.string else { return nil }
        guard formats.contains(format) else {
            throw .validation(
                "format",
                "\"\(format.prefix(40))\" cannot be imported; there are \(formats.joined(separator: ", "))."
            )
        }
        let translation = given["translateRequiredQueryParameters"]?.string ?? "template"
        guard ["template", "query"].contains(translation) else {
            throw .validation("translateRequiredQueryParameters", "The value must be template or query.")
        }
        var text = given["value"]?.string ?? ""
        if format.contains("link") { text = try await context.fetch(text, bytesMax) }
        guard !text.isEmpty, text.utf8.count <= bytesMax else {
            throw .validation("value", "The description must have 1 to \(bytesMax) bytes.")
        }
        let imported = try OpenAPIImport.read(
            try document(text, format),
            isSwagger: format.hasPrefix("swagger"),
            takesQueryIntoTemplate: translation == "template"
        )
        given = JSONObject(given.members.filter { !ownFields.contains($0.name) && !$0.value.isNull })
        return Result(
            properties: imported.properties,
            saysProtocols: imported.saysProtocols,
            saysServiceURL: imported.saysServiceURL,
            writes: try await context.reading { store in
                try await writes(id, imported, before == nil ? origin : id, context)
            }
        )
    }

    /// The description as the value that it is, whatever it is written in.
    private static func document(_ text: String, _ format: String) throws(APIError) -> JSONValue {
        if format.hasPrefix("wadl") { return try WADLDocument.read(text) }
        do { return try JSONValue(parsing: text) } catch {
            // The names of the others say JSON, but the document may as well be written in YAML; what begins as JSON is not.
            guard !format.hasPrefix("openapi+json"), text.first(where: { !$0.isWhitespace }) != "{" else {
                throw .validation("value", "The description is not valid JSON: \(error.description)")
            }
        }
        return try YAMLDocument.read(text)
    }

    /// - Parameter origin: whose operations the API has so far, its own or those of what it is a copy of; nil for none.
    private static func writes(
        _ api: ResourceID,
        _ imported: ImportedAPI,
        _ origin: ResourceID?,
        _ context: RuleContext
    ) async throws -> [ResourceWrite] {
        let store = context.store
        var writes: [ResourceWrite] = []
        var known: [Resource] = []
        if let origin {
            let query = ResourceQuery(parent: origin, type: "operations", limit: OpenAPIImport.operationsMax)
            known = try await store.list(query)
        }
        let knownByName = Dictionary(known.map { ($0.id.name.lowercased(), $0) }) { first, _ in first }
        let wanted = Set(imported.operations.map { $0.id.lowercased() })
        let gone = known.filter { !wanted.contains($0.id.name.lowercased()) }
        // What is gone gives its policies to an operation of another name that is called the same way.
        var policies: [String: (document: Resource, operation: Resource)] = [:]
        for operation in gone {
            if let document = try await store.get(operation.id.child("policies", "policy")) {
                policies[call(operation.properties)] = (document, operation)
            }
            writes.append(ResourceWrite(api.child("operations", operation.id.name), .delete))
        }
        var surroundings: PolicySurroundings?
        for operation in imported.operations {
            let id = api.child("operations", operation.id)
            let properties = try checked(operation, id)
            writes.append(ResourceType.operation.write(id, properties))
            if let before = knownByName[operation.id.lowercased()] {
                try await OperationRules.checkDocument(
                    of: before.id,
                    before: before.properties,
                    after: properties,
                    context,
                    &surroundings
                )
            } else if let (policy, before) = policies[call(properties)] {
                try await OperationRules.checkDocument(
                    of: before.id,
                    before: before.properties,
                    after: properties,
                    context,
                    &surroundings
                )
                let index = PolicyRules.references(policy.properties)
                writes.append(
                    ResourceWrite(
                        id.child("policies", "policy"),
                        .put(properties: policy.properties, index: index, secrets: [])
                    )
                )
            }
        }
        if imported.schema == nil, origin != nil {
            writes.append(ResourceWrite(api.child("schemas", OpenAPIImport.schemaID), .delete))
        }
        if let schema = imported.schema {
            writes.append(ResourceType.apiSchema.write(api.child("schemas", schema.id), schema.properties))
        }
        return writes
    }

    /// How an operation is called: what two of them must share to be one under two names.
    private static func call(_ properties: JSONObject) -> String {
        "\(properties["method"]?.string ?? "") \(properties["urlTemplate"]?.string ?? "")"
    }

    /// An operation by the rules that hold for those that are put singly.
    private static func checked(
        _ operation: ImportedAPI.Operation,
        _ id: ResourceID
    ) throws(APIError) -> JSONObject {
        do throws(APIError) {
            let properties = try PropertyRule.apply(
                ResourceType.operation.properties,
                to: operation.properties,
                before: nil
            )
            var draft = ResourceDraft(id: id, properties: properties, before: nil, secrets: [:])
            try OperationRules.check(&draft)
            return draft.properties
        } catch {
            let said = error.details.map { "\($0.target ?? ""): \($0.message)" }.joined(separator: " ")
            throw .validation("value", "The operation \(operation.id) cannot be imported: \(said)")
        }
    }
}
