import ResourceModel
import Store

extension ResourceType {
    /// Groups: who sees which product (contracts/api-management.md 1.2, 1.6).
    package static let group = ResourceType(
        path: "groups",
        nameRule: .free,
        properties: [
            .init("displayName", .text(1...300), isRequired: true),
            .init("description", .text(0...1000)),
            .init("type", .choice(["custom", "system", "external"]), default: "custom"),
            .init("externalId", .text(1...300)),
            .init("builtIn", .bool, isReadOnly: true),
        ],
        // 0 display name.
        index: { [$0["displayName"]?.string] },
        rules: { draft, _ throws(APIError) in
            guard draft.before?.properties["builtIn"]?.bool != true else {
                throw .validation("id", "A system group cannot be changed.")
            }
            guard draft.properties["type"]?.string != "system" else {
                throw .validation("type", "System groups are built in; a group is custom or external.")
            }
            guard draft.properties["type"]?.string != "external" || draft.properties["externalId"] != nil else {
                throw .validation("externalId", "An external group needs its id in the directory.")
            }
        },
        dependents: { id, store in try await LinkRules.links(to: id, store) },
        deletionRules: { id, _, store in
            guard try await store.get(id)?.properties["builtIn"]?.bool != true else {
                throw APIError.validation("id", "A system group cannot be deleted.")
            }
        },
        builtIn: [
            system(
                "administrators",
                "Administrators",
                "Administrators is a built-in group containing the admin email account provided at the time of service creation. "
                    + "Its membership is managed by the system."
            ),
            system(
                GroupRules.developers,
                "Developers",
                "Developers is a built-in group. Its membership is managed by the system. Signed-in users fall into this group."
            ),
            system(
                "guests",
                "Guests",
                "Guests is a built-in group. Its membership is managed by the system. "
                    + "Unauthenticated users visiting the developer portal fall into this group."
            ),
        ]
    )

    /// Members of groups.
    package static let groupUser = link("groups/users", to: "users", statuses: .place) { draft throws(APIError) in
        guard !GroupRules.system.contains(draft.id.segments[1].lowercased()) else {
            throw .validation("groupId", "The members of a system group are not for callers to change.")
        }
    }

    private static func system(_ name: String, _ shown: String, _ description: String) -> BuiltIn {
        BuiltIn(
            name,
            ["displayName": .string(shown), "description": .string(description), "type": "system", "builtIn": true]
        )
    }

    /// A type of places of other resources, as an API in a product.
    ///
    /// - Parameter check: what must hold beside that both ends are there.
    static func link(
        _ path: String,
        to target: String,
        nameRule: NameRule = .free,
        statuses: Statuses = Statuses(),
        check: @Sendable @escaping (ResourceDraft) throws(APIError) -> Void = { _ in }
    ) -> ResourceType {
        ResourceType(
            path: path,
            nameRule: nameRule,
            properties: [.init(LinkRules.target, .text(0...300), isReadOnly: true)],
            // 0 the name of what it leads to, in lower case.
            index: { [$0[LinkRules.target]?.string] },
            rules: { draft, _ throws(APIError) in
                try check(draft)
                draft.properties[LinkRules.target] = .string(draft.id.name.lowercased())
                draft.requirements.append(.exists(ResourceID([target, draft.id.name])))
            },
            deletionRules: { id, _, _ in try check(ResourceDraft(id: id, properties: [:], before: nil, secrets: [:])) },
            link: target,
            statuses: statuses
        )
    }
}

enum GroupRules {
    static let developers = "developers"
    static let system: Set<String> = ["administrators", developers, "guests"]

    static func membership(of user: String, in group: String) -> ResourceWrite {
        let properties: JSONObject = [LinkRules.target: .string(user.lowercased())]
        return ResourceType.groupUser.write(ResourceID(["groups", group, "users", user]), properties)
    }
}

enum LinkRules {
    static let target = "target"

    /// All places of a resource elsewhere.
    static func links(to id: ResourceID, _ store: any ResourceStore) async throws -> [ResourceID] {
        var found: [ResourceID] = []
        for type in ResourceTypes.all where type.link == id.type.lowercased() {
            found += try await store.find(type: type.path, value: id.name.lowercased()).map(\.id)
        }
        return found
    }
}
