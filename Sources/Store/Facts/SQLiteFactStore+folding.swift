import Foundation
import GRDB
import Telemetry

/// Roll-ups of hours and days, made of those of minutes, so that a report over months reads some thousand rows.
extension SQLiteFactStore {
    /// Minutes of an hour and of a day.
    static let spans: [Int64] = [1440, 60]
    /// Minutes after which nothing more is told of an hour: calls are written within seconds.
    private static let settledAfter: Int64 = 5
    /// Spans folded in one transaction: it stays below some hundred milliseconds.
    private static let spansOfTransaction: Int64 = 24

    static let foldingMigration = SQLiteFile.Migration(
        """
        CREATE TABLE usage_folded (
            span INTEGER NOT NULL,
            minute INTEGER NOT NULL,
            api TEXT NOT NULL,
            operation TEXT NOT NULL,
            product TEXT NOT NULL,
            subscription TEXT NOT NULL,
            user TEXT NOT NULL,
            success INTEGER NOT NULL,
            blocked INTEGER NOT NULL,
            failed INTEGER NOT NULL,
            other INTEGER NOT NULL,
            bandwidth INTEGER NOT NULL,
            cache_hits INTEGER NOT NULL,
            cache_misses INTEGER NOT NULL,
            time_count INTEGER NOT NULL,
            time_sum INTEGER NOT NULL,
            time_min INTEGER NOT NULL,
            time_max INTEGER NOT NULL,
            service_count INTEGER NOT NULL,
            service_sum INTEGER NOT NULL,
            service_min INTEGER NOT NULL,
            service_max INTEGER NOT NULL,
            latency BLOB NOT NULL,
            PRIMARY KEY (span, minute, api, operation, product, subscription, user)
        ) STRICT, WITHOUT ROWID;
        CREATE TABLE folded (
            span INTEGER NOT NULL PRIMARY KEY,
            until INTEGER NOT NULL
        ) STRICT;
        """
    )

    package func fold(now minute: Int64) async throws -> Bool {
        var hasMore = false
        // Hours first: days are made of them.
        for span in Self.spans.reversed() {
            if try await file.write({ db in try Self.fold(span, minute, db) }) { hasMore = true }
        }
        return hasMore
    }

    /// Minutes before which all is folded; nil where nothing is.
    static func until(_ span: Int64, _ db: Database) throws -> Int64? {
        try Int64.fetchOne(db, sql: "SELECT until FROM folded WHERE span = ?", arguments: [span])
    }

    /// - Returns: whether there is more to fold.
    private static func fold(_ span: Int64, _ now: Int64, _ db: Database) throws -> Bool {
        let source = span == 60 ? "usage WHERE " : "usage_folded WHERE span = 60 AND "
        let settled = span == 60 ? now - settledAfter : try until(60, db) ?? 0
        let target = settled / span * span
        let known = try until(span, db) ?? 0
        // Where nothing happened there is nothing to walk through.
        let first = try Int64.fetchOne(db, sql: "SELECT min(minute) FROM \(source)minute >= ?", arguments: [known])
        guard let first, max(known, first / span * span) < target else {
            if known < target { try note(span, until: target, db) }
            return false
        }
        let start = max(known, first / span * span)
        let end = min(target, start + span * spansOfTransaction)
        var totals: [Key: UsageTotals] = [:]
        let rows = try Row.fetchCursor(
            db,
            sql: """
                SELECT \(subjectColumns), minute, \(totalColumns), latency
                FROM \(source)minute >= ? AND minute < ?
                """,
            arguments: [start, end]
        )
        while let row = try rows.next() {
            var found = Self.totals(row)
            found.latency = LatencyHistogram(bytes: Array(row[24] as Data)) ?? LatencyHistogram()
            let minute: Int64 = row[8]
            totals[Key(minute: minute / span * span, subject: subject(row)), default: UsageTotals()].merge(found)
        }
        let statement = try db.cachedStatement(
            sql: """
                INSERT OR REPLACE INTO usage_folded (span, minute, \(subjectColumns), \(totalColumns), latency)
                VALUES (\(marks(26)))
                """
        )
        for (key, totals) in totals {
            try statement.execute(
                arguments: [span, key.minute] + Self.arguments(key.subject) + Self.arguments(totals)
            )
        }
        try note(span, until: end, db)
        return end < target
    }

    private struct Key: Hashable {
        let minute: Int64
        let subject: UsageSubject
    }

    private static func note(_ span: Int64, until: Int64, _ db: Database) throws {
        try db.execute(sql: "INSERT OR REPLACE INTO folded VALUES (?, ?)", arguments: [span, until])
    }

    // MARK: - Reading

    /// A stretch of time and the roll-ups that it is read from; a span of 1 is that of minutes.
    struct Stretch {
        let span: Int64
        let from: Int64
        /// Exclusive.
        let to: Int64
    }

    /// The fewest roll-ups that cover a time.
    ///
    /// - Parameter spans: usable ones, the longest first.
    static func cover(_ from: Int64, _ to: Int64, _ spans: [(span: Int64, until: Int64)]) -> [Stretch] {
        guard from < to else { return [] }
        guard let (span, until) = spans.first else { return [Stretch(span: 1, from: from, to: to)] }
        let rest = Array(spans.dropFirst())
        let start = (from + span - 1) / span * span
        let end = min(to / span * span, until)
        guard start < end else { return cover(from, to, rest) }
        return cover(from, start, rest) + [Stretch(span: span, from: start, to: end)] + cover(end, to, rest)
    }
}
