import Foundation
package import GRDB

#if canImport(Glibc)
import Glibc
#endif

/// One database file: readers of its own, one writer that commits for many, and a commit that is on the disk.
package final class SQLiteFile: Sendable {
    /// Files up to this size are looked through when they are opened, some ten milliseconds; of larger ones a page that is damaged
    /// shows when it is read.
    private static let checkedBytesMax: Int64 = 16 << 20

    /// What stands around a file.
    package struct Surroundings: Sendable {
        /// Whose file it must be, where that is known; a file that says nobody's is taken.
        package var installation: String?
        /// Space for deletions on a full disk.
        package var reserve: DiskReserve?

        package init(installation: String? = nil, reserve: DiskReserve? = nil) {
            self.installation = installation
            self.reserve = reserve
        }
    }

    package let writer: GroupCommitWriter
    private let pool: any DatabaseWriter
    private let path: String

    /// Opens the file, brings it to the newest version and makes every commit wait for the disk.
    ///
    /// - Throws: `DatabaseFileError` for what the file is, `StoreError.notDurable` when FULL does not hold.
    package init(path: String, migrations: [Migration], surroundings: Surroundings = Surroundings()) throws {
        self.path = path
        try SQLiteFile.makePrivately(path)
        do {
            let pool = try SQLiteFile.openPool(path)
            self.pool = pool
            writer = GroupCommitWriter(pool: pool, reserve: surroundings.reserve)
            guard try synchronousLevel() == 2 else { throw StoreError.notDurable("PRAGMA synchronous is not FULL") }
            try check()
            if let wanted = surroundings.installation, let found = try installation(), found != wanted {
                throw DatabaseFileError(path, .other)
            }
            try migrate(migrations)
        } catch let error as DatabaseError { throw SQLiteFile.fileError(path, error) }
    }

    private static func openPool(_ path: String) throws -> DatabasePool {
        var configuration = Configuration()
        configuration.maximumReaderCount = 4
        configuration.busyMode = .timeout(10)
        configuration.prepareDatabase { db in
            try db.execute(sql: "PRAGMA foreign_keys = ON")
        }
        let pool = try DatabasePool(path: path, configuration: configuration)
        // GRDB's pool sets NORMAL after the preparation above, so FULL comes last, and is read back.
        try pool.writeWithoutTransaction { db in
            try db.execute(sql: "PRAGMA synchronous = FULL")
            // Checkpoints by size: a commit that runs one stays in the milliseconds.
            try db.execute(sql: "PRAGMA wal_autocheckpoint = 1000")
        }
        return pool
    }

    /// Makes the file before SQLite does, for its owner only; SQLite gives the files beside it the same mode.
    private static func makePrivately(_ path: String) throws(DatabaseFileError) {
        let descriptor = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw DatabaseFileError(path, .unwritable(String(cString: strerror(errno)))) }
        Glibc.close(descriptor)
    }

    static func fileError(_ path: String, _ error: DatabaseError) -> DatabaseFileError {
        let message = error.message ?? "\(error.resultCode)"
        switch error.resultCode {
        case .SQLITE_CORRUPT, .SQLITE_NOTADB: return DatabaseFileError(path, .damaged(message))
        case .SQLITE_READONLY, .SQLITE_FULL, .SQLITE_PERM: return DatabaseFileError(path, .unwritable(message))
        default: return DatabaseFileError(path, .refused(message))
        }
    }

    /// Looks through a file that is small enough.
    private func check() throws {
        var status = stat()
        guard stat(path, &status) == 0, Int64(status.st_size) <= SQLiteFile.checkedBytesMax else { return }
        let found = try pool.read { db in try String.fetchOne(db, sql: "PRAGMA quick_check(1)") } ?? "ok"
        guard found == "ok" else { throw DatabaseFileError(path, .damaged(found.replacing("\n", with: " "))) }
    }

    /// In memory: gone with its last holder.
    private init(memory: DatabaseQueue) {
        path = ":memory:"
        pool = memory
        writer = GroupCommitWriter(pool: memory)
    }

    /// Everything that is committed at this moment, in memory.
    func copy() throws -> SQLiteFile {
        var configuration = Configuration()
        configuration.prepareDatabase { db in try db.execute(sql: "PRAGMA foreign_keys = ON") }
        let memory = try DatabaseQueue(configuration: configuration)
        try pool.backup(to: memory)
        return SQLiteFile(memory: memory)
    }

    package struct Migration: Sendable {
        let sql: String

        package init(_ sql: String) { self.sql = sql }
    }

    /// The level that the writer's commits really have: 2 is FULL.
    package func synchronousLevel() throws -> Int {
        try pool.writeWithoutTransaction { db in try Int.fetchOne(db, sql: "PRAGMA synchronous") ?? 0 }
    }

    package func read<Value: Sendable>(_ body: @Sendable @escaping (Database) throws -> Value) async throws -> Value {
        try await pool.read(body)
    }

    package func write<Value: Sendable>(_ body: @Sendable @escaping (Database) throws -> Value) async throws -> Value {
        try await writer.write(body)
    }

    /// Writes the file anew without what was deleted or replaced, so that no old text rests in it.
    func compact() async throws {
        try await pool.barrierWriteWithoutTransaction { db in
            try db.execute(sql: "VACUUM")
            try db.execute(sql: "PRAGMA wal_checkpoint(TRUNCATE)")
        }
    }

    package func close() throws { try pool.close() }

    /// Closes the file with all that was committed in it, so that it is whole without its log.
    package func fold() throws {
        do {
            try pool.writeWithoutTransaction { db in try db.execute(sql: "PRAGMA wal_checkpoint(TRUNCATE)") }
            try pool.close()
            // The pool's readers close last and may not write; one more connection takes the empty log away.
            let last = try DatabaseQueue(path: path)
            try last.inDatabase { db in _ = try Int.fetchOne(db, sql: "PRAGMA user_version") }
            try last.close()
        } catch let error as DatabaseError { throw SQLiteFile.fileError(path, error) }
    }

    // MARK: - Whose it is

    /// The installation that a file belongs to, and when it was last opened: so that files of two are not mixed.
    static let installationMigration = Migration(
        "CREATE TABLE installation (id TEXT NOT NULL PRIMARY KEY, opened INTEGER NOT NULL) STRICT, WITHOUT ROWID;"
    )

    /// The installation that the file says it belongs to; nil for a file of before such marks, or a new one.
    package func installation() throws -> String? { try pool.read(SQLiteFile.installation) }

    static func installation(_ db: Database) throws -> String? {
        guard try db.tableExists("installation") else { return nil }
        return try String.fetchOne(db, sql: "SELECT id FROM installation")
    }

    /// The installation of a file that is not open, and is not changed by the look.
    package static func installation(path: String) throws -> String? {
        var configuration = Configuration()
        configuration.readonly = true
        do {
            let queue = try DatabaseQueue(path: path, configuration: configuration)
            defer { try? queue.close() }
            return try queue.read(installation)
        } catch let error as DatabaseError { throw fileError(path, error) }
    }

    /// Says that the file belongs to the installation, and was opened now; afterwards its log holds a commit at least.
    package func mark(installation: String, now: Int64) async throws {
        try await write { db in
            try db.execute(
                sql: """
                    INSERT INTO installation (id, opened) VALUES (?, ?) ON CONFLICT (id) DO UPDATE SET opened = excluded.opened
                    """,
                arguments: [installation, now]
            )
        }
    }

    /// Whether the disk did not take the last commit.
    package var isFailing: Bool { writer.isFailing }

    /// Commits a little, so that it is known whether commits are taken again.
    package func tryCommit(now: Int64) async throws {
        try await write { db in try db.execute(sql: "UPDATE installation SET opened = ?", arguments: [now]) }
    }

    /// Each migration is one transaction; the count of those done stands in user_version.
    private func migrate(_ migrations: [Migration]) throws {
        try pool.writeWithoutTransaction { db in
            let done = try Int.fetchOne(db, sql: "PRAGMA user_version") ?? 0
            guard done <= migrations.count else { throw DatabaseFileError(path, .newer(done)) }
            for (place, migration) in migrations.enumerated().dropFirst(done) {
                try db.inTransaction {
                    try db.execute(sql: migration.sql)
                    try db.execute(sql: "PRAGMA user_version = \(place + 1)")
                    return .commit
                }
            }
        }
    }
}
