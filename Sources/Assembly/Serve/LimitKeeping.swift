import Gateway
import Store

/// The counters of limits and quotas, and the store that quotas are reserved in.
struct LimitKeeping: Sendable {
    let counters: LimitCounters
    let quotas: QuotaCounters
    let store: any QuotaStore

    static func open(_ opened: OpenInstallation, _ settings: ServeSettings) async throws -> LimitKeeping {
        let store = SQLiteQuotaStore(opened.queue)
        _ = try await store.removeEnded(before: QuotaCounters.clock())
        try await StoredQuotas.digestKeys(in: store)
        return LimitKeeping(
            counters: LimitCounters(keysMax: settings.limitKeysMax),
            quotas: QuotaCounters(ledger: StoredQuotas(store: store), keysMax: settings.limitKeysMax),
            store: store
        )
    }
}
