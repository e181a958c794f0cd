import Foundation
import GRDB

/// Sessions and one-time codes, in the file of the work queue.
package struct SQLiteSessionStore: SessionStore {
    static let migration = SQLiteFile.Migration(
        """
        CREATE TABLE sessions (
            digest BLOB NOT NULL PRIMARY KEY,
            id TEXT NOT NULL,
            user TEXT NOT NULL,
            password_mark BLOB NOT NULL,
            created REAL NOT NULL,
            seen REAL NOT NULL,
            authenticated REAL NOT NULL,
            remembered INTEGER NOT NULL,
            address TEXT NOT NULL,
            agent TEXT NOT NULL
        ) STRICT, WITHOUT ROWID;
        CREATE INDEX sessions_user ON sessions (user, seen);
        CREATE TABLE codes (
            digest BLOB NOT NULL PRIMARY KEY,
            purpose TEXT NOT NULL,
            user TEXT,
            password_mark BLOB NOT NULL,
            expires REAL NOT NULL
        ) STRICT, WITHOUT ROWID;
        CREATE INDEX codes_expires ON codes (expires);
        CREATE TABLE first_sign_in (
            only INTEGER NOT NULL PRIMARY KEY CHECK (only = 1),
            time REAL NOT NULL
        ) STRICT;
        """
    )

    private let file: SQLiteFile

    package init(_ queue: SQLiteWorkQueue) { file = queue.file }

    // MARK: - Sessions

    package func add(_ session: StoredSession, atMost count: Int) async throws {
        try await file.write { db in
            try db.execute(
                sql: "INSERT INTO sessions VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                arguments: [
                    Data(session.digest), session.id, session.user, Data(session.passwordMark), session.created,
                    session.seen, session.authenticated, session.isRemembered, session.address, session.agent,
                ]
            )
            try db.execute(
                sql: """
                    DELETE FROM sessions WHERE digest IN (
                        SELECT digest FROM sessions WHERE user = ? AND digest <> ? ORDER BY seen DESC LIMIT -1 OFFSET ?
                    )
                    """,
                arguments: [session.user, Data(session.digest), count - 1]
            )
            try db.execute(
                sql: "INSERT INTO first_sign_in VALUES (1, ?) ON CONFLICT DO NOTHING",
                arguments: [session.created]
            )
        }
    }

    package func session(digest: [UInt8]) async throws -> StoredSession? {
        try await file.read { db in
            try Row.fetchOne(db, sql: "SELECT * FROM sessions WHERE digest = ?", arguments: [Data(digest)])
                .map(Self.session)
        }
    }

    package func sessions(user: String) async throws -> [StoredSession] {
        try await file.read { db in
            try Row.fetchAll(db, sql: "SELECT * FROM sessions WHERE user = ? ORDER BY seen DESC", arguments: [user])
                .map(Self.session)
        }
    }

    package func touch(digest: [UInt8], seen: Double, authenticated: Double) async throws {
        try await file.write { db in
            try db.execute(
                sql: "UPDATE sessions SET seen = max(seen, ?), authenticated = max(authenticated, ?) WHERE digest = ?",
                arguments: [seen, authenticated, Data(digest)]
            )
        }
    }

    package func end(user: String, id: String) async throws -> Bool {
        try await file.write { db in
            try db.execute(sql: "DELETE FROM sessions WHERE user = ? AND id = ?", arguments: [user, id])
            return db.changesCount > 0
        }
    }

    package func endAll(user: String, but digest: [UInt8]?) async throws -> Int {
        try await file.write { db in
            try db.execute(
                sql: "DELETE FROM sessions WHERE user = ? AND digest IS NOT ?",
                arguments: [user, digest.map { Data($0) }]
            )
            let count = db.changesCount
            try db.execute(sql: "DELETE FROM codes WHERE user = ?", arguments: [user])
            return count
        }
    }

    package func removeEnded(_ bounds: SessionBounds) async throws {
        try await file.write { db in
            try db.execute(
                sql: """
                    DELETE FROM sessions WHERE CASE remembered
                        WHEN 0 THEN created < ? OR seen < ? ELSE created < ? OR seen < ? END
                    """,
                arguments: [
                    bounds.createdAfter, bounds.seenAfter, bounds.rememberedCreatedAfter, bounds.rememberedSeenAfter,
                ]
            )
            try db.execute(sql: "DELETE FROM codes WHERE expires < ?", arguments: [bounds.now])
        }
    }

    private static func session(_ row: Row) -> StoredSession {
        let (digest, mark): (Data, Data) = (row["digest"], row["password_mark"])
        var session = StoredSession(
            digest: Array(digest),
            id: row["id"],
            user: row["user"],
            passwordMark: Array(mark),
            created: row["created"],
            isRemembered: row["remembered"],
            address: row["address"],
            agent: row["agent"]
        )
        session.seen = row["seen"]
        session.authenticated = row["authenticated"]
        return session
    }

    // MARK: - Codes

    package func add(_ code: StoredCode, atMost count: Int) async throws {
        try await file.write { db in
            try db.execute(
                sql: "INSERT INTO codes VALUES (?, ?, ?, ?, ?)",
                arguments: [
                    Data(code.digest), code.purpose, code.user, Data(code.passwordMark), code.expires,
                ]
            )
            try db.execute(
                sql: """
                    DELETE FROM codes WHERE digest IN (
                        SELECT digest FROM codes WHERE digest <> ? ORDER BY expires DESC LIMIT -1 OFFSET ?
                    )
                    """,
                arguments: [Data(code.digest), count - 1]
            )
        }
    }

    package func take(digest: [UInt8], purpose: String, now: Double) async throws -> StoredCode? {
        try await file.write { db in
            try Row.fetchOne(
                db,
                sql: "DELETE FROM codes WHERE digest = ? AND purpose = ? AND expires >= ? RETURNING *",
                arguments: [Data(digest), purpose, now]
            ).map(Self.code)
        }
    }

    package func code(digest: [UInt8], purpose: String, now: Double) async throws -> StoredCode? {
        try await file.read { db in
            try Row.fetchOne(
                db,
                sql: "SELECT * FROM codes WHERE digest = ? AND purpose = ? AND expires >= ?",
                arguments: [Data(digest), purpose, now]
            ).map(Self.code)
        }
    }

    package func hasEverSignedIn() async throws -> Bool {
        try await file.read { db in
            try Bool.fetchOne(db, sql: "SELECT EXISTS (SELECT 1 FROM first_sign_in)") ?? false
        }
    }

    private static func code(_ row: Row) -> StoredCode {
        let (digest, mark): (Data, Data) = (row["digest"], row["password_mark"])
        return StoredCode(
            digest: Array(digest),
            purpose: row["purpose"],
            user: row["user"],
            passwordMark: Array(mark),
            expires: row["expires"]
        )
    }
}
