import ResourceModel
import Store

extension ResourceType {
    /// Users: whose subscriptions are whose, and whether their keys are any good (contracts/api-management.md 1.6).
    package static let user = ResourceType(
        path: "users",
        properties: [
            .init("firstName", .text(1...100), isRequired: true),
            .init("lastName", .text(1...100), isRequired: true),
            .init("email", .text(1...254), isRequired: true),
            .init("state", .choice(["active", "blocked", "pending", "deleted"]), default: "active"),
            .init("note", .text(0...10_000)),
            .init("registrationDate", .text(0...40), isReadOnly: true),
        ],
        secrets: [.init(UserRules.password, isKey: false, bytesMax: UserRules.passwordBytesMax)],
        // 0 address in lower case.
        index: { [$0["email"]?.string?.lowercased()] },
        rules: { draft, context throws(APIError) in try await UserRules.check(&draft, context) },
        present: { properties, _ in
            var shown = properties
            if let email = properties["email"] { shown["identities"] = [["provider": "Basic", "id": email]] }
            return shown
        },
        dependents: { id, store in
            try await UserRules.subscriptions(id, store).map(\.id) + LinkRules.links(to: id, store)
                + WorkspaceMembership.all(of: id, store)
        },
        deletionRules: { id, request, store in
            guard id != UserRules.administrator else {
                throw APIError.validation("id", "The administrator cannot be deleted.")
            }
            try await WorkspaceMembership.checkOwners(without: id, store)
            guard !request.takesSubscriptions, try await !UserRules.subscriptions(id, store).isEmpty else { return }
            throw APIError.validation(
                "deleteSubscriptions",
                "The user has subscriptions; delete them first or pass deleteSubscriptions=true."
            )
        },
        // Whoever becomes a member or loses an owner beside it must meet what it leaves.
        deletesAsRead: true,
        actions: UserActions.all,
        statuses: Statuses(delete: 204)
    )
}

enum UserRules {
    static let password = "password"
    /// Longer ones would make the slow hash slower still.
    static let passwordBytesMax = 256
    static let administrator = ResourceID(["users", "1"])

    static func check(_ draft: inout ResourceDraft, _ context: RuleContext) async throws(APIError) {
        let email = draft.properties["email"]?.string ?? ""
        guard isAddress(email) else { throw .validation("email", "The value must be an e-mail address.") }
        draft.requirements.append(.unique(type: "users", column: 0, value: email.lowercased(), field: "email"))
        guard draft.id.key != administrator.key || draft.properties["state"]?.string == "active" else {
            throw .validation("state", "The administrator stays active.")
        }
        if draft.before == nil {
            draft.properties["registrationDate"] = .string(context.now)
            // Whoever signs up is a developer (contracts/api-management.md 1.2).
            draft.alongside.append(GroupRules.membership(of: draft.id.name, in: GroupRules.developers))
        }
        try await checkState(&draft, context)
        guard let text = draft.secrets[password] else { return }
        draft.secrets[password] = try await context.hashPassword(text)
    }

    /// The last owner of a workspace stays active.
    private static func checkState(_ draft: inout ResourceDraft, _ context: RuleContext) async throws(APIError) {
        guard let before = draft.before, (before.properties["state"]?.string ?? "active") == "active",
            draft.properties["state"]?.string != "active"
        else { return }
        do {
            let sequence = try await context.store.lastSequence()
            try await WorkspaceMembership.checkOwners(without: draft.id, context.store)
            draft.requirements.append(.unchanged(since: sequence))
        } catch let error as APIError { throw error } catch { throw .inside }
    }

    /// One `@` with something before and behind it, and nothing that could end a line of a mail.
    static func isAddress(_ text: String) -> Bool {
        let parts = text.split(separator: "@", omittingEmptySubsequences: false)
        return parts.count == 2 && parts.allSatisfy { !$0.isEmpty }
            && text.utf8.allSatisfy { $0 > 0x20 && $0 != 0x7F && $0 != 0x2C && $0 != 0x3B && $0 != 0x3C && $0 != 0x3E }
    }

    static func subscriptions(_ user: ResourceID, _ store: any ResourceStore) async throws -> [IndexEntry] {
        let owner = user.key
        return try await store.index(type: "subscriptions").filter { $0.columns[3]?.lowercased() == owner }
    }
}
