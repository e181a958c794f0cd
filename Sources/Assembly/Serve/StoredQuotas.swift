import Foundation
import Gateway
import Management
import Policies
import Store

/// Keeps the gateway's quotas in the store.
struct StoredQuotas: QuotaLedger {
    let store: any QuotaStore

    func reserve(_ standing: QuotaStanding) async throws { try await store.reserve(Self.reservation(standing)) }

    func replace(_ standing: QuotaStanding) async throws { try await store.replace(Self.reservation(standing)) }

    func reserved(counter: String, subject: String, period: Int64, end: Int64?) async throws -> Int64 {
        try await store.reserved(
            counter: counter,
            subject: Self.stored(subject, counter),
            period: period,
            end: end
        )
    }

    func standings(subject: String) async throws -> [QuotaStanding] {
        // A key and a subscription may have the same name.
        let rows =
            try await store.reservations(subject: subject)
            + store.reservations(subject: CounterKey.stored(subject))
        return rows.map { row in
            QuotaStanding(
                counter: row.counter,
                subject: subject,
                period: row.period,
                end: row.end,
                count: row.calls
            )
        }
    }

    /// Keys as they lie on the disk; those that an earlier version wrote as they were become so too.
    static func digestKeys(in store: SQLiteQuotaStore) async throws {
        try await store.renameSubjects(ofCountersFrom: QuotaWindow.byKeyStart) { CounterKey.stored($0) }
    }

    private static func stored(_ subject: String, _ counter: String) -> String {
        counter.hasPrefix(QuotaWindow.byKeyStart) ? CounterKey.stored(subject) : subject
    }

    private static func reservation(_ standing: QuotaStanding) -> QuotaReservation {
        QuotaReservation(
            counter: standing.counter,
            subject: stored(standing.subject, standing.counter),
            period: standing.period,
            end: standing.end,
            calls: standing.count
        )
    }

    /// The counters as management shows and sets them.
    static func views(_ counters: QuotaCounters) -> QuotaViews {
        QuotaViews(
            find: { key in
                try await counters.standings(subject: key).map { standing in
                    let isBandwidth = standing.counter.hasSuffix(QuotaWindow.bytesMark)
                    return QuotaViews.Counter(
                        name: isBandwidth
                            ? String(standing.counter.dropLast(QuotaWindow.bytesMark.count)) : standing.counter,
                        key: key,
                        start: Date(timeIntervalSince1970: Double(standing.period)),
                        end: standing.end.map { Date(timeIntervalSince1970: Double($0)) },
                        isBandwidth: isBandwidth,
                        count: standing.count
                    )
                }
            },
            set: { counter, count in
                try await counters.replace(
                    QuotaStanding(
                        counter: counter.name + (counter.isBandwidth ? QuotaWindow.bytesMark : ""),
                        subject: counter.key,
                        period: Int64(counter.start.timeIntervalSince1970),
                        end: counter.end.map { Int64($0.timeIntervalSince1970) },
                        count: count
                    )
                )
            }
        )
    }
}
