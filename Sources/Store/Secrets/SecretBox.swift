import Crypto
import Foundation
import ResourceModel

/// Seals secrets at rest, and makes the keyed hashes that keys are found by.
///
/// Both keys are derived from the installation's master key, so that no two installations share either.
package struct SecretBox: Sendable {
    private let sealing: SymmetricKey
    private let lookup: SymmetricKey

    /// - Parameter masterKey: 32 random bytes.
    package init(masterKey: [UInt8]) {
        let master = SymmetricKey(data: masterKey)
        sealing = SecretBox.derive(master, "gatehouse secret box v1")
        lookup = SecretBox.derive(master, "gatehouse key look-up v1")
    }

    private static func derive(_ master: SymmetricKey, _ purpose: String) -> SymmetricKey {
        HKDF<SHA256>.deriveKey(inputKeyMaterial: master, info: Data(purpose.utf8), outputByteCount: 32)
    }

    /// A key of this installation for one further purpose.
    package func key(for purpose: String) -> [UInt8] {
        SecretBox.derive(sealing, purpose).withUnsafeBytes { Array($0) }
    }

    /// AES-256-GCM; the context, as the resource's key and slot, must be the same when it is opened.
    package func seal(_ text: String, context: String) throws -> [UInt8] {
        let box = try AES.GCM.seal(Data(text.utf8), using: sealing, authenticating: Data(context.utf8))
        guard let combined = box.combined else { throw StoreError.notDurable("sealing failed") }
        return Array(combined)
    }

    package func open(_ sealed: [UInt8], context: String) throws -> String {
        let box = try AES.GCM.SealedBox(combined: Data(sealed))
        return String(
            decoding: try AES.GCM.open(box, using: sealing, authenticating: Data(context.utf8)),
            as: UTF8.self
        )
    }

    /// HMAC-SHA256 of a key, for look-up without the key itself.
    package func hash(_ key: UnsafeRawBufferPointer) -> [UInt8] {
        Array(HMAC<SHA256>.authenticationCode(for: key, using: lookup))
    }

    package func hash(_ key: String) -> [UInt8] {
        Array(HMAC<SHA256>.authenticationCode(for: Data(key.utf8), using: lookup))
    }

    /// A secret of a resource, ready to be written.
    ///
    /// - Parameter isKey: whether callers present it, so that it must be found by its hash.
    package func secret(_ text: String, key: String, slot: String, isKey: Bool) throws -> SecretWrite {
        SecretWrite(
            slot: slot,
            ciphertext: try seal(text, context: "\(key)#\(slot)"),
            hash: isKey ? hash(text) : nil
        )
    }

    package func open(_ sealed: [UInt8], key: String, slot: String) throws -> String {
        try open(sealed, context: "\(key)#\(slot)")
    }
}
