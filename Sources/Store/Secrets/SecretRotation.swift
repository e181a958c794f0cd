import Foundation
import GRDB
package import ResourceModel

extension SQLiteResourceStore {
    /// Whether a box is the one that a resource's secrets are sealed by; of one without any, each is.
    package func canOpen(_ id: ResourceID, _ box: SecretBox) async throws -> Bool {
        let key = id.key
        return try await file.read { db in try Self.canOpen(db, key, box) }
    }

    static func canOpen(_ db: Database, _ key: String, _ box: SecretBox) throws -> Bool {
        let sql = "SELECT slot, ciphertext FROM secrets WHERE key = ? LIMIT 1"
        guard let row = try Row.fetchOne(db, sql: sql, arguments: [key]) else { return true }
        return (try? box.open(Array(row[1] as Data), key: key, slot: row[0])) != nil
    }

    /// Seals every secret by another box, and makes the hashes anew that keys are found by; in one transaction.
    ///
    /// What the other box opens already is left as it is, so that a rotation that was cut off can be done again.
    /// - Returns: how many secrets there are, with documents that hold sealed properties.
    package func reseal(from old: SecretBox, to new: SecretBox) async throws -> Int {
        let sealings = (
            old: DocumentSealing(members: sealing.members, box: old),
            new: DocumentSealing(members: sealing.members, box: new)
        )
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
            let documents = try SQLiteResourceStore.changeDocuments(db, sealings.new) { id, properties in
                if !sealings.new.isPlain(id, properties), (try? sealings.new.opened(id, properties)) != nil {
                    return nil
                }
                return try sealings.new.sealed(id, try sealings.old.opened(id, properties))
            }
            return rows.count + documents.count
        }
        try await file.compact()
        return count
    }

    /// Seals what an earlier program wrote in plain text, once, and writes the file anew so that nothing of it rests there.
    ///
    /// - Returns: how many documents were sealed.
    package func sealDocuments() async throws -> Int {
        let sealing = sealing
        let task = SQLiteResourceStore.sealingTask
        let (count, state) = try await file.write { db -> (Int, String) in
            let known = try String.fetchOne(db, sql: "SELECT state FROM upkeep WHERE task = ?", arguments: [task])
            if let known { return (0, known) }
            let documents = try SQLiteResourceStore.changeDocuments(db, sealing) { id, properties in
                sealing.isPlain(id, properties) ? try sealing.sealed(id, properties) : nil
            }
            // A program that ends before the file is written anew does so at its next start.
            let state = documents.changed == 0 ? "done" : "sealed"
            try db.execute(sql: "INSERT INTO upkeep VALUES (?, ?)", arguments: [task, state])
            return (documents.changed, state)
        }
        guard state != "done" else { return count }
        try await file.compact()
        try await file.write { db in
            try db.execute(sql: "UPDATE upkeep SET state = 'done' WHERE task = ?", arguments: [task])
        }
        return count
    }

    private static let sealingTask = "seal documents"

    /// Changes how documents of the sealed types rest; to their readers they stay what they are.
    ///
    /// - Parameter change: gives nil for a document that stays.
    private static func changeDocuments(
        _ db: Database,
        _ sealing: DocumentSealing,
        _ change: (ResourceID, JSONObject) throws -> JSONObject?
    ) throws -> (count: Int, changed: Int) {
        var (count, changed) = (0, 0)
        for type in sealing.members.keys {
            // Read before anything is written: what a cursor gives while its table changes is not said.
            let keys = try String.fetchAll(db, sql: "SELECT key FROM resources WHERE type = ?", arguments: [type])
            for key in keys {
                let sql = "SELECT id, properties FROM resources WHERE key = ?"
                guard let row = try Row.fetchOne(db, sql: sql, arguments: [key]),
                    let properties = try JSONValue(parsing: row[1] as String).object
                else { continue }
                count += 1
                guard let resting = try change(ResourceID(row[0] as String), properties) else { continue }
                changed += 1
                try db.execute(
                    sql: "UPDATE resources SET properties = ? WHERE key = ?",
                    arguments: [JSONValue.object(resting).text, key]
                )
            }
        }
        return (count, changed)
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
