import Foundation
import Store
import Telemetry
import Testing

@Suite struct FactReportTests {
    private func withStore(_ body: (SQLiteFactStore) async throws -> Void) async throws {
        let path = FileManager.default.temporaryDirectory.path + "/gatehouse-\(UUID().uuidString).sqlite"
        defer { for end in ["", "-wal", "-shm"] { try? FileManager.default.removeItem(atPath: path + end) } }
        let store = try SQLiteFactStore(path: path)
        try await body(store)
        try store.close()
    }

    private static let start: Int64 = 29_000_000

    /// Three days of calls, a row every 7 minutes for each of a few subjects.
    private func fill(_ store: SQLiteFactStore) async throws {
        var rows: [UsageRow] = []
        for minute in stride(from: Self.start, to: Self.start + 3 * 1440, by: 7) {
            for subject in 0..<3 {
                var totals = UsageTotals()
                totals.success = 1 + minute % 5
                totals.failed = Int64(subject)
                totals.bandwidth = minute % 1000
                totals.time = UsageTotals.Span(count: 2, sum: minute % 97, min: minute % 11, max: minute % 89)
                totals.latency.record(microseconds: UInt64(minute % 500))
                let who = UsageSubject(
                    api: "api-\(subject % 2)",
                    operation: "o",
                    product: "",
                    subscription: "s\(subject)",
                    user: ""
                )
                rows.append(UsageRow(minute: minute, run: 1, subject: who, totals: totals))
            }
        }
        try await store.write(rows, [])
    }

    private func shown(_ store: SQLiteFactStore) async throws -> [String] {
        var result: [String] = []
        for (from, to) in [(0, 3 * 1440), (13, 1440 * 2 + 77), (100, 101), (1440, 2880), (59, 125), (5000, 9000)] {
            var scope = FactScope(from: (Self.start + Int64(from)) * 60_000, to: (Self.start + Int64(to)) * 60_000)
            for interval in [nil, 15, 60, 180, 1440] as [Int64?] {
                scope.matches = from == 13 ? [(.api, "API-0")] : []
                let query = UsageQuery(scope: scope, groups: [.api, .subscription], interval: interval, top: 1000)
                for row in try await store.usage(query) {
                    result.append("\(from) \(interval ?? 0) \(row.subject) \(row.minute ?? 0) \(row.totals)")
                }
            }
        }
        return result
    }

    @Test func `hours and days tell what their minutes told`() async throws {
        try await withStore { store in
            try await fill(store)
            let before = try await shown(store)
            var turns = 0
            while try await store.fold(now: Self.start + 3 * 1440 + 30) { turns += 1 }
            let again = try await store.fold(now: Self.start + 3 * 1440 + 30)
            #expect(before.count > 500 && turns > 1 && !again)
            let after = try await shown(store)
            #expect(after == before)
            // Minutes that are forgotten are told by their hours no more.
            try await store.forget(usageBefore: Self.start + 10_000, requestsBefore: 0, requestsMax: 1)
            let nothing = try await shown(store)
            #expect(nothing.isEmpty)
        }
    }
}
