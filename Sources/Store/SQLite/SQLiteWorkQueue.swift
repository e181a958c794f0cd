import Foundation
import GRDB
import ResourceModel

/// The durable queue in one SQLite file.
package final class SQLiteWorkQueue: WorkQueue {
    package let file: SQLiteFile

    package init(path: String) throws {
        file = try SQLiteFile(path: path, migrations: SQLiteWorkQueue.migrations)
    }

    private static let migrations = [
        SQLiteFile.Migration(
            """
            CREATE TABLE work (
                ordinal INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
                id TEXT NOT NULL UNIQUE,
                kind TEXT NOT NULL,
                subject TEXT NOT NULL,
                state TEXT NOT NULL,
                owner TEXT,
                cancel INTEGER NOT NULL DEFAULT 0,
                error TEXT,
                created REAL NOT NULL,
                started REAL,
                ended REAL,
                payload TEXT NOT NULL
            ) STRICT;
            CREATE INDEX work_queue ON work (kind, state, ordinal);
            CREATE INDEX work_subject ON work (kind, subject, ordinal);
            CREATE TABLE steps (
                item TEXT NOT NULL REFERENCES work (id) ON DELETE CASCADE,
                step TEXT NOT NULL,
                ordinal INTEGER NOT NULL,
                state TEXT NOT NULL,
                started REAL,
                ended REAL,
                error TEXT,
                detail TEXT NOT NULL,
                PRIMARY KEY (item, step)
            ) STRICT, WITHOUT ROWID;
            """
        ),
        SQLiteBlobIndex.migration,
    ]

    private static let columns = "id, kind, subject, state, cancel, error, created, started, ended, payload"

    package func enqueue(_ item: WorkItem) async throws {
        try await file.write { db in
            let waiting = try Int.fetchOne(
                db,
                sql: "SELECT count(*) FROM work WHERE kind = ? AND state = 'Queued'",
                arguments: [item.kind]
            )
            guard waiting ?? 0 < WorkQueueLimits.queuedMax else { throw StoreError.overloaded }
            try db.execute(
                sql: """
                    DELETE FROM work WHERE kind = ? AND subject = ? AND ended IS NOT NULL AND ordinal NOT IN (
                        SELECT ordinal FROM work WHERE kind = ? AND subject = ? ORDER BY ordinal DESC LIMIT ?)
                    """,
                arguments: [item.kind, item.subject, item.kind, item.subject, WorkQueueLimits.keptPerSubject]
            )
            try db.execute(
                sql: "INSERT INTO work (id, kind, subject, state, created, payload) VALUES (?, ?, ?, ?, ?, ?)",
                arguments: [
                    item.id, item.kind, item.subject, WorkState.queued.rawValue, item.createdAt, item.payload.text,
                ]
            )
        }
    }

    package func claim(kind: String, owner: String) async throws -> WorkItem? {
        try await file.write { db in
            let row = try Row.fetchOne(
                db,
                sql: """
                    UPDATE work SET state = 'Running', owner = ?, started = coalesce(started, ?)
                    WHERE ordinal = (SELECT ordinal FROM work WHERE kind = ? AND state = 'Queued' ORDER BY ordinal LIMIT 1)
                    RETURNING \(SQLiteWorkQueue.columns)
                    """,
                arguments: [owner, Date().timeIntervalSince1970, kind]
            )
            return row.map(SQLiteWorkQueue.item)
        }
    }

    package func reclaim(kind: String, owner: String) async throws -> Int {
        try await file.write { db in
            try db.execute(
                sql:
                    "UPDATE work SET state = 'Queued', owner = NULL WHERE kind = ? AND state = 'Running' AND owner <> ?",
                arguments: [kind, owner]
            )
            return db.changesCount
        }
    }

    package func finish(_ id: String, state: WorkState, error: String?, at time: Double) async throws {
        try await file.write { db in
            try db.execute(
                sql: "UPDATE work SET state = ?, error = ?, ended = ?, owner = NULL WHERE id = ? AND ended IS NULL",
                arguments: [state.rawValue, error, time, id]
            )
        }
    }

    package func cancel(_ id: String, at time: Double) async throws {
        try await file.write { db in
            try db.execute(
                sql: "UPDATE work SET state = 'Cancelled', ended = ?, cancel = 1 WHERE id = ? AND state = 'Queued'",
                arguments: [time, id]
            )
            try db.execute(sql: "UPDATE work SET cancel = 1 WHERE id = ? AND state = 'Running'", arguments: [id])
        }
    }

    package func get(_ id: String) async throws -> WorkItem? {
        try await file.read { db in
            try Row.fetchOne(db, sql: "SELECT \(SQLiteWorkQueue.columns) FROM work WHERE id = ?", arguments: [id])
                .map(SQLiteWorkQueue.item)
        }
    }

    package func list(kind: String, subject: String, limit: Int) async throws -> [WorkItem] {
        try await file.read { db in
            try Row.fetchAll(
                db,
                sql: """
                    SELECT \(SQLiteWorkQueue.columns) FROM work WHERE kind = ? AND subject = ?
                    ORDER BY ordinal DESC LIMIT ?
                    """,
                arguments: [kind, subject, limit]
            ).map(SQLiteWorkQueue.item)
        }
    }

    package func record(_ step: WorkStep) async throws {
        try await file.write { db in
            try db.execute(
                sql: """
                    INSERT INTO steps (item, step, ordinal, state, started, ended, error, detail)
                    VALUES (?, ?, ?, ?, ?, ?, ?, ?)
                    ON CONFLICT (item, step) DO UPDATE SET state = excluded.state, started = excluded.started,
                        ended = excluded.ended, error = excluded.error, detail = excluded.detail
                    """,
                arguments: [
                    step.item, step.step, step.ordinal, step.state, step.startedAt, step.endedAt, step.error,
                    step.detail.text,
                ]
            )
        }
    }

    package func steps(_ id: String) async throws -> [WorkStep] {
        try await file.read { db in
            try Row.fetchAll(
                db,
                sql:
                    "SELECT step, ordinal, state, started, ended, error, detail FROM steps WHERE item = ? ORDER BY ordinal",
                arguments: [id]
            ).map { row in
                let detail = (try? JSONValue(parsing: row[6] as String)) ?? .null
                var step = WorkStep(item: id, step: row[0], ordinal: row[1], state: row[2], detail: detail)
                step.startedAt = row[3]
                step.endedAt = row[4]
                step.error = row[5]
                return step
            }
        }
    }

    private static func item(_ row: Row) -> WorkItem {
        let payload = (try? JSONValue(parsing: row[9] as String)) ?? .null
        var item = WorkItem(id: row[0], kind: row[1], subject: row[2], payload: payload, createdAt: row[6])
        item.state = WorkState(rawValue: row[3]) ?? .failed
        item.isCancelRequested = (row[4] as Int) != 0
        item.error = row[5]
        item.startedAt = row[7]
        item.endedAt = row[8]
        return item
    }
}
