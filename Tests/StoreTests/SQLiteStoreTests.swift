import Foundation
import ResourceModel
import Store
import Testing

@Suite struct SQLiteStoreTests {
    private let box = SecretBox(masterKey: [UInt8](repeating: 7, count: 32))

    private func withStore(_ body: (SQLiteResourceStore) async throws -> Void) async throws {
        let path = FileManager.default.temporaryDirectory.path + "/gatehouse-\(UUID().uuidString).sqlite"
        defer { for end in ["", "-wal", "-shm"] { try? FileManager.default.removeItem(atPath: path + end) } }
        let store = try SQLiteResourceStore(path: path)
        try await body(store)
        try store.file.close()
    }

    @Test func `it conforms`() async throws {
        try await withStore { try await ResourceStoreConformance.keepsWhatWasPut($0) }
        try await withStore { try await ResourceStoreConformance.honoursConditions($0) }
        try await withStore { try await ResourceStoreConformance.appliesAllOrNothing($0) }
        try await withStore { try await ResourceStoreConformance.checksRequirements($0) }
        try await withStore { try await ResourceStoreConformance.pagesByKey($0) }
        try await withStore { try await ResourceStoreConformance.deletesChildrenAndTellsChanges($0) }
        try await withStore { try await ResourceStoreConformance.filtersOrdersAndCounts($0) }
        try await withStore { try await ResourceStoreConformance.tellsWhoChangedWhat($0) }
        try await withStore { try await ResourceStoreConformance.keepsSecretsApart($0, box) }
        try await withStore { try await ResourceStoreConformance.letsOneWriterWin($0) }
    }

    @Test func `a commit waits for the disk`() async throws {
        try await withStore { store in
            let level = try store.file.synchronousLevel()
            #expect(level == 2)
        }
    }

    @Test func `its queue and its quotas conform`() async throws {
        let path = FileManager.default.temporaryDirectory.path + "/gatehouse-\(UUID().uuidString).sqlite"
        defer { for end in ["", "-wal", "-shm"] { try? FileManager.default.removeItem(atPath: path + end) } }
        let queue = try SQLiteWorkQueue(path: path)
        try await WorkQueueConformance.handsEachItemOutOnceOldestFirst(queue)
        try await WorkQueueConformance.keepsSteps(queue)
        try await WorkQueueConformance.cancels(queue)
        try await WorkQueueConformance.forgetsTheOldest(queue)
        try await WorkQueueConformance.isFair(queue)
        try await WorkQueueConformance.fencesClaims(queue)
        try await WorkQueueConformance.aborts(queue)
        try await QuotaStoreConformance.keepsWhatIsReserved(SQLiteQuotaStore(queue))
        try await QuotaStoreConformance.renamesSubjects(SQLiteQuotaStore(queue))
        try queue.file.close()
    }

    @Test func `its sessions and its one-time codes conform`() async throws {
        for suite in [
            SessionStoreConformance.keepsSessions, SessionStoreConformance.removesWhatEnded,
            SessionStoreConformance.opensOnce,
        ] {
            let path = FileManager.default.temporaryDirectory.path + "/gatehouse-\(UUID().uuidString).sqlite"
            defer { for end in ["", "-wal", "-shm"] { try? FileManager.default.removeItem(atPath: path + end) } }
            let queue = try SQLiteWorkQueue(path: path)
            try await suite(SQLiteSessionStore(queue))
            try queue.file.close()
        }
    }

    @Test func `passwords are found right and wrong`() throws {
        let stored = try PasswordHash.make("correct horse")
        #expect(!stored.contains("correct"))
        #expect(PasswordHash.verify("correct horse", stored))
        #expect(!PasswordHash.verify("correct horsf", stored))
        #expect(!PasswordHash.verify("correct horse", "garbage"))
        #expect(!PasswordHash.verify("", PasswordHash.ofNobody()))
    }

    @Test func `passwords are judged by the parameters that they were hashed with, within bounds`() {
        // Made by another program's scrypt.
        let words = [
            "scrypt", "1024", "4", "MDEyMzQ1Njc4OWFiY2RlZg==", "1XGeeaXGxwIaEQ6sm+1SktIna+rH/v/jtn44Pb/qBC4=",
        ]
        let stored = { (place: Int, word: String) in
            words.enumerated().map { $0.offset == place ? word : $0.element }.joined(separator: "$")
        }
        #expect(PasswordHash.verify("correct horse", stored(0, "scrypt")))
        for (place, word) in [
            (0, "bcrypt"), (1, "2048"), (1, "1000"), (1, "512"), (1, "1073741824"), (1, "-1"), (2, "5"), (2, "0"),
            (2, "1000000"), (3, "AAAA"), (4, "AAAA"), (4, ""),
        ] { #expect(!PasswordHash.verify("correct horse", stored(place, word)), "\(word) at \(place)") }
    }
}
