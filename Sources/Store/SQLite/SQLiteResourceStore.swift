import Foundation
import GRDB
package import ResourceModel

/// Resources in one SQLite file.
package final class SQLiteResourceStore: ResourceStore {
    /// Changes that readers may still ask for; a reader further behind reads everything anew.
    private static let changesKept = 200_000

    package let file: SQLiteFile
    let sealing: DocumentSealing

    /// - Parameter sealedMembers: the properties that rest encrypted, by full type in lower case.
    package init(
        path: String,
        sealedMembers: [String: Set<String>] = [:],
        _ surroundings: SQLiteFile.Surroundings = .init()
    ) throws {
        file = try SQLiteFile(path: path, migrations: SQLiteResourceStore.migrations, surroundings: surroundings)
        sealing = DocumentSealing(members: sealedMembers)
    }

    private init(file: SQLiteFile, sealing: DocumentSealing) {
        self.file = file
        self.sealing = sealing
    }

    /// The same store, in which properties are sealed and opened by the installation's secret.
    package func sealing(by box: SecretBox) -> SQLiteResourceStore {
        SQLiteResourceStore(file: file, sealing: DocumentSealing(members: sealing.members, box: box))
    }

    static let migrations = [
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
        ),
        // Lists tell how many there are without counting them; links are found by what they lead to; changes tell who made them.
        SQLiteFile.Migration(
            """
            CREATE TABLE counts (
                parent TEXT NOT NULL,
                word TEXT NOT NULL,
                count INTEGER NOT NULL,
                PRIMARY KEY (parent, word)
            ) STRICT, WITHOUT ROWID;
            INSERT INTO counts SELECT parent, word, count(*) FROM resources GROUP BY parent, word;
            CREATE TRIGGER resources_inserted AFTER INSERT ON resources BEGIN
                INSERT INTO counts VALUES (NEW.parent, NEW.word, 1) ON CONFLICT DO UPDATE SET count = count + 1;
            END;
            CREATE TRIGGER resources_deleted AFTER DELETE ON resources BEGIN
                UPDATE counts SET count = count - 1 WHERE parent = OLD.parent AND word = OLD.word;
                DELETE FROM counts WHERE parent = OLD.parent AND word = OLD.word AND count = 0;
            END;
            UPDATE resources SET ix0 = substr(key, length(parent) + length(word) + 3) WHERE type = 'products/apis';
            CREATE INDEX subscriptions_owner ON resources (ix3, ix1) WHERE type = 'subscriptions';
            CREATE INDEX subscriptions_scope ON resources (ix1) WHERE type = 'subscriptions';
            UPDATE resources SET ix1 = lower(ix1), ix3 = lower(ix3) WHERE type = 'subscriptions';
            ALTER TABLE changes ADD COLUMN time INTEGER NOT NULL DEFAULT 0;
            ALTER TABLE changes ADD COLUMN actor TEXT NOT NULL DEFAULT '';
            """
        ),
        // What is done once to a file that an earlier program wrote.
        SQLiteFile.Migration("CREATE TABLE upkeep (task TEXT NOT NULL PRIMARY KEY, state TEXT NOT NULL) STRICT"),
        SQLiteFile.installationMigration,
    ]

    /// What every request asks: read once by SQLite, not each time.
    private static func row(_ db: Database, _ sql: String, _ arguments: StatementArguments) throws -> Row? {
        try Row.fetchOne(try db.cachedStatement(sql: sql), arguments: arguments)
    }

    private static func run(_ db: Database, _ sql: String, _ arguments: StatementArguments) throws {
        try db.cachedStatement(sql: sql).execute(arguments: arguments)
    }

    // MARK: - Reading

    package func get(_ id: ResourceID) async throws -> Resource? {
        let (key, sealing) = (id.key, sealing)
        return try await file.read { db in
            try SQLiteResourceStore.row(
                db,
                "SELECT id, etag, sequence, properties FROM resources WHERE key = ?",
                [key]
            ).map { try SQLiteResourceStore.resource($0, sealing) }
        }
    }

    package func list(_ query: ResourceQuery) async throws -> [Resource] {
        let condition = SQLiteResourceStore.condition(query, isPaged: true)
        var order = "key"
        if let wanted = query.order {
            order = "\(SQLiteResourceStore.order(wanted, condition)) \(wanted.isDescending ? "DESC" : "ASC"), key"
        }
        let sql = """
            SELECT id, etag, sequence, properties FROM resources WHERE \(condition.terms.joined(separator: " AND "))
            ORDER BY \(order) LIMIT \(query.limit) OFFSET \(query.offset)
            """
        let (arguments, sealing) = (condition.arguments, sealing)
        return try await file.read { db in
            try Row.fetchAll(db, sql: sql, arguments: arguments).map { try SQLiteResourceStore.resource($0, sealing) }
        }
    }

    package func count(_ query: ResourceQuery) async throws -> Int {
        guard query.filter != nil || !query.matches.isEmpty else {
            let (parent, word) = (query.parent.key, query.type.lowercased())
            return try await file.read { db in
                try Int.fetchOne(
                    db,
                    sql: "SELECT count FROM counts WHERE parent = ? AND word = ?",
                    arguments: [parent, word]
                ) ?? 0
            }
        }
        let condition = SQLiteResourceStore.condition(query, isPaged: false)
        let sql = "SELECT count(*) FROM resources WHERE \(condition.terms.joined(separator: " AND "))"
        let arguments = condition.arguments
        return try await file.read { db in try Int.fetchOne(db, sql: sql, arguments: arguments) ?? 0 }
    }

    package func find(type: String, value: String) async throws -> [IndexEntry] {
        try await file.read { db in
            try Row.fetchAll(
                db,
                sql: """
                    SELECT id, sequence, ix0, ix1, ix2, ix3, ix4, ix5 FROM resources WHERE type = ? AND ix0 = ? ORDER BY key
                    """,
                arguments: [type.lowercased(), value]
            ).map(SQLiteResourceStore.indexEntry)
        }
    }

    package func tree(_ id: ResourceID) async throws -> [Resource] {
        let (key, sealing) = (id.key, sealing)
        return try await file.read { db in
            try Row.fetchAll(
                db,
                sql: """
                    SELECT id, etag, sequence, properties FROM resources WHERE key = ? OR (key > ? AND key < ?)
                    ORDER BY length(key), key
                    """,
                arguments: [key, key + "/", key + "0"]
            ).map { try SQLiteResourceStore.resource($0, sealing) }
        }
    }

    package func documents(types: [String]) async throws -> [StoredDocument] {
        let places = types.map { _ in "?" }.joined(separator: ", ")
        let (arguments, sealing) = (StatementArguments(types.map { $0.lowercased() }), sealing)
        return try await file.read { db in
            var documents: [StoredDocument] = []
            let rows = try Row.fetchCursor(
                db,
                sql: """
                    SELECT r.id, r.etag, r.sequence, r.properties,
                        (SELECT group_concat(s.slot, '/') FROM secrets s WHERE s.key = r.key)
                    FROM resources r WHERE r.type IN (\(places))
                    ORDER BY length(r.key) - length(replace(r.key, '/', '')), r.key
                    """,
                arguments: arguments
            )
            while let row = try rows.next() {
                let slots = (row[4] as String? ?? "").split(separator: "/").map(String.init)
                let resource = try SQLiteResourceStore.resource(row, sealing)
                documents.append(StoredDocument(resource: resource, slots: Set(slots)))
            }
            return documents
        }
    }

    package func copy() async throws -> any ResourceStore {
        SQLiteResourceStore(file: try file.copy(), sealing: sealing)
    }

    package func audit(since sequence: Int64, limit: Int) async throws -> [AuditEntry] {
        try await file.read { db in
            try Row.fetchAll(
                db,
                sql:
                    "SELECT sequence, id, deleted, time, actor FROM changes WHERE sequence > ? ORDER BY sequence LIMIT ?",
                arguments: [sequence, limit]
            ).map { row in
                AuditEntry(
                    change: ResourceChange(
                        sequence: row[0],
                        id: ResourceID(row[1] as String),
                        isDeletion: (row[2] as Int) != 0
                    ),
                    time: row[3],
                    actor: row[4]
                )
            }
        }
    }

    package func changes(since sequence: Int64, limit: Int) async throws -> [ResourceChange] {
        try await file.read { db in
            try Row.fetchAll(
                try db.cachedStatement(
                    sql: "SELECT sequence, id, deleted FROM changes WHERE sequence > ? ORDER BY sequence LIMIT ?"
                ),
                arguments: [sequence, limit]
            ).map { ResourceChange(sequence: $0[0], id: ResourceID($0[1] as String), isDeletion: ($0[2] as Int) != 0) }
        }
    }

    package func lastSequence() async throws -> Int64 {
        try await file.read { db in try Int64.fetchOne(db, sql: "SELECT max(sequence) FROM changes") ?? 0 }
    }

    package func index(type: String) async throws -> [IndexEntry] {
        try await index("type = ?", [type.lowercased()])
    }

    package func index(type: String, parent: ResourceID) async throws -> [IndexEntry] {
        try await index("parent = ? AND word = ?", [parent.key, type.lowercased()])
    }

    private func index(_ condition: String, _ arguments: StatementArguments) async throws -> [IndexEntry] {
        try await file.read { db in
            var entries: [IndexEntry] = []
            let rows = try Row.fetchCursor(
                db,
                sql: "SELECT id, sequence, ix0, ix1, ix2, ix3, ix4, ix5 FROM resources WHERE \(condition) ORDER BY key",
                arguments: arguments
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

    private static func resource(_ row: Row, _ sealing: DocumentSealing) throws -> Resource {
        let id = ResourceID(row[0] as String)
        let properties = (try? JSONValue(parsing: row[3] as String))?.object ?? JSONObject()
        return Resource(id: id, etag: row[1], sequence: row[2], properties: try sealing.opened(id, properties))
    }

    private static func indexEntry(_ row: Row) -> IndexEntry {
        IndexEntry(id: ResourceID(row[0] as String), columns: (2..<8).map { row[$0] as String? }, sequence: row[1])
    }

    private static func keyHash(_ row: Row) -> KeyHashEntry {
        KeyHashEntry(id: ResourceID(row[0] as String), slot: row[1], hash: Array(row[2] as Data))
    }

    private static func condition(_ query: ResourceQuery, isPaged: Bool) -> SQLiteFilter {
        var filter = SQLiteFilter(query)
        filter.add("parent = ? AND word = ?", [query.parent.key, query.type.lowercased()])
        // For indexes of one type alone.
        if query.parent == .service, !query.matches.isEmpty {
            filter.add("type = '\(query.type.lowercased().filter(\.isLetter))'", [])
        }
        for match in query.matches { filter.add("ix\(match.column) = ?", [match.value]) }
        if let wanted = query.filter { filter.add(wanted) }
        guard isPaged, let after = query.after else { return filter }
        guard let order = query.order else {
            filter.add("key > ?", [after.key])
            return filter
        }
        let column = SQLiteResourceStore.order(order, filter)
        filter.add(
            "(\(column) \(order.isDescending ? "<" : ">") ? OR \(column) = ? AND key > ?)",
            [after.value, after.value, after.key]
        )
        return filter
    }

    /// What a row is ordered by, as a text: whole numbers stand as far right as they have digits.
    private static func order(_ order: ResourceQuery.Order, _ filter: SQLiteFilter) -> String {
        let value = filter.expression(order.field)
        return
            "CASE typeof(\(value)) WHEN 'integer' THEN printf('%020d', \(value)) ELSE coalesce(lower(\(value)), '') END"
    }

    /// What a resource is ordered by, as the order's own text.
    package func orderValue(_ query: ResourceQuery, _ id: ResourceID) async throws -> String {
        guard let order = query.order else { return "" }
        let sql = "SELECT \(SQLiteResourceStore.order(order, SQLiteFilter(query))) FROM resources WHERE key = ?"
        let key = id.key
        return try await file.read { db in try String.fetchOne(db, sql: sql, arguments: [key]) ?? "" }
    }

    // MARK: - Writing

    package func apply(_ writes: [ResourceWrite]) async throws -> [Resource] {
        let (mark, sealing) = (ChangeMark(actor: ChangeActor.current), sealing)
        return try await file.write { db in
            var results: [Resource] = []
            for write in writes {
                if let resource = try SQLiteResourceStore.apply(write, mark, sealing, db) { results.append(resource) }
            }
            return results
        }
    }

    /// Who changes something, and when.
    private struct ChangeMark: Sendable {
        let actor: String
        let time = Int64(Date().timeIntervalSince1970 * 1000)
    }

    private static func apply(
        _ write: ResourceWrite,
        _ mark: ChangeMark,
        _ sealing: DocumentSealing,
        _ db: Database
    ) throws -> Resource? {
        let key = write.id.key
        let before = try row(db, "SELECT id, etag FROM resources WHERE key = ?", [key])
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
            let resting = try sealing.sealed(id, properties)
            let (etag, sequence) = try put(id, resting, index, secrets, mark, db)
            return Resource(id: id, etag: etag, sequence: sequence, properties: properties)
        case .delete:
            guard before != nil else { return nil }
            try delete(write.id, mark, db)
            return nil
        }
    }

    private static func check(_ requirement: ResourceWrite.Requirement, _ id: ResourceID, _ db: Database) throws {
        switch requirement {
        case .exists(let other):
            let found = try row(db, "SELECT 1 FROM resources WHERE key = ?", [other.key])
            if found == nil { throw StoreError.missingReference(other) }
        case .unchanged(let sequence):
            let last = try Int64.fetchOne(db, sql: "SELECT max(sequence) FROM changes") ?? 0
            if last != sequence { throw StoreError.etagMismatch(id) }
        case .unique(let type, let column, let value, let field, let besides):
            let found = try row(
                db,
                """
                SELECT 1 FROM resources WHERE type = ? AND ix\(column) = ? AND key <> ?
                    AND (?4 IS NULL OR substr(key, 1, length(?4)) <> ?4) LIMIT 1
                """,
                [type.lowercased(), value, id.key, besides]
            )
            if found != nil { throw StoreError.notUnique(field: field, value: value) }
        case .fewer(let max, let type, let matches, let field):
            // The type stands in the text, so that an index of this type alone may serve; it comes from a declaration.
            var terms = ["type = '\(type.lowercased())'", "key <> ?"]
            var arguments: StatementArguments = [id.key]
            for match in matches {
                terms.append("ix\(match.column) IN (\(match.values.map { _ in "?" }.joined(separator: ", ")))")
                arguments += StatementArguments(match.values)
            }
            let sql = "SELECT count(*) FROM resources WHERE \(terms.joined(separator: " AND "))"
            guard try Int.fetchOne(db, sql: sql, arguments: arguments) ?? 0 < max else {
                throw StoreError.tooMany(field: field, max: max)
            }
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
        _ mark: ChangeMark,
        _ db: Database
    ) throws -> (etag: String, sequence: Int64) {
        let sequence = try note(id, isDeletion: false, mark, db)
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
        try run(
            db,
            """
                INSERT INTO resources (key, id, parent, word, type, etag, sequence, ix0, ix1, ix2, ix3, ix4, ix5, properties)
                VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
                ON CONFLICT (key) DO UPDATE SET etag = excluded.etag, sequence = excluded.sequence, ix0 = excluded.ix0,
                    ix1 = excluded.ix1, ix2 = excluded.ix2, ix3 = excluded.ix3, ix4 = excluded.ix4, ix5 = excluded.ix5,
                    properties = excluded.properties
            """,
            arguments
        )
        for secret in secrets {
            try run(
                db,
                """
                INSERT INTO secrets (key, slot, ciphertext, hash) VALUES (?, ?, ?, ?)
                ON CONFLICT (key, slot) DO UPDATE SET ciphertext = excluded.ciphertext, hash = excluded.hash
                """,
                [id.key, secret.slot, Data(secret.ciphertext), secret.hash.map { Data($0) }]
            )
        }
        return (etag, sequence)
    }

    /// Deletes the resource and all below it, each with its own place in the order of changes.
    private static func delete(_ id: ResourceID, _ mark: ChangeMark, _ db: Database) throws {
        let ids = try String.fetchAll(
            db,
            sql: "SELECT id FROM resources WHERE key = ? OR (key > ? AND key < ?) ORDER BY key DESC",
            arguments: [id.key, id.key + "/", id.key + "0"]
        )
        for text in ids {
            let child = ResourceID(text)
            _ = try note(child, isDeletion: true, mark, db)
            try run(db, "DELETE FROM resources WHERE key = ?", [child.key])
        }
    }

    private static func note(
        _ id: ResourceID,
        isDeletion: Bool,
        _ mark: ChangeMark,
        _ db: Database
    ) throws -> Int64 {
        try run(
            db,
            "INSERT INTO changes (id, deleted, time, actor) VALUES (?, ?, ?, ?)",
            [id.description, isDeletion ? 1 : 0, mark.time, mark.actor]
        )
        let sequence = db.lastInsertedRowID
        if sequence % 1000 == 0 {
            try db.execute(sql: "DELETE FROM changes WHERE sequence < ?", arguments: [sequence - Int64(changesKept)])
        }
        return sequence
    }
}
