import Foundation
import GRDB
import ResourceModel

/// The blob index in the work database, so that a job's state and its blobs can be one transaction.
package struct SQLiteBlobIndex: BlobIndex {
    private let file: SQLiteFile

    /// - Parameter file: of a `SQLiteWorkQueue`, whose migrations make the tables.
    package init(file: SQLiteFile) { self.file = file }

    package func write<Value: Sendable>(
        _ body: @Sendable @escaping (any BlobTransaction) throws -> Value
    ) async throws -> Value {
        do { return try await file.write { db in try body(SQLiteBlobTransaction(db: db)) } } catch let error
            as DatabaseError
        {
            // The second is of the memory that processes share, which is a file beside the database.
            let isFull =
                error.resultCode == .SQLITE_FULL || error.extendedResultCode == .SQLITE_IOERR_SHMSIZE
            throw isFull ? BlobIndexError.diskFull : error
        }
    }

    package func read<Value: Sendable>(
        _ body: @Sendable @escaping (any BlobTransaction) throws -> Value
    ) async throws -> Value {
        try await file.read { db in try body(SQLiteBlobTransaction(db: db)) }
    }

    static let migration = SQLiteFile.Migration(
        """
        CREATE TABLE blobAccounts (name TEXT NOT NULL PRIMARY KEY, document TEXT NOT NULL) STRICT, WITHOUT ROWID;
        CREATE TABLE containers (
            id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
            account TEXT NOT NULL,
            name TEXT NOT NULL,
            deleted INTEGER NOT NULL DEFAULT 0,
            document TEXT NOT NULL
        ) STRICT;
        CREATE UNIQUE INDEX containers_name ON containers (account, name) WHERE deleted = 0;
        CREATE INDEX containers_deleted ON containers (id) WHERE deleted = 1;
        CREATE TABLE blobs (
            id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
            container INTEGER NOT NULL,
            name TEXT NOT NULL,
            snapshot TEXT NOT NULL,
            document TEXT NOT NULL
        ) STRICT;
        CREATE UNIQUE INDEX blobs_name ON blobs (container, name, snapshot);
        CREATE TABLE extents (
            blob INTEGER NOT NULL,
            start INTEGER NOT NULL,
            length INTEGER NOT NULL,
            content INTEGER NOT NULL,
            offset INTEGER NOT NULL,
            block TEXT,
            ordinal INTEGER NOT NULL,
            PRIMARY KEY (blob, start)
        ) STRICT, WITHOUT ROWID;
        CREATE INDEX extents_content ON extents (content);
        CREATE TABLE blocks (
            container INTEGER NOT NULL,
            name TEXT NOT NULL,
            block TEXT NOT NULL,
            part INTEGER NOT NULL,
            content INTEGER NOT NULL,
            length INTEGER NOT NULL,
            created REAL NOT NULL,
            PRIMARY KEY (container, name, block, part)
        ) STRICT, WITHOUT ROWID;
        CREATE INDEX blocks_content ON blocks (content);
        CREATE INDEX blocks_created ON blocks (created);
        CREATE TABLE contents (
            id INTEGER NOT NULL PRIMARY KEY,
            length INTEGER NOT NULL,
            checksums BLOB NOT NULL,
            bytes BLOB
        ) STRICT;
        """
    )
}

/// One transaction's view.
///
/// Statements are kept by their text and prepared once a connection.
struct SQLiteBlobTransaction: BlobTransaction {
    let db: Database

    func execute(_ sql: String, _ arguments: StatementArguments = []) throws {
        try db.cachedStatement(sql: sql).execute(arguments: arguments)
    }

    func rows(_ sql: String, _ arguments: StatementArguments = []) throws -> [Row] {
        try Row.fetchAll(db.cachedStatement(sql: sql), arguments: arguments)
    }

    private func row(_ sql: String, _ arguments: StatementArguments = []) throws -> Row? {
        try Row.fetchOne(db.cachedStatement(sql: sql), arguments: arguments)
    }

