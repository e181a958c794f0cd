import Foundation
import GRDB
package import ResourceModel

#if canImport(Glibc)
import Glibc
#endif

/// A look at a database with its log that changes neither.
///
/// SQLite brings a log into the database when the last connection closes, also when what it read there is a reason to refuse the
/// start. So the two are looked at under other names (hard links) in a folder of their own, by a connection that cannot write.
package struct DatabaseLook: Sendable {
    private static let folderName = ".look"
    private static let migrations = [
        SQLiteResourceStore.migrations, SQLiteWorkQueue.migrations, SQLiteFactStore.migrations,
    ]

    private let folder: String
    private let name: String
    private let hasLog: Bool

    /// - Parameters:
    ///   - name: of `StartCheck.databases`.
    ///   - hasLog: whether the log beside the database belongs to it.
    package init(folder: String, name: String, hasLog: Bool) {
        self.folder = folder
        self.name = name
        self.hasLog = hasLog
    }

    /// Judges whether the database is the one of its name and of a version that this program knows.
    ///
    /// - Returns: the installation that it says it belongs to; nil where it says nothing.
    package func judge() throws -> String? {
        let migrations = Self.migrations[StartCheck.databases.firstIndex(of: name) ?? 0]
        return try read { db in
            let version = try Int.fetchOne(db, sql: "PRAGMA user_version") ?? 0
            guard version <= migrations.count else { throw DatabaseFileError(path, .newer(version)) }
            let tables = try Self.tables(db)
            guard version > 0 else {
                guard tables.isEmpty else {
                    throw DatabaseFileError(path, .strange("it has tables, but no version of a schema"))
                }
                return nil
            }
            let missing = try Self.tables(after: migrations.prefix(max(version, 0))).subtracting(tables)
            guard missing.isEmpty else {
                let names = missing.sorted().map { "\"\($0)\"" }.joined(separator: ", ")
                throw DatabaseFileError(path, .strange("it lacks the tables \(names)"))
            }
            return try SQLiteFile.installation(db)
        }
    }

    /// The installation that the database says it belongs to, where that can be read at all.
    ///
    /// A database without the log that belongs to it need not be one that can be read.
    package var installation: String? { try? read(SQLiteFile.installation) }

    /// Whether a box opens the secrets of a resource; of one without any, each does.
    package func canOpen(_ id: ResourceID, _ box: SecretBox) throws -> Bool {
        try read { db in
            guard try db.tableExists("secrets") else { return true }
            return try SQLiteResourceStore.canOpen(db, id.key, box)
        }
    }

    private var path: String { "\(folder)/\(name)" }

    private static func tables(_ db: Database) throws -> Set<String> {
        try Set(
            String.fetchAll(db, sql: "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'")
        )
    }

    /// The tables that migrations leave.
    private static func tables(after migrations: ArraySlice<SQLiteFile.Migration>) throws -> Set<String> {
        try DatabaseQueue().inDatabase { db in
            for migration in migrations { try db.execute(sql: migration.sql) }
            return try tables(db)
        }
    }

    private func read<Value>(_ body: (Database) throws -> Value) throws -> Value {
        let place = "\(folder)/\(Self.folderName)"
        try? FileManager.default.removeItem(atPath: place)
        defer { try? FileManager.default.removeItem(atPath: place) }
        var configuration = Configuration()
        configuration.readonly = true
        do {
            let queue = try DatabaseQueue(path: linked(in: place), configuration: configuration)
            defer { try? queue.close() }
            return try queue.inDatabase(body)
        } catch let error as DatabaseError { throw SQLiteFile.fileError(path, error) }
    }

    /// - Returns: the database under another name; itself on file systems that give no file two names.
    private func linked(in place: String) -> String {
        guard mkdir(place, 0o700) == 0 else { return path }
        for end in hasLog ? ["", "-wal"] : [""] where access(path + end, F_OK) == 0 {
            guard link(path + end, "\(place)/\(name)\(end)") == 0 else { return path }
        }
        return "\(place)/\(name)"
    }
}
