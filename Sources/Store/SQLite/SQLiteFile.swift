import Foundation
package import GRDB

/// One database file: readers of its own, one writer that commits for many, and a commit that is on the disk.
package final class SQLiteFile: Sendable {
    package let writer: GroupCommitWriter
    private let pool: any DatabaseWriter

    /// Opens the file, brings it to the newest version and makes every commit wait for the disk.
    ///
    /// - Throws: `StoreError.newerSchema` for a file of a later program, `.notDurable` when FULL does not hold.
    package init(path: String, migrations: [Migration]) throws {
        var configuration = Configuration()
        configuration.maximumReaderCount = 4
        configuration.busyMode = .timeout(10)
        configuration.prepareDatabase { db in
            try db.execute(sql: "PRAGMA foreign_keys = ON")
        }
        let pool = try DatabasePool(path: path, configuration: configuration)
        self.pool = pool
        // GRDB's pool sets NORMAL after the preparation above, so FULL comes last, and is read back.
        try pool.writeWithoutTransaction { db in
            try db.execute(sql: "PRAGMA synchronous = FULL")
            // Checkpoints by size: a commit that runs one stays in the milliseconds.
            try db.execute(sql: "PRAGMA wal_autocheckpoint = 1000")
        }
        writer = GroupCommitWriter(pool: pool)
        guard try synchronousLevel() == 2 else { throw StoreError.notDurable("PRAGMA synchronous is not FULL") }
        try migrate(migrations)
    }

    /// In memory: gone with its last holder.
    private init(memory: DatabaseQueue) {
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

    /// Each migration is one transaction; the count of those done stands in user_version.
    private func migrate(_ migrations: [Migration]) throws {
        try pool.writeWithoutTransaction { db in
            let done = try Int.fetchOne(db, sql: "PRAGMA user_version") ?? 0
            guard done <= migrations.count else { throw StoreError.newerSchema(found: done) }
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