    private static func json(_ text: String) throws -> JSONValue { try JSONValue(parsing: text) }

    /// Bytes after all names that begin with the prefix, to be compared as text: no byte of UTF-8 is 255.
    private static func end(of prefix: String) -> Data { Data(prefix.utf8) + [0xFF] }

    /// The first bytes after a text: nothing that is kept holds a zero.
    static func next(after text: String) -> Data { Data(text.utf8) + [0] }

    // MARK: - Accounts

    func account(_ name: String) throws -> JSONObject? {
        try row("SELECT document FROM blobAccounts WHERE name = ?", [name]).map {
            try Self.json($0[0]).object ?? JSONObject()
        }
    }

    func setAccount(_ name: String, _ document: JSONObject) throws {
        try execute(
            "INSERT INTO blobAccounts (name, document) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET document = excluded.document",
            [name, JSONValue.object(document).text]
        )
    }

    // MARK: - Containers

    private func container(_ row: Row) throws -> ContainerRecord {
        ContainerRecord(id: row[0], account: row[1], name: row[2], document: try Self.json(row[3]))
    }

    func container(_ account: String, _ name: String) throws -> ContainerRecord? {
        try row(
            "SELECT id, account, name, document FROM containers WHERE account = ? AND name = ? AND deleted = 0",
            [account, name]
        ).map(container)
    }

    func containers(_ account: String, prefix: String, from: String, limit: Int) throws -> [ContainerRecord] {
        try rows(
            """
            SELECT id, account, name, document FROM containers
            WHERE account = ? AND deleted = 0 AND name >= ? AND name < CAST(? AS TEXT) ORDER BY name LIMIT ?
            """,
            [account, max(from, prefix), Self.end(of: prefix), limit]
        ).map(container)
    }

    func insert(_ container: ContainerRecord) throws -> ContainerRecord {
        try execute(
            "INSERT INTO containers (account, name, document) VALUES (?, ?, ?)",
            [container.account, container.name, container.document.text]
        )
        var result = container
        result.id = db.lastInsertedRowID
        return result
    }

    func update(_ container: ContainerRecord) throws {
        try execute("UPDATE containers SET document = ? WHERE id = ?", [container.document.text, container.id])
    }

    func delete(_ container: ContainerRecord) throws {
        try execute("UPDATE containers SET deleted = 1 WHERE id = ?", [container.id])
    }

    func reap(limit: Int) throws -> (freed: [Int64], isMoreLeft: Bool) {
        guard let id = try row("SELECT id FROM containers WHERE deleted = 1 ORDER BY id LIMIT 1")?[0] as Int64? else {
            return ([], false)
        }
        var freed: [Int64] = []
        let blobs = try rows(
            "SELECT id, container, name, snapshot, document FROM blobs WHERE container = ? LIMIT ?",
            [id, limit]
        ).map(blob)
        for blob in blobs { freed += try delete(blob) }
        guard blobs.isEmpty else { return (freed, true) }
        let names = try rows("SELECT DISTINCT name FROM blocks WHERE container = ? LIMIT ?", [id, limit]).map {
            $0[0] as String
        }
        for name in names { freed += try deleteBlocks(id, name) }
        if names.isEmpty { try execute("DELETE FROM containers WHERE id = ?", [id]) }
        return (freed, true)
    }

    // MARK: - Blobs

    /// Stands for the blob itself: after all its snapshots, which begin with a digit, as the service lists them.
    private static let current = "~"

    func blob(_ row: Row) throws -> BlobRecord {
        let snapshot = row[3] as String
        return BlobRecord(
            id: row[0],
            container: row[1],
            name: row[2],
            snapshot: snapshot == Self.current ? "" : snapshot,
            document: try Self.json(row[4])
        )
    }

