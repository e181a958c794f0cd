package import ResourceModel

/// Who belongs to a workspace: resources `workspaces/members`, each named as the person's `users` resource.
///
/// It stands beside the store since two rooms hold it together: whoever changes members, and the rules of users who are deleted.
package enum WorkspaceMembership {
    package static let word = "members"
    package static let type = "workspaces/members"

    package enum Role: String, Sendable, CaseIterable {
        case owner, user
    }

    /// The rule that every change keeps.
    package static let lastOwner = APIError(
        status: 409,
        code: "LastOwner",
        message: "Cannot remove all owners from a workspace."
    )

    package static func id(_ user: String, in workspace: ResourceID) -> ResourceID { workspace.child(word, user) }

    /// The role that an entry of the flat columns tells.
    package static func role(_ entry: IndexEntry) -> Role? {
        (entry.columns.first ?? nil).flatMap(Role.init(rawValue:))
    }

    package static func write(_ user: String, _ role: Role, in workspace: ResourceID) -> ResourceWrite {
        ResourceWrite(
            id(user, in: workspace),
            // 0 the role.
            .put(properties: ["Role": .string(role.rawValue)], index: [role.rawValue], secrets: []),
            requirements: [.exists(ResourceID(["users", user]))]
        )
    }

    /// The places of a user in all workspaces.
    package static func all(of user: ResourceID, _ store: any ResourceStore) async throws -> [ResourceID] {
        try await store.index(type: type).map(\.id).filter { $0.name.lowercased() == user.name.lowercased() }
    }

    /// - Throws: `lastOwner` where some workspace has no other owner than this user.
    package static func checkOwners(without user: ResourceID, _ store: any ResourceStore) async throws {
        let owners = try await store.index(type: type).filter { role($0) == .owner }
        let (own, others) = (
            owners.filter { $0.id.name.lowercased() == user.name.lowercased() },
            owners.filter { $0.id.name.lowercased() != user.name.lowercased() }
        )
        let kept = Set(others.map(\.id.parent))
        guard own.allSatisfy({ kept.contains($0.id.parent) }) else { throw lastOwner }
    }
}
