import Store
import Testing

/// What every store of quotas must do.
enum QuotaStoreConformance {
    static func keepsWhatIsReserved(_ store: any QuotaStore) async throws {
        func reserve(_ subject: String, _ period: Int64, _ calls: Int64) async throws {
            try await store.reserve(QuotaReservation(counter: "c", subject: subject, period: period, calls: calls))
        }
        func reserved(_ subject: String, _ period: Int64) async throws -> Int64 {
            try await store.reserved(counter: "c", subject: subject, period: period)
        }
        #expect(try await reserved("a", 0) == 0)
        try await reserve("a", 0, 10)
        try await reserve("b", 0, 3)
        #expect(try await reserved("a", 0) == 10)
        #expect(try await reserved("b", 0) == 3)
        // A late writer does not take back what another reserved.
        try await reserve("a", 0, 7)
        #expect(try await reserved("a", 0) == 10)
        try await reserve("a", 0, 20)
        #expect(try await reserved("a", 0) == 20)
        try await reserve("a", -62_135_596_800, 1)
        #expect(try await reserved("a", -62_135_596_800) == 1)
        #expect(try await reserved("a", 0) == 0)
        // Who manages quotas may set less, and sees what there is.
        try await store.replace(QuotaReservation(counter: "c", subject: "b", period: 0, end: 300, calls: 1))
        #expect(try await reserved("b", 0) == 1)
        let found = try await store.reservations(subject: "b")
        #expect(found == [QuotaReservation(counter: "c", subject: "b", period: 0, end: 300, calls: 1)])
        #expect(try await store.reserved(counter: "other", subject: "a", period: -62_135_596_800) == 0)
    }
}