    func blob(_ container: Int64, _ name: String, snapshot: String) throws -> BlobRecord? {
        try row(
            "SELECT id, container, name, snapshot, document FROM blobs WHERE container = ? AND name = ? AND snapshot = ?",
            [container, name, snapshot.isEmpty ? Self.current : snapshot]
        ).map(blob)
    }

    func snapshots(_ container: Int64, _ name: String) throws -> [BlobRecord] {
        try rows(
            """
            SELECT id, container, name, snapshot, document FROM blobs
            WHERE container = ? AND name = ? AND snapshot < '~' ORDER BY snapshot
            """,
            [container, name]
        ).map(blob)
    }

    /// The one bound below a query's names, so that the index is entered where the page begins.
    private static func start(of query: BlobQuery) -> (name: Data, snapshot: String) {
        let prefix = Data(query.prefix.utf8)
        let start: (name: Data, snapshot: String)
        switch query.start {
        case .beginning: return (prefix, "")
        case .after(let name, let snapshot): start = (Data(name.utf8), snapshot ?? current)
        case .past(let prefix): start = (end(of: prefix), "")
        }
        return start.name.lexicographicallyPrecedes(prefix) ? (prefix, "") : start
    }

    func blobs(_ query: BlobQuery) throws -> [BlobRecord] {
        let kind = query.includesSnapshots ? "" : " AND snapshot = '\(Self.current)'"
        let start = Self.start(of: query)
        return try rows(
            """
            SELECT id, container, name, snapshot, document FROM blobs
            WHERE container = ? AND (name, snapshot) > (CAST(? AS TEXT), ?) AND name < CAST(? AS TEXT)\(kind)
            ORDER BY name, snapshot LIMIT ?
            """,
            [query.container, start.name, start.snapshot, Self.end(of: query.prefix), query.limit]
        ).map(blob)
    }

    func put(
        _ blob: BlobRecord,
        replacing before: BlobRecord?,
        _ source: ExtentSource
    ) throws -> (BlobRecord, freed: [Int64]) {
        let old = try before.map { try contents(of: $0.id) } ?? []
        if let before {
            try execute("DELETE FROM blobs WHERE id = ?", [before.id])
            if !before.tags.isEmpty { try deleteTags(before.id) }
        }
        try execute(
            "INSERT INTO blobs (container, name, snapshot, document) VALUES (?, ?, ?, ?)",
            [blob.container, blob.name, blob.snapshot.isEmpty ? Self.current : blob.snapshot, blob.document.text]
        )
        var result = blob
        result.id = db.lastInsertedRowID
        try insertTags(result)
        switch source {
        case .extents(let extents): try append(result.id, extents)
        case .sameAs(let other):
            try execute(
                """
                INSERT INTO extents (blob, start, length, content, offset, block, ordinal)
                SELECT ?, start, length, content, offset, block, ordinal FROM extents WHERE blob = ?
                """,
                [result.id, other]
            )
        }
        // First the new names, then what they leave unnamed.
        if let before { try execute("DELETE FROM extents WHERE blob = ?", [before.id]) }
        return (result, try release(old))
    }

    func exists(_ blob: Int64) throws -> Bool { try row("SELECT 1 FROM blobs WHERE id = ?", [blob]) != nil }

    func update(_ blob: BlobRecord) throws {
        try execute("UPDATE blobs SET document = ? WHERE id = ?", [blob.document.text, blob.id])
    }

    func delete(_ blob: BlobRecord) throws -> [Int64] {
        let old = try contents(of: blob.id)
        try execute("DELETE FROM extents WHERE blob = ?", [blob.id])
        try execute("DELETE FROM blobs WHERE id = ?", [blob.id])
        if !blob.tags.isEmpty { try deleteTags(blob.id) }
        return try release(old)
    }

    private func contents(of blob: Int64) throws -> [Int64] {
        try rows("SELECT DISTINCT content FROM extents WHERE blob = ?", [blob]).map { $0[0] }
    }

    // MARK: - Extents

