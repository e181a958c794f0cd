import Crypto
import Foundation
import HTTPServing
package import ResourceModel
package import Store

/// Looks people up where the configuration is, at each request, so that whoever is blocked or removed is out with the next one.
package struct PeopleDirectory: Sendable {
    static let passwordSlot = "password"

    let store: any ResourceStore
    private let box: SecretBox
    private let workspace: ResourceID

    /// - Parameter workspace: whose members have roles.
    package init(store: any ResourceStore, box: SecretBox, workspace: ResourceID) {
        self.store = store
        self.box = box
        self.workspace = workspace
    }

    package func person(named name: String) async throws -> Person? {
        guard let user = try await store.get(ResourceID(["users", name])) else { return nil }
        let isActive = Self.state(user) == "active"
        return Self.person(
            user,
            roles: isActive ? try await roles(of: user.id.name) : [],
            mark: Self.mark(try await passwordHash(of: name), user)
        )
    }

    /// A person for lists, with one read: without roles, and with a mark that fits no session and no code.
    func listed(named name: String) async throws -> Person? {
        try await store.get(ResourceID(["users", name])).map { Self.person($0, roles: [], mark: []) }
    }

    private static func person(_ user: Resource, roles: Set<Caller.Role>, mark: [UInt8]) -> Person {
        Person(
            name: user.id.name,
            email: user.properties["email"]?.string ?? "",
            firstName: user.properties["firstName"]?.string ?? "",
            lastName: user.properties["lastName"]?.string ?? "",
            state: state(user),
            roles: roles,
            passwordMark: mark
        )
    }

    /// Whoever wrote the resource without a state is active by the type's default.
    private static func state(_ user: Resource) -> String { user.properties["state"]?.string ?? "active" }

    /// Another password has another mark, and so has another account of the same name.
    private static func mark(_ hash: String?, _ user: Resource) -> [UInt8] {
        let text = "\(hash ?? "")\n\(user.properties["registrationDate"]?.string ?? "")"
        return Array(SHA256.hash(data: Data(text.utf8)))
    }

    /// - Parameter email: in any case.
    package func person(email: String) async throws -> Person? {
        guard let entry = try await store.find(type: "users", value: email.lowercased()).first else { return nil }
        return try await person(named: entry.id.name)
    }

    /// What `PasswordHash` made of the person's password; nil where there is none.
    package func passwordHash(of name: String) async throws -> String? {
        let id = ResourceID(["users", name])
        return try await store.secrets(id)[Self.passwordSlot].map {
            try box.open($0, key: id.key, slot: Self.passwordSlot)
        }
    }

    private func roles(of name: String) async throws -> Set<Caller.Role> {
        var roles: Set<Caller.Role> = [.developer]
        if try await store.indexEntry(ResourceID(["groups", "administrators", "users", name])) != nil {
            roles.insert(.administrator)
        }
        let member = try await store.indexEntry(WorkspaceMembership.id(name, in: workspace))
        switch member.flatMap(WorkspaceMembership.role) {
        case .owner: roles.insert(.workspaceOwner)
        case .user: roles.insert(.workspaceUser)
        case nil: break
        }
        return roles
    }
}
