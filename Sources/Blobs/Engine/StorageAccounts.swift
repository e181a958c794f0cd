import BlobClient
import Foundation
package import ResourceModel
package import Store
import Synchronization

/// The storage accounts of an installation: each workspace owns one, with two keys.
///
/// Keys rest under the secret box and are held in memory while the process runs, since each request is signed with one.
package final class StorageAccounts: Sendable {
    package struct Account: Sendable {
        package let name: String
        /// Decoded; primary first.
        let keys: [[UInt8]]
        /// The public development account, which answers on loopback only.
        let isDevelopment: Bool
    }

    private let store: any ResourceStore
    private let box: SecretBox
    private let accounts = Mutex<[String: Account]>([:])
    private static let slots = ["key1", "key2"]

    package init(store: any ResourceStore, box: SecretBox) {
        self.store = store
        self.box = box
    }

    /// Loads all accounts, and makes one for each workspace that has none.
    ///
    /// - Parameter withDevelopment: whether the account with the public key is to answer as well.
    package func start(withDevelopment: Bool) async throws {
        for workspace in try await store.index(type: "workspaces") {
            if try await list(workspace.id).isEmpty { try await make(in: workspace.id) }
            for account in try await list(workspace.id) { try await load(account.id) }
        }
        guard withDevelopment, let key = Data(base64Encoded: DevelopmentAccount.key) else { return }
        let account = Account(name: DevelopmentAccount.name, keys: [Array(key)], isDevelopment: true)
        accounts.withLock { $0[account.name] = account }
    }

    /// The names of all workspaces' accounts.
    package func names() async throws -> [String] {
        try await store.index(type: "workspaces/storageAccounts").map(\.id.name)
    }

    /// Those that are held, the development account among them.
    var heldNames: [String] { accounts.withLock { Array($0.keys) } }

    func account(_ name: String) -> Account? { accounts.withLock { $0[name] } }

    /// The account that a name and a key open, wherever a connection string says that it is.
    package func owns(_ name: String, key: [UInt8]) -> Bool {
        guard let account = account(name) else { return false }
        return account.keys.reduce(false) { ConstantTime.equal($1, key) || $0 }
    }

    // MARK: - Management

    package func list(_ workspace: ResourceID) async throws -> [Resource] {
        try await store.list(ResourceQuery(parent: workspace, type: "storageAccounts", limit: 100))
    }

    package func get(_ workspace: ResourceID, _ name: String) async throws -> Resource {
        guard let found = try await store.get(workspace.child("storageAccounts", name)) else {
            throw APIError.notFound("The storage account \"\(name.prefix(64))\" was not found.")
        }
        return found
    }

    /// Both keys in base64, primary first.
    package func keys(_ account: Resource) async throws -> [String] {
        let sealed = try await store.secrets(account.id)
        return try Self.slots.map { slot in
            guard let secret = sealed[slot] else { throw APIError.notFound("The storage account has no \(slot).") }
            return try box.open(secret, key: account.id.key, slot: slot)
        }
    }

    /// Makes a new key in place of one of the two; it is in force when this returns.
    package func regenerate(_ account: Resource, key number: Int) async throws {
        guard (1...2).contains(number) else {
            throw APIError.validation("keyName", "The key to regenerate is key1 or key2.")
        }
        let slot = Self.slots[number - 1]
        let write = ResourceWrite(
            account.id,
            .put(
                properties: account.properties,
                index: [account.id.name],
                secrets: [try box.secret(Self.makeKey(), key: account.id.key, slot: slot, isKey: false)]
            )
        )
        _ = try await store.apply([write])
        try await load(account.id)
    }

    private func make(in workspace: ResourceID) async throws {
        // An account's name is unique in the world of connection strings: letters and digits, 3 to 24.
        let name = "gh" + Identifier.hex32().prefix(20)
        let id = workspace.child("storageAccounts", name)
        let secrets = try Self.slots.map { try box.secret(Self.makeKey(), key: id.key, slot: $0, isKey: false) }
        let properties: JSONObject = ["Name": .string(name), "CreatedDate": .string(Date().formatted(.iso8601))]
        _ = try await store.apply([
            ResourceWrite(id, .put(properties: properties, index: [name], secrets: secrets), condition: .absent)
        ])
    }

    private func load(_ id: ResourceID) async throws {
        guard let resource = try await store.get(id) else { return }
        let keys = try await keys(resource).compactMap { Data(base64Encoded: $0).map { Array($0) } }
        let account = Account(name: id.name, keys: keys, isDevelopment: false)
        accounts.withLock { $0[account.name] = account }
    }

    private static func makeKey() -> String { Data(Identifier.randomBytes(64)).base64EncodedString() }
}
