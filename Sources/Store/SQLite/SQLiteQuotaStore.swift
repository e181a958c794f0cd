import GRDB

/// The reservations of quotas, in the file of the work queue.
package struct SQLiteQuotaStore: QuotaStore {
    static let migration = SQLiteFile.Migration(
        """
        CREATE TABLE quotas (
            counter TEXT NOT NULL,
            subject TEXT NOT NULL,
            period INTEGER NOT NULL,
            calls INTEGER NOT NULL,
            PRIMARY KEY (counter, subject)
        ) STRICT, WITHOUT ROWID;
        """
    )

    /// Counters are asked for by whom they count, and shown with their ends.
    static let endMigration = SQLiteFile.Migration(
        """
        ALTER TABLE quotas ADD COLUMN ending INTEGER;
        CREATE INDEX quotas_subject ON quotas (subject);
        """
    )

    /// Rows of ended periods are found without looking at the others.
    static let sweepMigration = SQLiteFile.Migration(
        "CREATE INDEX quotas_ending ON quotas (ending) WHERE ending IS NOT NULL;"
    )

    /// Rows of one transaction: it holds other writers up for some milliseconds at most.
    private static let rowsOfChange = 1000

    private let file: SQLiteFile

    package init(_ queue: SQLiteWorkQueue) { file = queue.file }

    package func reserve(_ reservation: QuotaReservation) async throws {
        // One row a counter: its period only goes on, unless somebody sets the clock back or makes it longer or shorter.
        try await write(
            reservation,
            where: "WHERE excluded.period <> period OR excluded.ending IS NOT ending OR excluded.calls > calls"
        )
    }

    package func replace(_ reservation: QuotaReservation) async throws { try await write(reservation, where: "") }

    private func write(_ reservation: QuotaReservation, where condition: String) async throws {
        try await file.write { db in
            try db.execute(
                sql: """
                    INSERT INTO quotas (counter, subject, period, calls, ending) VALUES (?, ?, ?, ?, ?)
                    ON CONFLICT (counter, subject) DO UPDATE
                    SET calls = excluded.calls, period = excluded.period, ending = excluded.ending \(condition)
                    """,
                arguments: [
                    reservation.counter, reservation.subject, reservation.period, reservation.calls, reservation.end,
                ]
            )
        }
    }

    package func reservations(subject: String) async throws -> [QuotaReservation] {
        try await file.read { db in
            try Row.fetchAll(
                db,
                sql: "SELECT counter, subject, period, ending, calls FROM quotas WHERE subject = ? ORDER BY counter",
                arguments: [subject]
            ).map { QuotaReservation(counter: $0[0], subject: $0[1], period: $0[2], end: $0[3], calls: $0[4]) }
        }
    }

    package func reserved(counter: String, subject: String, period: Int64, end: Int64?) async throws -> Int64 {
        try await file.read { db in
            try Int64.fetchOne(
                db,
                sql: "SELECT calls FROM quotas WHERE counter = ? AND subject = ? AND period = ? AND ending IS ?",
                arguments: [counter, subject, period, end]
            ) ?? 0
        }
    }

    package func removeEnded(before time: Int64) async throws -> Int {
        var removed = 0
        while true {
            // Looked at first, since a write waits for the disk even where it changes nothing.
            let isDone = try await file.read { db in
                try
                    !(Bool.fetchOne(
                        db,
                        sql: "SELECT EXISTS (SELECT 1 FROM quotas WHERE ending IS NOT NULL AND ending < ?)",
                        arguments: [time]
                    ) ?? false)
            }
            if isDone { return removed }
            removed += try await file.write { db in
                try db.execute(
                    sql: """
                        DELETE FROM quotas WHERE (counter, subject) IN (
                            SELECT counter, subject FROM quotas WHERE ending IS NOT NULL AND ending < ? LIMIT ?
                        )
                        """,
                    arguments: [time, Self.rowsOfChange]
                )
                return db.changesCount
            }
        }
    }

    /// Gives subjects of counters other names, where they have not got them yet; of two rows that become one the larger number counts.
    ///
    /// - Parameter start: of the counters' names.
    package func renameSubjects(
        ofCountersFrom start: String,
        to name: @Sendable @escaping (String) -> String
    ) async throws {
        var last = (counter: start, subject: "")
        while true {
            let (counter, subject) = last
            let page = try await file.read { db in
                try Row.fetchAll(
                    db,
                    sql: """
                        SELECT counter, subject, period, ending, calls FROM quotas
                        WHERE (counter, subject) > (?, ?) AND counter < ? ORDER BY counter, subject LIMIT ?
                        """,
                    arguments: [counter, subject, start + "\u{10FFFF}", Self.rowsOfChange]
                )
                .map { QuotaReservation(counter: $0[0], subject: $0[1], period: $0[2], end: $0[3], calls: $0[4]) }
            }
            guard let end = page.last else { return }
            last = (end.counter, end.subject)
            let rows = page.filter { name($0.subject) != $0.subject }
            guard !rows.isEmpty else { continue }
            try await file.write { db in
                for row in rows {
                    try db.execute(
                        sql: """
                            INSERT INTO quotas (counter, subject, period, calls, ending) VALUES (?, ?, ?, ?, ?)
                            ON CONFLICT (counter, subject) DO UPDATE SET calls = max(calls, excluded.calls)
                            """,
                        arguments: [row.counter, name(row.subject), row.period, row.calls, row.end]
                    )
                    try db.execute(
                        sql: "DELETE FROM quotas WHERE counter = ? AND subject = ?",
                        arguments: [row.counter, row.subject]
                    )
                }
            }
        }
    }
}
