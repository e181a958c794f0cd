import Crypto
import CryptoExtras
import Foundation
import ResourceModel

/// Passwords at rest: scrypt (RFC 7914) with a salt of their own.
package enum PasswordHash {
    /// What a hash costs whoever makes it, and whoever guesses.
    private struct Cost {
        /// N: a power of two; memory and time grow with it.
        let rounds: Int
        /// r: a block has 128 times so many bytes.
        let blockSize: Int
        /// p: lanes one after another.
        let parallelism: Int

        /// Of new passwords: 16 MiB and some 50 ms, of which a core makes twenty a second.
        static let current = Cost(rounds: 1 << 14, blockSize: 8, parallelism: 1)

        /// Of stored ones: up to eight times the memory and time of today's, so that no row of a database stops the server.
        var isBearable: Bool {
            (1 << 10...1 << 17).contains(rounds) && rounds & (rounds - 1) == 0 && (1...16).contains(blockSize)
                && rounds * blockSize <= 8 * Cost.current.rounds * Cost.current.blockSize
        }
    }

    private static let keyBytes = 32
    private static let saltBytes = 16

    package static func make(_ password: String) throws -> String {
        let salt = Identifier.randomBytes(saltBytes)
        return text(.current, salt, try derive(password, salt, .current))
    }

    /// A hash of no password, which takes as long to judge as any other.
    package static func ofNobody() -> String {
        text(.current, Identifier.randomBytes(saltBytes), Identifier.randomBytes(keyBytes))
    }

    /// Whether a password is the one that was hashed, at the cost that it was hashed with.
    package static func verify(_ password: String, _ stored: String) -> Bool {
        let parts = stored.split(separator: "$").map(String.init)
        guard parts.count == 5, parts[0] == "scrypt", let rounds = Int(parts[1]), let blockSize = Int(parts[2]),
            let salt = Data(base64Encoded: parts[3]), let expected = Data(base64Encoded: parts[4])
        else { return false }
        let cost = Cost(rounds: rounds, blockSize: blockSize, parallelism: 1)
        guard cost.isBearable, expected.count == keyBytes, let key = try? derive(password, Array(salt), cost) else {
            return false
        }
        return ConstantTime.equal(key, Array(expected))
    }

    private static func text(_ cost: Cost, _ salt: [UInt8], _ key: [UInt8]) -> String {
        let words = [salt, key].map { Data($0).base64EncodedString() }
        return "scrypt$\(cost.rounds)$\(cost.blockSize)$\(words[0])$\(words[1])"
    }

    private static func derive(_ password: String, _ salt: [UInt8], _ cost: Cost) throws -> [UInt8] {
        let key = try KDF.Scrypt.deriveKey(
            from: Data(password.utf8),
            salt: Data(salt),
            outputByteCount: keyBytes,
            rounds: cost.rounds,
            blockSize: cost.blockSize,
            parallelism: cost.parallelism
        )
        return key.withUnsafeBytes { Array($0) }
    }
}
