import Foundation
import GRDB
import Telemetry

/// Facts in a SQLite file of their own, so that writing them never waits for configuration or jobs, nor the reverse.
package final class SQLiteFactStore: FactStore {
    package let file: SQLiteFile

    package init(path: String, _ surroundings: SQLiteFile.Surroundings = .init()) throws {
        file = try SQLiteFile(path: path, migrations: SQLiteFactStore.migrations, surroundings: surroundings)
    }

    static let migrations = [
        SQLiteFile.Migration(
            """
            CREATE TABLE usage (
                minute INTEGER NOT NULL,
                api TEXT NOT NULL,
                operation TEXT NOT NULL,
                product TEXT NOT NULL,
                subscription TEXT NOT NULL,
                user TEXT NOT NULL,
                run INTEGER NOT NULL,
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
                PRIMARY KEY (minute, api, operation, product, subscription, user, run)
            ) STRICT, WITHOUT ROWID;
            CREATE TABLE requests (
                ordinal INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
                time INTEGER NOT NULL,
                id TEXT NOT NULL,
                api TEXT NOT NULL,
                operation TEXT NOT NULL,
                product TEXT NOT NULL,
                subscription TEXT NOT NULL,
                user TEXT NOT NULL,
                method TEXT NOT NULL,
                url TEXT NOT NULL,
                address TEXT NOT NULL,
                status INTEGER NOT NULL,
                backend_status INTEGER NOT NULL,
                whole INTEGER NOT NULL,
                request_bytes INTEGER NOT NULL,
                response_bytes INTEGER NOT NULL,
                microseconds INTEGER NOT NULL,
                service_microseconds INTEGER,
                cache TEXT NOT NULL,
                error_source TEXT,
                error_reason TEXT,
                error_section TEXT,
                error_policy TEXT,
                weight INTEGER NOT NULL
            ) STRICT;
            CREATE INDEX requests_time ON requests (time);
            """
        ),
        SQLiteFactStore.foldingMigration,
        // Calls are told apart by where their callers are as well.
        placing("usage", key: "minute, api, operation, product, subscription, user, country, region, zip, run"),
        placing("usage_folded", key: "span, minute, api, operation, product, subscription, user, country, region, zip"),
        SQLiteFile.installationMigration,
    ]

    /// Makes a table of roll-ups anew with three columns more, which belong to its key.
    private static func placing(_ table: String, key: String) -> SQLiteFile.Migration {
        let first = table == "usage" ? "minute" : "span, minute"
        let run = table == "usage" ? ", run" : ""
        let subject = "api, operation, product, subscription, user"
        let kept = "\(first), \(subject)\(run), \(totalColumns), latency"
        let whole = (first + run).split(separator: ", ").map { "\($0) INTEGER NOT NULL" }
        let texts = (subject + ", country, region, zip").split(separator: ", ").map { "\($0) TEXT NOT NULL DEFAULT ''" }
        let numbers = totalColumns.split(separator: ", ").map { "\($0) INTEGER NOT NULL" }
        return SQLiteFile.Migration(
            """
            CREATE TABLE placed (
                \((whole + texts + numbers + ["latency BLOB NOT NULL"]).joined(separator: ",\n    ")),
                PRIMARY KEY (\(key))
            ) STRICT, WITHOUT ROWID;
            INSERT INTO placed (\(kept)) SELECT \(kept) FROM \(table);
            DROP TABLE \(table);
            ALTER TABLE placed RENAME TO \(table);
            """
        )
    }

    /// The columns of totals, without the histogram, in their order.
    static let totalColumns =
        "success, blocked, failed, other, bandwidth, cache_hits, cache_misses, time_count, time_sum, time_min, time_max, "
        + "service_count, service_sum, service_min, service_max"
    /// The columns of a subject in their order.
    static let subjectColumns = FactField.allCases.map(\.rawValue).joined(separator: ", ")

    static func arguments(_ subject: UsageSubject) -> StatementArguments {
        let place = subject.place ?? CallerPlace(country: "")
        return [
            subject.api, subject.operation, subject.product, subject.subscription, subject.user, place.country,
            place.region,
            place.zip,
        ]
    }

    /// As many question marks.
    static func marks(_ count: Int) -> String { Array(repeating: "?", count: count).joined(separator: ", ") }

    package func write(_ usage: [UsageRow], _ requests: [RequestRow]) async throws {
        try await file.write { db in
            if !usage.isEmpty {
                let statement = try db.cachedStatement(
                    sql: """
                        INSERT OR REPLACE INTO usage (minute, run, \(Self.subjectColumns), \(Self.totalColumns), latency)
                        VALUES (\(Self.marks(26)))
                        """
                )
                for row in usage {
                    try statement.execute(
                        arguments: [row.minute, row.run] + Self.arguments(row.subject) + Self.arguments(row.totals)
                    )
                }
            }
            guard !requests.isEmpty else { return }
            let statement = try db.cachedStatement(
                sql: """
                    INSERT INTO requests (time, id, api, operation, product, subscription, user, method, url, address, status,
                        backend_status, whole, request_bytes, response_bytes, microseconds, service_microseconds, cache,
                        error_source, error_reason, error_section, error_policy, weight)
                    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
                    """
            )
            for row in requests {
                let event = row.event
                try statement.execute(arguments: [
                    event.time, event.id.guid, event.subject.api, event.subject.operation, event.subject.product,
                    event.subject.subscription, event.subject.user, row.method, row.url,
                    String(decoding: event.address, as: UTF8.self), event.status, event.backendStatus,
                    event.isWhole ? 1 : 0, event.requestBytes, event.responseBytes, event.microseconds,
                    event.serviceMicroseconds, event.cache.word, event.error?.source, event.error?.reason,
                    event.error?.section, event.error?.policy, event.weight,
                ])
            }
        }
    }

    package func forget(
        usageBefore minute: Int64,
        requestsBefore milliseconds: Int64,
        requestsMax: Int
    ) async throws {
        try await file.write { db in
            try db.execute(sql: "DELETE FROM usage WHERE minute < ?", arguments: [minute])
            for span in Self.spans {
                try db.execute(
                    sql: "DELETE FROM usage_folded WHERE span = ? AND minute < ?",
                    arguments: [span, minute]
                )
            }
            try db.execute(sql: "DELETE FROM requests WHERE time < ?", arguments: [milliseconds])
            try db.execute(
                sql: "DELETE FROM requests WHERE ordinal <= (SELECT MAX(ordinal) FROM requests) - ?",
                arguments: [requestsMax]
            )
        }
    }

    package func close() throws { try file.close() }

    /// The columns of totals, in their order.
    static func arguments(_ totals: UsageTotals) -> StatementArguments {
        [
            totals.success, totals.blocked, totals.failed, totals.other, totals.bandwidth, totals.cacheHits,
            totals.cacheMisses, totals.time.count, totals.time.sum, totals.time.min, totals.time.max,
            totals.serviceTime.count, totals.serviceTime.sum, totals.serviceTime.min, totals.serviceTime.max,
            blob(totals.latency),
        ]
    }

    private static func blob(_ histogram: LatencyHistogram) -> DatabaseValue {
        histogram.bytes.withUnsafeBufferPointer { Data(buffer: $0) }.databaseValue
    }
}
