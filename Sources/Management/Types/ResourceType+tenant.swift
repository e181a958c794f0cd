import ResourceModel

extension ResourceType {
    /// Access to the direct management API, and to the configuration as files (contracts/api-management.md 4.2).
    package static let tenantAccess = ResourceType(
        path: "tenant",
        nameRule: .oneOf(["access", "gitAccess"]),
        properties: [.init("principalId", .text(0...300)), .init("enabled", .bool, default: false)],
        secrets: [
            .init("primaryKey", isKey: false, bytesMax: 256), .init("secondaryKey", isKey: false, bytesMax: 256),
        ],
        index: { [$0["enabled"]?.bool == true ? "enabled" : nil] },
        rules: { draft, context throws(APIError) in
            if draft.properties["principalId"] == nil {
                draft.properties["principalId"] =
                    draft.before?.properties["principalId"] ?? .string(TenantRules.principal)
            }
            guard draft.properties["enabled"]?.bool == true else { return }
            // Keys are made when the door is opened for the first time.
            for slot in ["primaryKey", "secondaryKey"] where draft.secrets[slot] == nil {
                let known: String?
                do { known = try await context.secret(draft.id, slot) } catch {
                    throw APIError.inside
                }
                if known == nil { draft.secrets[slot] = Identifier.hex32() }
            }
        },
        builtIn: [
            BuiltIn("access", ["principalId": .string(TenantRules.principal), "enabled": false]),
            BuiltIn("gitAccess", ["principalId": "git", "enabled": false]),
        ],
        isClosed: true,
        actions: [
            ResourceAction("listSecrets") { call in
                var document = call.resource.properties
                document["id"] = .string(call.resource.id.name)
                for slot in ["primaryKey", "secondaryKey"] {
                    document[slot] = JSONValue(try await call.service.secret(call.resource.id, slot))
                }
                return .json(.object(document))
            },
            .regenerating("primaryKey", as: "regeneratePrimaryKey"),
            .regenerating("secondaryKey", as: "regenerateSecondaryKey"),
        ]
    )
}

package enum TenantRules {
    /// By which signatures of the direct API name the installation.
    package static let principal = "integration"
}
