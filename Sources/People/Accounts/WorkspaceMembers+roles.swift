import ResourceModel
import Store

// What faces ask, which know nothing of how roles are stored.
extension WorkspaceMember {
    package var isOwner: Bool { role == .owner }
}

extension WorkspaceMembers {
    /// The code of the refusal that keeps the last owner.
    package static let lastOwnerCode = WorkspaceMembership.lastOwner.code

    /// Takes somebody in who has an account.
    ///
    /// - Throws: `FormRefusal` with `email` for nobody, or for somebody who is a member already; `APIError` where there are too many.
    package func add(email: String, isOwner: Bool) async throws {
        guard let person = try await people.person(email: email) else { throw FormRefusal("email", .emailUnknown) }
        try await add(person, isOwner ? .owner : .user)
    }

    /// - Throws: `APIError` 409 for the last owner, 404 for nobody.
    package func setRole(of user: String, isOwner: Bool) async throws {
        try await setRole(of: user, isOwner ? .owner : .user)
    }
}
