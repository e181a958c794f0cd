import Foundation
import GRDB
package import ResourceModel

/// The durable queue in one SQLite file.
package final class SQLiteWorkQueue: WorkQueue {
    package let file: SQLiteFile

    package init(path: String, _ surroundings: SQLiteFile.Surroundings = .init()) throws {
        file = try SQLiteFile(path: path, migrations: SQLiteWorkQueue.migrations, surroundings: surroundings)
    }

    static let migrations = [
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
        SQLiteFile.Migration(
            """
            ALTER TABLE work ADD COLUMN place INTEGER;
            ALTER TABLE work ADD COLUMN lease REAL;
            ALTER TABLE work ADD COLUMN attempt INTEGER NOT NULL DEFAULT 0;
            ALTER TABLE work ADD COLUMN report TEXT NOT NULL DEFAULT 'null';
            UPDATE work SET place = ordinal;
            DROP INDEX work_queue;
            CREATE INDEX work_turn ON work (kind, state, subject, place);
            CREATE INDEX work_place ON work (place);
            CREATE INDEX work_ended ON work (kind, ended);
            """
        ),
        SQLiteQuotaStore.migration,
        SQLiteQuotaStore.endMigration,
        SQLiteBlobIndex.tagMigration,
        SQLiteFile.installationMigration,
        SQLiteQuotaStore.sweepMigration,
        SQLiteSessionStore.migration,
    ]

    /// The storage accounts that own a container, without the public one, which every installation has.
    package func accounts() async throws -> Set<String> {
        try await file.read { db in
            Set(
                try String.fetchAll(
                    db,
                    sql: "SELECT DISTINCT account FROM containers WHERE account <> 'devstoreaccount1'"
                )
            )
        }
    }

    private static let columns =
        "id, kind, subject, state, cancel, error, created, started, ended, payload, attempt, report"

    /// The place behind all others.
    private static let nextPlace = "(SELECT coalesce(max(place), 0) + 1 FROM work)"

    package func enqueue(_ item: WorkItem, keeping kept: Int?, waitingMax: Int) async throws {
        try await file.write { db in
            let waiting = try Int.fetchOne(
                db,
                sql: "SELECT count(*) FROM work WHERE kind = ? AND state IN ('Created', 'Queued')",
                arguments: [item.kind]
            )
            guard waiting ?? 0 < waitingMax else { throw StoreError.overloaded }
            if let kept {
                try db.execute(
                    sql: """
                        DELETE FROM work WHERE kind = ? AND subject = ? AND ended IS NOT NULL AND ordinal NOT IN (
                            SELECT ordinal FROM work WHERE kind = ? AND subject = ? ORDER BY ordinal DESC LIMIT ?)
                        """,
                    arguments: [item.kind, item.subject, item.kind, item.subject, kept]
                )
            }
            try db.execute(
                sql: """
                    INSERT INTO work (id, kind, subject, state, created, payload, place)
                    VALUES (?, ?, ?, ?, ?, ?, \(item.state == .queued ? SQLiteWorkQueue.nextPlace : "NULL"))
                    """,
                arguments: [item.id, item.kind, item.subject, item.state.rawValue, item.createdAt, item.payload.text]
            )
        }
    }

    package func start(_ id: String) async throws -> WorkState? {
        try await file.write { db in
            let before = try SQLiteWorkQueue.state(db, id)
            if before == .created {
                try db.execute(
                    sql: "UPDATE work SET state = 'Queued', place = \(SQLiteWorkQueue.nextPlace) WHERE id = ?",
                    arguments: [id]
                )
            }
            return before
        }
    }

    package func claim(
        kind: String,
        owner: String,
        perSubject: Int,
        until: Double?,
        at time: Double
    ) async throws -> WorkItem? {
        try await file.write { db in
            try db.execute(
                sql: """
                    UPDATE work SET state = 'Queued', owner = NULL, lease = NULL
                    WHERE kind = ? AND state = 'Running' AND lease < ?
                    """,
                arguments: [kind, time]
            )
            // One look at the index a subject that waits, however many of its items do.
            let row = try Row.fetchOne(
                db,
                sql: """
                    WITH RECURSIVE subjects (name) AS (
                        SELECT min(subject) FROM work WHERE kind = :kind AND state = 'Queued'
                        UNION ALL
                        SELECT (SELECT min(subject) FROM work WHERE kind = :kind AND state = 'Queued' AND subject > name)
                        FROM subjects WHERE name IS NOT NULL
                    ), heads AS (
                        SELECT
                            (SELECT count(*) FROM work WHERE kind = :kind AND state = 'Running' AND subject = name) AS running,
                            (SELECT min(place) FROM work WHERE kind = :kind AND state = 'Queued' AND subject = name) AS place
                        FROM subjects WHERE name IS NOT NULL
                    )
                    UPDATE work SET state = 'Running', owner = :owner, lease = :until, attempt = attempt + 1,
                        started = coalesce(started, :now)
                    WHERE ordinal = (SELECT ordinal FROM work WHERE place = (
                        SELECT place FROM heads WHERE running < :most ORDER BY running, place LIMIT 1))
                    RETURNING \(SQLiteWorkQueue.columns)
                    """,
                arguments: ["kind": kind, "owner": owner, "until": until, "now": time, "most": perSubject]
            )
            return row.map(SQLiteWorkQueue.item)
        }
    }

    package func renew(
        _ claims: [(claim: WorkClaim, report: JSONValue)],
        until: Double
    ) async throws -> Set<String> {
        try await file.write { db in
            var lost: Set<String> = []
            for (claim, report) in claims {
                try db.execute(
                    sql: """
                        UPDATE work SET lease = ?, report = ?
                        WHERE id = ? AND owner = ? AND attempt = ? AND state = 'Running'
                        """,
                    arguments: [until, report.text, claim.id, claim.owner, claim.attempt]
                )
                if db.changesCount == 0 { lost.insert(claim.id) }
            }
            return lost
        }
    }

    package func reclaim(kind: String, owner: String) async throws -> Int {
        try await file.write { db in
            try db.execute(
                sql:
                    "UPDATE work SET state = 'Queued', owner = NULL, lease = NULL WHERE kind = ? AND state = 'Running' AND owner <> ?",
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

    package func finish(_ claim: WorkClaim, _ end: WorkEnd) async throws {
        try await file.write { db in try SQLiteWorkQueue.finish(db, claim, end) }
    }

    /// The same inside a transaction that does more.
    static func finish(_ db: Database, _ claim: WorkClaim, _ end: WorkEnd) throws {
        try db.execute(
            sql: """
                UPDATE work SET state = ?, error = ?, report = ?, ended = ?, owner = NULL, lease = NULL
                WHERE id = ? AND owner = ? AND attempt = ? AND state = 'Running'
                """,
            arguments: [
                end.state.rawValue, end.error, end.report.text, end.time, claim.id, claim.owner, claim.attempt,
            ]
        )
        guard db.changesCount == 1 else { throw StoreError.claimLost }
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

    package func abort(_ id: String, at time: Double) async throws -> WorkState? {
        try await file.write { db in
            let before = try SQLiteWorkQueue.state(db, id)
            try db.execute(
                sql: """
                    UPDATE work SET state = 'Cancelled', ended = ?, cancel = 1, owner = NULL, lease = NULL
                    WHERE id = ? AND ended IS NULL
                    """,
                arguments: [time, id]
            )
            return before
        }
    }

    package func get(_ id: String) async throws -> WorkItem? {
        try await file.read { db in
            try Row.fetchOne(
                db.cachedStatement(sql: "SELECT \(SQLiteWorkQueue.columns) FROM work WHERE id = ?"),
                arguments: [id]
            ).map(SQLiteWorkQueue.item)
        }
    }

    package func list(_ query: WorkQuery) async throws -> [WorkItem] {
        try await file.read { db in
            var sql = "SELECT \(SQLiteWorkQueue.columns) FROM work WHERE kind = ?"
            var arguments: StatementArguments = [query.kind]
            if let subject = query.subject {
                sql += " AND subject = ?"
                arguments += [subject]
            }
            if let state = query.state {
                sql += " AND state = ?"
                arguments += [state.rawValue]
            }
            if let before = query.before {
                sql += " AND ordinal < coalesce((SELECT ordinal FROM work WHERE id = ?), 0)"
                arguments += [before]
            }
            return try Row.fetchAll(
                db,
                sql: sql + " ORDER BY ordinal DESC LIMIT ?",
                arguments: arguments + [query.limit]
            ).map(SQLiteWorkQueue.item)
        }
    }

    package func forget(kind: String, before time: Double, limit: Int) async throws -> [WorkItem] {
        try await file.write { db in
            try Row.fetchAll(
                db,
                sql: """
                    DELETE FROM work WHERE ordinal IN (
                        SELECT ordinal FROM (
                            SELECT ordinal FROM work WHERE kind = :kind AND ended < :time
                            UNION ALL
                            SELECT ordinal FROM work WHERE kind = :kind AND state = 'Created' AND created < :time
                        ) LIMIT :limit)
                    RETURNING \(SQLiteWorkQueue.columns)
                    """,
                arguments: ["kind": kind, "time": time, "limit": limit]
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

    private static func state(_ db: Database, _ id: String) throws -> WorkState? {
        try String.fetchOne(db, sql: "SELECT state FROM work WHERE id = ?", arguments: [id])
            .flatMap(WorkState.init(rawValue:))
    }

    private static func item(_ row: Row) -> WorkItem {
        let payload = (try? JSONValue(parsing: row[9] as String)) ?? .null
        var item = WorkItem(id: row[0], kind: row[1], subject: row[2], payload: payload, createdAt: row[6])
        item.state = WorkState(rawValue: row[3]) ?? .failed
        item.isCancelRequested = (row[4] as Int) != 0
        item.error = row[5]
        item.startedAt = row[7]
        item.endedAt = row[8]
        item.attempt = row[10]
        item.report = (try? JSONValue(parsing: row[11] as String)) ?? .null
        return item
    }
}
