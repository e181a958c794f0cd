import ResourceModel
import Store

extension ResourceType {
    /// Version sets: how the versions of an API are told apart (contracts/api-management.md 1.3).
    package static let versionSet = ResourceType(
        path: "apiVersionSets",
        properties: [
            .init("displayName", .text(1...100), isRequired: true),
            .init("description", .text(0...1000)),
            .init("versioningScheme", .choice(["Segment", "Query", "Header"]), isRequired: true),
            .init("versionQueryName", .text(1...100)),
            .init("versionHeaderName", .text(1...100)),
        ],
        // 0 display name, 1 scheme, 2 name of the parameter or field.
        index: { properties in
            let scheme = properties["versioningScheme"]?.string
            let name = scheme == "Query" ? "versionQueryName" : "versionHeaderName"
            return [properties["displayName"]?.string, scheme, properties[name]?.string?.lowercased()]
        },
        rules: { draft, _ throws(APIError) in
            let needed: String
            switch draft.properties["versioningScheme"]?.string {
            case "Query": needed = "versionQueryName"
            case "Header": needed = "versionHeaderName"
            default: return
            }
            guard let name = draft.properties[needed]?.string else {
                throw .validation(needed, "The scheme needs the name.")
            }
            guard name.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F && !"\"(),/:;<=>?@[\\]{}&%+".utf8.contains($0) }) else {
                throw .validation(needed, "The name holds a character that it cannot hold.")
            }
        },
        deletionRules: { id, _, store in
            let name = id.name.lowercased()
            let isUsed = try await store.index(type: "apis").contains { entry in
                entry.columns[0]?.split(separator: "\t").dropFirst().first.map(String.init) == name
            }
            guard !isUsed else {
                throw APIError.validation("id", "APIs of the version set are there; delete them first.")
            }
        }
    )
}
