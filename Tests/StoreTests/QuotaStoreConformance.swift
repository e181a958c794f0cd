import Store
import Testing

/// What every store of quotas must do.
enum QuotaStoreConformance {
    static func keepsWhatIsReserved(_ store: any QuotaStore) async throws {
        func reserve(_ subject: String, _ period: Int64, _ calls: Int64) async throws {
            try await store.reserve(QuotaReservation(counter: "c", subject: subject, period: period, calls: calls))
        }
        func reserved(_ subject: String, _ period: Int64, _ end: Int64? = nil) async throws -> Int64 {
            try await store.reserved(counter: "c", subject: subject, period: period, end: end)
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
        #expect(try await reserved("b", 0, 300) == 1)
        // A period of another length is another one.
        #expect(try await reserved("b", 0) == 0)
        #expect(try await reserved("b", 0, 3600) == 0)
        try await store.reserve(QuotaReservation(counter: "c", subject: "d", period: 0, end: 300, calls: 9))
        try await store.reserve(QuotaReservation(counter: "c", subject: "d", period: 0, end: 600, calls: 2))
        #expect(try await reserved("d", 0, 600) == 2)
        let found = try await store.reservations(subject: "b")
        #expect(found == [QuotaReservation(counter: "c", subject: "b", period: 0, end: 300, calls: 1)])
        #expect(try await store.reserved(counter: "other", subject: "a", period: -62_135_596_800, end: nil) == 0)
        // What is over goes; what never ends stays.
        for number in 0..<2500 {
            try await store.reserve(
                QuotaReservation(counter: "c", subject: "s\(number)", period: 0, end: 1000, calls: 1)
            )
        }
        #expect(try await store.removeEnded(before: 1000) == 2)
        #expect(try await reserved("s7", 0, 1000) == 1)
        #expect(try await store.removeEnded(before: 1001) == 2500)
        #expect(try await reserved("s7", 0, 1000) == 0)
        #expect(try await reserved("a", -62_135_596_800) == 1)
        #expect(try await store.removeEnded(before: .max) == 0)
    }

    static func renamesSubjects(_ store: SQLiteQuotaStore) async throws {
        func reserve(_ counter: String, _ subject: String, _ calls: Int64) async throws {
            try await store.reserve(QuotaReservation(counter: counter, subject: subject, period: 0, calls: calls))
        }
        try await reserve("by key 1", "long", 3)
        try await reserve("by key 1", "LONG", 5)
        try await reserve("by key 2", "SHORT", 7)
        try await reserve("by", "long", 9)
        for _ in 0..<2 {
            try await store.renameSubjects(ofCountersFrom: "by key ") { $0.uppercased() }
            for (subject, row) in [("long", "by 9"), ("LONG", "by key 1 5"), ("SHORT", "by key 2 7")] {
                let found = try await store.reservations(subject: subject).map { "\($0.counter) \($0.calls)" }
                #expect(found == [row])
            }
        }
    }
}
