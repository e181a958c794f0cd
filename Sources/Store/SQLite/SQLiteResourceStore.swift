import Foundation
import GRDB
package import ResourceModel

/// Resources in one SQLite file.
package final class SQLiteResourceStore: ResourceStore {
    /// Changes that readers may still ask for; a reader further behind reads everything anew.
    private static let changesKept = 200_000

    package let file: SQLiteFile

    package init(path: String) throws {
        file = try SQLiteFile(path: path, migrations: SQLiteResourceStore.migrations)
    }

    private static let migrations = [
        SQLiteFile.Migration(
            """
            CREATE TABLE resources (
                key TEXT NOT NULL PRIMARY KEY,
                id TEXT NOT NULL,
                parent TEXT NOT NULL,
                word TEXT NOT NULL,
                type TEXT NOT NULL,
                etag TEXT NOT NULL,
                sequence INTEGER NOT NULL,
                ix0 TEXT, ix1 TEXT, ix2 TEXT, ix3 TEXT, ix4 TEXT, ix5 TEXT,
                properties TEXT NOT NULL
            ) STRICT;
            CREATE INDEX resources_list ON resources (parent, word, key);
            CREATE INDEX resources_type ON resources (type, key);
            CREATE INDEX resources_ix0 ON resources (type, ix0);
            CREATE TABLE secrets (
                key TEXT NOT NULL REFERENCES resources (key) ON DELETE CASCADE,
                slot TEXT NOT NULL,
                ciphertext BLOB NOT NULL,
                hash BLOB,
                PRIMARY KEY (key, slot)
            ) STRICT, WITHOUT ROWID;
            CREATE TABLE changes (
                sequence INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
                id TEXT NOT NULL,
                deleted INTEGER NOT NULL
            ) STRICT;
            """
        )
    ]

    // MARK: - Reading

    package func get(_ id: ResourceID) async throws -> Resource? {
        let key = id.key
        return try await file.read { db in
            try Row.fetchOne(
                db,
                sql: "SELECT id, etag, sequence, properties FROM resources WHERE key = ?",
                arguments: [key]
            )
            .map(SQLiteResourceStore.resource)
        }
    }

    package func list(_ query: ResourceQuery) async throws -> [Resource] {
        let (condition, arguments) = SQLiteResourceStore.condition(query, isPaged: true)
        let limit = query.limit
        let offset = query.offset
        return try await file.read { db in
            try Row.fetchAll(
                db,
                sql:
                    "SELECT id, etag, sequence, properties FROM resources WHERE \(condition) ORDER BY key LIMIT \(limit) OFFSET \(offset)",
                arguments: arguments
            ).map(SQLiteResourceStore.resource)
        }
    }

    package func count(_ query: ResourceQuery) async throws -> Int {
        let (condition, arguments) = SQLiteResourceStore.condition(query, isPaged: false)
        return try await file.read { db in
            try Int.fetchOne(db, sql: "SELECT count(*) FROM resources WHERE \(condition)", arguments: arguments) ?? 0
        }
    }

    package func changes(since sequence: Int64, limit: Int) async throws -> [ResourceChange] {
        try await file.read { db in
            try Row.fetchAll(
                db,
                sql: "SELECT sequence, id, deleted FROM changes WHERE sequence > ? ORDER BY sequence LIMIT ?",
                arguments: [sequence, limit]
            ).map { ResourceChange(sequence: $0[0], id: ResourceID($0[1] as String), isDeletion: ($0[2] as Int) != 0) }
        }
    }

    package func lastSequence() async throws -> Int64 {
        try await file.read { db in try Int64.fetchOne(db, sql: "SELECT max(sequence) FROM changes") ?? 0 }
    }

    package func index(type: String) async throws -> [IndexEntry] {
        try await file.read { db in
            var entries: [IndexEntry] = []
            let rows = try Row.fetchCursor(
                db,
                sql: "SELECT id, sequence, ix0, ix1, ix2, ix3, ix4, ix5 FROM resources WHERE type = ? ORDER BY key",
                arguments: [type.lowercased()]
            )
            while let row = try rows.next() { entries.append(SQLiteResourceStore.indexEntry(row)) }
            return entries
        }
    }

    package func indexEntry(_ id: ResourceID) async throws -> IndexEntry? {
        let key = id.key
        return try await file.read { db in
            try Row.fetchOne(
                db,
                sql: "SELECT id, sequence, ix0, ix1, ix2, ix3, ix4, ix5 FROM resources WHERE key = ?",
                arguments: [key]
            ).map(SQLiteResourceStore.indexEntry)
        }
    }

    package func secrets(_ id: ResourceID) async throws -> [String: [UInt8]] {
        let key = id.key
        return try await file.read { db in
            var result: [String: [UInt8]] = [:]
            for row in try Row.fetchAll(db, sql: "SELECT slot, ciphertext FROM secrets WHERE key = ?", arguments: [key])
            {
                result[row[0]] = Array(row[1] as Data)
            }
            return result
        }
    }

    package func keyHashes(type: String) async throws -> [KeyHashEntry] {
        try await file.read { db in
            var entries: [KeyHashEntry] = []
            let rows = try Row.fetchCursor(
                db,
                sql: """
                    SELECT r.id, s.slot, s.hash FROM resources r JOIN secrets s ON s.key = r.key
                    WHERE r.type = ? AND s.hash IS NOT NULL ORDER BY r.key
                    """,
                arguments: [type.lowercased()]
            )
            while let row = try rows.next() { entries.append(SQLiteResourceStore.keyHash(row)) }
            return entries
        }
    }

    package func keyHashes(_ id: ResourceID) async throws -> [KeyHashEntry] {
        let key = id.key
        return try await file.read { db in
            try Row.fetchAll(
                db,
                sql: """
                    SELECT r.id, s.slot, s.hash FROM resources r JOIN secrets s ON s.key = r.key
                    WHERE r.key = ? AND s.hash IS NOT NULL
                    """,
                arguments: [key]
            ).map(SQLiteResourceStore.keyHash)
        }
    }

    private static func resource(_ row: Row) -> Resource {
        let properties = (try? JSONValue(parsing: row[3] as String))?.object ?? JSONObject()
        return Resource(id: ResourceID(row[0] as String), etag: row[1], sequence: row[2], properties: properties)
    }

    private static func indexEntry(_ row: Row) -> IndexEntry {
        IndexEntry(id: ResourceID(row[0] as String), columns: (2..<8).map { row[$0] as String? }, sequence: row[1])
    }

    private static func keyHash(_ row: Row) -> KeyHashEntry {
        KeyHashEntry(id: ResourceID(row[0] as String), slot: row[1], hash: Array(row[2] as Data))
    }

    private static func condition(_ query: ResourceQuery, isPaged: Bool) -> (String, StatementArguments) {
        var terms = ["parent = ?", "word = ?"]
        var arguments: StatementArguments = [query.parent.key, query.type.lowercased()]
        for match in query.matches {
            terms.append("ix\(match.column) = ?")
            arguments += [match.value]
        }
        if let part = query.contains {
            terms.append("(instr(key, ?) > 0 OR instr(lower(ix0), ?) > 0)")
            arguments += [part.lowercased(), part.lowercased()]
        }
        if isPaged, let after = query.after {
            terms.append("key > ?")
            arguments += [after]
        }
        return (terms.joined(separator: " AND "), arguments)
    }

    // MARK: - Writing

    package func apply(_ writes: [ResourceWrite]) async throws -> [Resource] {
        try await file.write { db in
            var results: [Resource] = []
            for write in writes {
                if let resource = try SQLiteResourceStore.apply(write, db) { results.append(resource) }
            }
            return results
        }
    }

    private static func apply(_ write: ResourceWrite, _ db: Database) throws -> Resource? {
        let key = write.id.key
        let before = try Row.fetchOne(db, sql: "SELECT id, etag FROM resources WHERE key = ?", arguments: [key])
        switch write.condition {
        case .none: break
        case .exists: if before == nil { throw StoreError.notFound(write.id) }
        case .absent: if before != nil { throw StoreError.alreadyExists(write.id) }
        case .etag(let etag):
            guard let before else { throw StoreError.notFound(write.id) }
            guard before[1] as String == etag else { throw StoreError.etagMismatch(write.id) }
        }
        for requirement in write.requirements { try check(requirement, write.id, db) }
        switch write.action {
        case .put(let properties, let index, let secrets):
            // A resource keeps the case of its first name.
            let id = before.map { ResourceID($0[0] as String) } ?? write.id
            return try put(id, properties, index, secrets, db)
        case .delete:
            guard before != nil else { return nil }
            try delete(write.id, db)
            return nil
        }
    }

    private static func check(_ requirement: ResourceWrite.Requirement, _ id: ResourceID, _ db: Database) throws {
        switch requirement {
        case .exists(let other):
            let found = try Int.fetchOne(db, sql: "SELECT 1 FROM resources WHERE key = ?", arguments: [other.key])
            if found == nil { throw StoreError.missingReference(other) }
        case .unique(let type, let column, let value, let field):
            let found = try Int.fetchOne(
                db,
                sql: "SELECT 1 FROM resources WHERE type = ? AND ix\(column) = ? AND key <> ? LIMIT 1",
                arguments: [type.lowercased(), value, id.key]
            )
            if found != nil { throw StoreError.notUnique(field: field, value: value) }
        case .noChildren(let words):
            for word in words {
                let found = try Int.fetchOne(
                    db,
                    sql: "SELECT 1 FROM resources WHERE parent = ? AND word = ? LIMIT 1",
                    arguments: [id.key, word]
                )
                if found != nil { throw StoreError.hasChildren(id) }
            }
        }
    }

    private static func put(
        _ id: ResourceID,
        _ properties: JSONObject,
        _ index: [String?],
        _ secrets: [SecretWrite],
        _ db: Database
    ) throws -> Resource {
        let sequence = try note(id, isDeletion: false, db)
        let etag = Data(withUnsafeBytes(of: sequence.bigEndian) { Array($0) }).base64EncodedString()
        var columns = index
        while columns.count < ResourceWrite.indexColumns { columns.append(nil) }
        var arguments: StatementArguments = [
            id.key, id.description, id.parent.key, id.segments.dropLast().last?.lowercased() ?? "",
            id.type.lowercased(),
            etag, sequence,
        ]
        for column in columns { arguments += [column] }
        arguments += [JSONValue.object(properties).text]
        try db.execute(
            sql: """
                INSERT INTO resources (key, id, parent, word, type, etag, sequence, ix0, ix1, ix2, ix3, ix4, ix5, properties)
                VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
                ON CONFLICT (key) DO UPDATE SET etag = excluded.etag, sequence = excluded.sequence, ix0 = excluded.ix0,
                    ix1 = excluded.ix1, ix2 = excluded.ix2, ix3 = excluded.ix3, ix4 = excluded.ix4, ix5 = excluded.ix5,
                    properties = excluded.properties
                """,
            arguments: arguments
        )
        for secret in secrets {
            try db.execute(
                sql: """
                    INSERT INTO secrets (key, slot, ciphertext, hash) VALUES (?, ?, ?, ?)
                    ON CONFLICT (key, slot) DO UPDATE SET ciphertext = excluded.ciphertext, hash = excluded.hash
                    """,
                arguments: [id.key, secret.slot, Data(secret.ciphertext), secret.hash.map { Data($0) }]
            )
        }
        return Resource(id: id, etag: etag, sequence: sequence, properties: properties)
    }

    /// Deletes the resource and all below it, each with its own place in the order of changes.
    private static func delete(_ id: ResourceID, _ db: Database) throws {
        let ids = try String.fetchAll(
            db,
            sql: "SELECT id FROM resources WHERE key = ? OR (key > ? AND key < ?) ORDER BY key DESC",
            arguments: [id.key, id.key + "/", id.key + "0"]
        )
        for text in ids {
            let child = ResourceID(text)
            _ = try note(child, isDeletion: true, db)
            try db.execute(sql: "DELETE FROM resources WHERE key = ?", arguments: [child.key])
        }
    }

    private static func note(_ id: ResourceID, isDeletion: Bool, _ db: Database) throws -> Int64 {
        try db.execute(
            sql: "INSERT INTO changes (id, deleted) VALUES (?, ?)",
            arguments: [id.description, isDeletion ? 1 : 0]
        )
        let sequence = db.lastInsertedRowID
        if sequence % 1000 == 0 {
            try db.execute(sql: "DELETE FROM changes WHERE sequence < ?", arguments: [sequence - Int64(changesKept)])
        }
        return sequence
    }
}
