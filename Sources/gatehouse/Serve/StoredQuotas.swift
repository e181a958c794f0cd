import Gateway
import Store

/// Keeps the gateway's quotas in the store.
struct StoredQuotas: QuotaLedger {
    let store: any QuotaStore

    func reserve(counter: String, subject: String, period: Int64, calls: Int64) async throws {
        try await store.reserve(
            QuotaReservation(counter: counter, subject: subject, period: period, calls: calls)
        )
    }

    func reserved(counter: String, subject: String, period: Int64) async throws -> Int64 {
        try await store.reserved(counter: counter, subject: subject, period: period)
    }
}
