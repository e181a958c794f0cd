import ResourceModel

extension ResourceType {
    /// Schemas of an API: the types that its representations name (contracts/api-management.md 1.4).
    package static let apiSchema = ResourceType(
        path: "apis/schemas",
        properties: [
            .init("contentType", .text(1...256), isRequired: true),
            .init(
                "document",
                .object([.init("value", .any), .init("definitions", .any), .init("components", .any)]),
                isRequired: true
            ),
        ],
        // 0 content type.
        index: { [$0["contentType"]?.string] },
        rules: { draft, _ throws(APIError) in try SchemaRules.check(draft) }
    )
}

enum SchemaRules {
    /// Content types whose documents are JSON, by the ends that they have.
    private static let jsonEnds = ["json"]

    static func check(_ draft: ResourceDraft) throws(APIError) {
        guard let document = draft.properties["document"]?.object, !document.isEmpty else {
            throw .validation("document", "The document must hold a value, definitions or components.")
        }
        guard isJSON(draft.properties["contentType"]?.string ?? ""), let text = document["value"]?.string else {
            return
        }
        do { _ = try JSONValue(parsing: text) } catch {
            throw .validation("document", "The value is no JSON: \(error.message)")
        }
    }

    /// The content type of a schema resource that holds the types of a whole description.
    static func contentType(isSwagger: Bool) -> String {
        isSwagger
            ? "application/vnd.ms-azure-apim.swagger.definitions+json" : "application/vnd.oai.openapi.components+json"
    }

    /// The types of a schema resource's document by name: those of a description, or what else the document holds.
    static func types(_ document: JSONValue) -> JSONObject {
        var document = document
        if let text = document["value"]?.string, let parsed = try? JSONValue(parsing: text) {
            document = parsed
        } else if let value = document["value"], value.object != nil {
            document = value
        }
        return document["components"]?["schemas"]?.object ?? document["definitions"]?.object
            ?? document["$defs"]?.object ?? document.object ?? JSONObject()
    }

    static func isJSON(_ contentType: String) -> Bool {
        let bare = contentType.lowercased().prefix { $0 != ";" }
        return jsonEnds.contains { bare.hasSuffix($0) || bare.hasSuffix($0 + " ") }
    }
}
