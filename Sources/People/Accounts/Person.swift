package import HTTPServing
package import ResourceModel

/// Somebody with an account: a `users` resource, as it is at this moment.
package struct Person: Sendable {
    /// The resource's name, as `1`.
    package let name: String
    package let email: String
    package let firstName: String
    package let lastName: String
    /// `active`, `blocked`, `pending` (invited, without a password yet) or `deleted`.
    package let state: String
    package let roles: Set<Caller.Role>
    /// A digest that ends sessions when it changes: of the stored password hash, and of when the account was made.
    package let passwordMark: [UInt8]

    package var isActive: Bool { state == "active" }

    /// Whether the person was invited and has not chosen a password yet.
    package var isInvited: Bool { state == "pending" }

    package var resource: ResourceID { ResourceID(["users", name]) }

    /// What the record of changes calls the person.
    package var actor: String { "users/\(name)" }
}
