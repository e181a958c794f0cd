/// Who a request of an ordinary door comes from, as the door's middleware found.
package struct Caller: Sendable, Equatable {
    /// How a caller showed who it is.
    package enum Proof: Sendable, Equatable {
        case none
        /// A bearer token that is nobody's.
        case unknownToken
        /// The installation's own token, which may do everything.
        case managementToken
        /// One of the two tokens of the workspace.
        case workspaceToken
        /// A session of a person, by its cookie; the id is the session's public one.
        case session(id: String)
    }

    /// What a person may be; one person may be several.
    package enum Role: String, Sendable, CaseIterable {
        /// A member of the group administrators, who may do everything.
        case administrator
        /// Members of the workspace.
        case workspaceOwner, workspaceUser
        /// Whoever has an active account.
        case developer
    }

    package let proof: Proof
    /// The name of the person's `users` resource; nil for tokens and for nobody.
    package let user: String?
    package let roles: Set<Role>

    package static let nobody = Caller(proof: .none)

    package init(proof: Proof, user: String? = nil, roles: Set<Role> = []) {
        self.proof = proof
        self.user = user
        self.roles = roles
    }

    /// Whether the caller is a person who is signed in.
    package var isPerson: Bool { user != nil }

    /// What the record of changes calls the caller.
    package var actor: String {
        switch proof {
        case .managementToken: "management token"
        case .workspaceToken: "workspace token"
        case .session: "users/\(user ?? "")"
        case .none, .unknownToken: "system"
        }
    }
}
