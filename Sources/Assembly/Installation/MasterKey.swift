import Foundation
import ResourceModel
import Store
import WebServices

/// The installation's secret, by which all other secrets are sealed at rest.
struct MasterKey {
    private static let name = "master.key"
    /// The one to come, while everything is being sealed by it; it takes the place of the other in the end.
    private static let nextName = "master.key.next"
    private static let length = 32
    /// Whose secret every installation has: the administrator.
    private static let witness = ResourceID(["users", "1"])

    let folder: DataFolder

    /// Judges the keys that are there.
    func check() throws {
        for name in [Self.name, Self.nextName] {
            if let text = try folder.existingSecret(name) { _ = try box(text, name) }
        }
    }

    /// Judges whether the key is the one of the database's secrets, before that is opened.
    func check(against look: DatabaseLook) throws {
        // In the midst of a rotation either of the two is.
        guard let text = try folder.existingSecret(Self.name), try folder.existingSecret(Self.nextName) == nil else {
            return
        }
        guard try look.canOpen(Self.witness, try box(text, Self.name)) else { throw mismatch }
    }

    private var mismatch: InstallationError {
        InstallationError(
            "The master key in \(folder.path)/secrets/\(Self.name) is not the one that the secrets in \(folder.configurationFile) are sealed by: one of the two belongs to another installation."
        )
    }

    /// The box of the key, which is made when there is none; ends a rotation first that was cut off.
    func box(_ resources: SQLiteResourceStore, _ queue: SQLiteWorkQueue) async throws -> SecretBox {
        let text = try folder.secret(Self.name, make: Self.make)
        let box = try self.box(text, Self.name)
        guard let next = try folder.existingSecret(Self.nextName) else {
            guard try await resources.canOpen(Self.witness, box) else {
                throw mismatch
            }
            return box
        }
        return try await reseal(from: box, to: next, resources, queue).box
    }

    /// Makes another key and seals everything by it.
    ///
    /// - Returns: how many secrets were sealed anew.
    func rotate(_ resources: SQLiteResourceStore, _ queue: SQLiteWorkQueue) async throws -> Int {
        let box = try await box(resources, queue)
        let next = Self.make()
        // On the disk before anything is sealed by it.
        try folder.writeSecret(Self.nextName, next)
        return try await reseal(from: box, to: next, resources, queue).count
    }

    private func reseal(
        from old: SecretBox,
        to text: String,
        _ resources: SQLiteResourceStore,
        _ queue: SQLiteWorkQueue
    ) async throws -> (box: SecretBox, count: Int) {
        let new = try box(text, Self.nextName)
        let count = try await resources.reseal(from: old, to: new)
        try await queue.rewritePayloads { kind, payload in
            try BatchBlobs.resealed(kind: kind, payload, from: old, to: new)
        }
        try folder.replaceSecret(Self.name, by: Self.nextName)
        return (new, count)
    }

    private func box(_ text: String, _ name: String) throws -> SecretBox {
        guard let key = Data(base64Encoded: text), key.count == Self.length else {
            throw InstallationError("The master key in \(folder.path)/secrets/\(name) is damaged.")
        }
        return SecretBox(masterKey: Array(key))
    }

    private static func make() -> String { Data(Identifier.randomBytes(length)).base64EncodedString() }
}