    private func extent(_ row: Row) -> Extent {
        Extent(start: row[0], length: row[1], content: row[2], offset: row[3], block: row[4], ordinal: row[5])
    }

    func extents(_ blob: Int64, _ range: Range<Int64>, limit: Int) throws -> [Extent] {
        // The one that holds the first byte begins before it.
        let first =
            try row("SELECT max(start) FROM extents WHERE blob = ? AND start <= ?", [blob, range.lowerBound])?[0]
            as Int64?
        return try rows(
            """
            SELECT start, length, content, offset, block, ordinal FROM extents
            WHERE blob = ? AND start >= ? AND start < ? AND start + length > ? ORDER BY start LIMIT ?
            """,
            [blob, first ?? range.lowerBound, range.upperBound, range.lowerBound, limit]
        ).map(extent)
    }

    func committedBlocks(_ blob: Int64) throws -> [(id: String, length: Int64)] {
        try rows(
            """
            SELECT block, sum(length) FROM extents WHERE blob = ? AND block IS NOT NULL GROUP BY ordinal, block ORDER BY ordinal
            """,
            [blob]
        ).map { ($0[0], $0[1]) }
    }

    func append(_ blob: Int64, _ extents: [Extent]) throws {
        for extent in extents {
            try execute(
                "INSERT INTO extents (blob, start, length, content, offset, block, ordinal) VALUES (?, ?, ?, ?, ?, ?, ?)",
                [blob, extent.start, extent.length, extent.content, extent.offset, extent.block, extent.ordinal]
            )
        }
    }

    func replace(_ blob: Int64, _ range: Range<Int64>, with extents: [Extent]) throws -> [Int64] {
        let touched = try self.extents(blob, range, limit: .max)
        var kept: [Extent] = []
        for extent in touched {
            try execute("DELETE FROM extents WHERE blob = ? AND start = ?", [blob, extent.start])
            if extent.start < range.lowerBound {
                var left = extent
                left.length = range.lowerBound - extent.start
                kept.append(left)
            }
            if extent.end > range.upperBound {
                var right = extent
                right.start = range.upperBound
                right.length = extent.end - range.upperBound
                right.offset += range.upperBound - extent.start
                kept.append(right)
            }
        }
        try append(blob, kept + extents)
        return try release(Array(Set(touched.map(\.content))))
    }

    /// Forgets those contents that nothing names any more.
    private func release(_ contents: [Int64]) throws -> [Int64] {
        var freed: [Int64] = []
        for id in contents {
            let isNamed = try row(
                """
                SELECT 1 WHERE EXISTS (SELECT 1 FROM extents WHERE content = ?) OR EXISTS (SELECT 1 FROM blocks WHERE content = ?)
                """,
                [id, id]
            )
            guard isNamed == nil else { continue }
            try execute("DELETE FROM contents WHERE id = ?", [id])
            freed.append(id)
        }
        return freed
    }

    // MARK: - Blocks

    func blocks(_ container: Int64, _ name: String) throws -> [BlockRecord] {
        let rows = try rows(
            "SELECT block, content, length, created FROM blocks WHERE container = ? AND name = ? ORDER BY block, part",
            [container, name]
        )
        var result: [BlockRecord] = []
        for row in rows {
            let part: (Int64, Int64) = (row[1], row[2])
            if let last = result.last, last.id == row[0] {
                result[result.count - 1] = BlockRecord(id: last.id, contents: last.contents + [part], created: row[3])
            } else {
                result.append(BlockRecord(id: row[0], contents: [part], created: row[3]))
            }
        }
        return result
    }

    func blockState(_ container: Int64, _ name: String) throws -> (count: Int, idLength: Int?) {
        let found = try row(
            "SELECT count(*), max(length(block)) FROM blocks WHERE container = ? AND name = ? AND part = 0",
            [container, name]
        )
        return (found?[0] ?? 0, found?[1])
    }

