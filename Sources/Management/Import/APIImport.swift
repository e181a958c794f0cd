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

    /// - Returns: the API's properties, and what is written with it.
    static func take(
        _ id: ResourceID,
        _ given: JSONObject,
        _ before: Resource?,
        _ context: RuleContext
    ) async throws(APIError) -> (properties: JSONObject, alongside: [ResourceWrite]) {
        guard let format = given["format"]?.string else { return (given, []) }
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
        var properties = imported.properties
        // What the caller says counts more than what the description says.
        for member in given.members where !ownFields.contains(member.name) && !member.value.isNull {
            properties[member.name] = member.value
        }
        if properties["displayName"] == nil { properties["displayName"] = .string(id.name) }
        do {
            return (properties, try await writes(id, imported, before, context.store))
        } catch {
            throw (error as? APIError)
                ?? APIError.inside
        }
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

    private static func writes(
        _ api: ResourceID,
        _ imported: ImportedAPI,
        _ before: Resource?,
        _ store: any ResourceStore
    ) async throws -> [ResourceWrite] {
        var writes: [ResourceWrite] = []
        var known: [Resource] = []
        if before != nil {
            let query = ResourceQuery(parent: api, type: "operations", limit: OpenAPIImport.operationsMax)
            known = try await store.list(query)
        }
        let wanted = Set(imported.operations.map { $0.id.lowercased() })
        let gone = known.filter { !wanted.contains($0.id.name.lowercased()) }
        // What is gone gives its policies to an operation of another name that is called the same way.
        var policies: [String: Resource] = [:]
        for operation in gone {
            policies[call(operation.properties)] = try await store.get(operation.id.child("policies", "policy"))
            writes.append(ResourceWrite(operation.id, .delete))
        }
        for operation in imported.operations {
            let id = api.child("operations", operation.id)
            let properties = try checked(operation, id)
            writes.append(ResourceType.operation.write(id, properties))
            let isNew = !known.contains { $0.id == id }
            if isNew, let policy = policies[call(properties)] {
                let index = PolicyRules.references(policy.properties)
                writes.append(
                    ResourceWrite(
                        id.child("policies", "policy"),
                        .put(properties: policy.properties, index: index, secrets: [])
                    )
                )
            }
        }
        if imported.schema == nil, before != nil {
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
