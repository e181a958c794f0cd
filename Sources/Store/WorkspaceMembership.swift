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

    /// Whether a user may sign in: whoever was invited, blocked or deleted does no work as an owner.
    package static func isActive(_ user: String, _ store: any ResourceStore) async throws -> Bool {
        guard let user = try await store.get(ResourceID(["users", user])) else { return false }
        return (user.properties["state"]?.string ?? "active") == "active"
    }

    /// - Throws: `lastOwner` where some workspace has no other active owner than this user.
    package static func checkOwners(without user: ResourceID, _ store: any ResourceStore) async throws {
        let owners = try await store.index(type: type).filter { role($0) == .owner }
        var left = Set(owners.filter { $0.id.name.lowercased() == user.name.lowercased() }.map(\.id.parent))
        for other in owners where left.contains(other.id.parent) && other.id.name.lowercased() != user.name.lowercased()
        {
            if try await isActive(other.id.name, store) { left.remove(other.id.parent) }
        }
        guard left.isEmpty else { throw lastOwner }
    }
}