    func put(_ block: BlockRecord, container: Int64, name: String) throws -> [Int64] {
        let place: StatementArguments = [container, name, block.id]
        let before = try rows("SELECT content FROM blocks WHERE container = ? AND name = ? AND block = ?", place)
            .map { $0[0] as Int64 }
        try execute("DELETE FROM blocks WHERE container = ? AND name = ? AND block = ?", place)
        for (part, content) in block.contents.enumerated() {
            try execute(
                "INSERT INTO blocks (container, name, block, part, content, length, created) VALUES (?, ?, ?, ?, ?, ?, ?)",
                [container, name, block.id, part, content.id, content.length, block.created]
            )
        }
        return try release(before)
    }

    func deleteBlocks(_ container: Int64, _ name: String) throws -> [Int64] {
        let before = try rows("SELECT content FROM blocks WHERE container = ? AND name = ?", [container, name])
            .map { $0[0] as Int64 }
        guard !before.isEmpty else { return [] }
        try execute("DELETE FROM blocks WHERE container = ? AND name = ?", [container, name])
        return try release(before)
    }

    func uncommittedNames(_ query: BlobQuery) throws -> [String] {
        var start = Self.start(of: query).name
        // The name itself was shown; its snapshots have a committed blob.
        if case .after(let name, _) = query.start, start == Data(name.utf8) { start = Self.next(after: name) }
        return try rows(
            """
            SELECT DISTINCT name FROM blocks
            WHERE container = ? AND name >= CAST(? AS TEXT) AND name < CAST(? AS TEXT) AND NOT EXISTS (
                SELECT 1 FROM blobs
                WHERE blobs.container = blocks.container AND blobs.name = blocks.name AND snapshot = '\(Self.current)'
            ) ORDER BY name LIMIT ?
            """,
            [query.container, start, Self.end(of: query.prefix), query.limit]
        ).map { $0[0] }
    }

    func deleteBlocks(before time: Double, limit: Int) throws -> [Int64] {
        let old = try rows(
            "SELECT container, name, block, part, content FROM blocks WHERE created < ? ORDER BY created LIMIT ?",
            [time, limit]
        )
        for row in old {
            try execute(
                "DELETE FROM blocks WHERE container = ? AND name = ? AND block = ? AND part = ?",
                [row[0] as Int64, row[1] as String, row[2] as String, row[3] as Int]
            )
        }
        return try release(old.map { $0[4] })
    }

    // MARK: - Contents

    func insert(_ content: ContentRecord) throws {
        let checksums = Data(
            content.checksums.flatMap { value in withUnsafeBytes(of: value.littleEndian) { Array($0) } }
        )
        try execute(
            "INSERT INTO contents (id, length, checksums, bytes) VALUES (?, ?, ?, ?)",
            [content.id, content.length, checksums, content.bytes.map { Data($0) }]
        )
    }

    func content(_ id: Int64) throws -> ContentRecord? {
        try row("SELECT length, checksums, bytes FROM contents WHERE id = ?", [id]).map { row in
            let raw = Array(row[1] as Data)
            let checksums = stride(from: 0, to: raw.count - 3, by: 4).map { place in
                (0..<4).reduce(UInt32(0)) { $0 | UInt32(raw[place + $1]) << UInt32(8 * $1) }
            }
            return ContentRecord(
                id: id,
                length: row[0],
                checksums: checksums,
                bytes: (row[2] as Data?).map { Array($0) }
            )
        }
    }

    func known(_ ids: Set<Int64>) throws -> Set<Int64> {
        try ids.filter { try row("SELECT 1 FROM contents WHERE id = ?", [$0]) != nil }
    }

    func finish(_ claim: WorkClaim, _ end: WorkEnd) throws { try SQLiteWorkQueue.finish(db, claim, end) }

    func lastContent() throws -> Int64 { try row("SELECT coalesce(max(id), 0) FROM contents")?[0] ?? 0 }
}
