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

    private let file: SQLiteFile

    package init(_ queue: SQLiteWorkQueue) { file = queue.file }

    package func reserve(_ reservation: QuotaReservation) async throws {
        try await file.write { db in
            // One row a counter: its period only goes on, unless somebody sets the clock back.
            try db.execute(
                sql: """
                    INSERT INTO quotas (counter, subject, period, calls) VALUES (?, ?, ?, ?)
                    ON CONFLICT (counter, subject) DO UPDATE SET calls = excluded.calls, period = excluded.period
                    WHERE excluded.period <> period OR excluded.calls > calls
                    """,
                arguments: [reservation.counter, reservation.subject, reservation.period, reservation.calls]
            )
        }
    }

    package func reserved(counter: String, subject: String, period: Int64) async throws -> Int64 {
        try await file.read { db in
            try Int64.fetchOne(
                db,
                sql: "SELECT calls FROM quotas WHERE counter = ? AND subject = ? AND period = ?",
                arguments: [counter, subject, period]
            ) ?? 0
        }
    }
}
