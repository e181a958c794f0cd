import Foundation
import GRDB
package import ResourceModel

extension SQLiteResourceStore {
    /// Whether a box is the one that a resource's secrets are sealed by; of one without any, each is.
    package func canOpen(_ id: ResourceID, _ box: SecretBox) async throws -> Bool {
        let key = id.key
        return try await file.read { db in
            let sql = "SELECT slot, ciphertext FROM secrets WHERE key = ? LIMIT 1"
            guard let row = try Row.fetchOne(db, sql: sql, arguments: [key]) else { return true }
            return (try? box.open(Array(row[1] as Data), key: key, slot: row[0])) != nil
        }
    }

    /// Seals every secret by another box, and makes the hashes anew that keys are found by; in one transaction.
    ///
    /// What the other box opens already is left as it is, so that a rotation that was cut off can be done again.
    /// - Returns: how many secrets there are.
    package func reseal(from old: SecretBox, to new: SecretBox) async throws -> Int {
        let count = try await file.write { db in
            let rows = try Row.fetchAll(db, sql: "SELECT key, slot, ciphertext, hash IS NOT NULL FROM secrets")
            for row in rows {
                let (key, slot): (String, String) = (row[0], row[1])
                let sealed = Array(row[2] as Data)
                if (try? new.open(sealed, key: key, slot: slot)) != nil { continue }
                let text = try old.open(sealed, key: key, slot: slot)
                let write = try new.secret(text, key: key, slot: slot, isKey: (row[3] as Int) != 0)
                try db.execute(
                    sql: "UPDATE secrets SET ciphertext = ?, hash = ? WHERE key = ? AND slot = ?",
                    arguments: [Data(write.ciphertext), write.hash.map { Data($0) }, key, slot]
                )
            }
            return rows.count
        }
        try await file.compact()
        return count
    }
}

extension SQLiteWorkQueue {
    /// Writes what the payloads hold anew, in one transaction.
    ///
    /// - Parameter change: gives nil for a payload that stays.
    package func rewritePayloads(
        _ change: @Sendable @escaping (_ kind: String, _ payload: JSONValue) throws -> JSONValue?
    ) async throws {
        try await file.write { db in
            for row in try Row.fetchAll(db, sql: "SELECT id, kind, payload FROM work") {
                guard let changed = try change(row[1], try JSONValue(parsing: row[2] as String)) else { continue }
                try db.execute(
                    sql: "UPDATE work SET payload = ? WHERE id = ?",
                    arguments: [changed.text, row[0] as String]
                )
            }
        }
        try await file.compact()
    }
}
