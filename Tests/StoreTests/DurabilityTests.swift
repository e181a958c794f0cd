import CFaultVFS
import Foundation
import ResourceModel
import Store
import Testing

/// What was acknowledged was synced: the disk is cut back to what was synced, and everything acknowledged must be there.
@Suite(.serialized) struct DurabilityTests {
    private func folder() throws -> String {
        let path =
            FileManager.default.temporaryDirectory.resolvingSymlinksInPath().path + "/gatehouse-\(UUID().uuidString)"
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
        return path
    }

    @Test func `every acknowledged resource survives a loss of power`() async throws {
        #expect(fault_vfs_install() == 0)
        let live = try folder()
        defer { try? FileManager.default.removeItem(atPath: live) }
        let store = try SQLiteResourceStore(path: "\(live)/configuration.sqlite")
        #expect(try store.file.synchronousLevel() == 2)
        for turn in 1...20 {
            // Several writers at once, so that groups are committed together.
            try await withThrowingTaskGroup(of: Void.self) { group in
                for writer in 0..<8 {
                    group.addTask {
                        let id = ResourceID(["apis", "api-\(turn)-\(writer)"])
                        _ = try await store.apply([
                            ResourceWrite(id, .put(properties: ["turn": .int(turn)], index: [], secrets: []))
                        ])
                    }
                }
                try await group.waitForAll()
            }
            let after = try folder()
            defer { try? FileManager.default.removeItem(atPath: after) }
            #expect(fault_vfs_power_loss(live, after) > 0)
            let survivor = try SQLiteResourceStore(path: "\(after)/configuration.sqlite")
            let query = ResourceQuery(parent: .service, type: "apis", limit: 1)
            #expect(try await survivor.count(query) == turn * 8)
            try survivor.file.close()
        }
        try store.file.close()
    }

    @Test func `on a full disk only deletions are taken, and they are`() async throws {
        #expect(fault_vfs_install() == 0)
        let live = try folder()
        defer { try? FileManager.default.removeItem(atPath: live) }
        let reserve = DiskReserve(path: "\(live)/reserve")
        #expect(reserve.fill() && !reserve.isReleased)
        let store = try SQLiteResourceStore(path: "\(live)/configuration.sqlite", .init(reserve: reserve))
        let id = { @Sendable (number: Int) in ResourceID(["apis", "api-\(number)"]) }
        let put = { @Sendable (number: Int) async throws in
            _ = try await store.apply([
                ResourceWrite(id(number), .put(properties: ["number": .int(number)], index: [], secrets: []))
            ])
        }
        for number in 0..<10 { try await put(number) }
        fault_vfs_full_while(live, "\(live)/reserve")
        defer { fault_vfs_full_while(nil, nil) }
        // While the reserve is there, whoever stores something gets no part of it.
        await #expect(throws: StoreError.diskFull) { try await put(10) }
        #expect(reserve.isReleased && store.file.isFailing)
        await #expect(throws: StoreError.diskFull) { try await put(11) }
        #expect(try await store.get(id(10)) == nil)
        // Deletions go on, also where they wait together with others.
        try await withThrowingTaskGroup(of: Void.self) { group in
            for number in 0..<8 {
                group.addTask {
                    try await SpaceUse.$isFreeing.withValue(true) {
                        _ = try await store.apply([ResourceWrite(id(number), .delete)])
                    }
                }
                group.addTask { await #expect(throws: StoreError.diskFull) { try await put(20 + number) } }
            }
            try await group.waitForAll()
        }
        let query = ResourceQuery(parent: .service, type: "apis", limit: 1)
        #expect(try await store.count(query) == 2)
        // With room again all goes on, and there is a reserve again.
        fault_vfs_full_while(nil, nil)
        #expect(reserve.fill() && !reserve.isReleased)
        try await put(30)
        #expect(!store.file.isFailing)
        #expect(try await store.count(query) == 3)
        try store.file.close()
    }

    @Test func `a deletion on a full disk takes the reserve`() async throws {
        #expect(fault_vfs_install() == 0)
        let live = try folder()
        defer { try? FileManager.default.removeItem(atPath: live) }
        let reserve = DiskReserve(path: "\(live)/reserve")
        reserve.fill()
        let store = try SQLiteResourceStore(path: "\(live)/configuration.sqlite", .init(reserve: reserve))
        let id = ResourceID(["apis", "one"])
        _ = try await store.apply([ResourceWrite(id, .put(properties: [:], index: [], secrets: []))])
        fault_vfs_full_while(live, "\(live)/reserve")
        defer { fault_vfs_full_while(nil, nil) }
        try await SpaceUse.$isFreeing.withValue(true) { _ = try await store.apply([ResourceWrite(id, .delete)]) }
        #expect(try await store.get(id) == nil)
        #expect(!FileManager.default.fileExists(atPath: "\(live)/reserve"))
        try store.file.close()
    }

    @Test func `an accepted run survives a loss of power`() async throws {
        #expect(fault_vfs_install() == 0)
        let live = try folder()
        defer { try? FileManager.default.removeItem(atPath: live) }
        let queue = try SQLiteWorkQueue(path: "\(live)/work.sqlite")
        try await queue.enqueue(WorkItem(id: "one", kind: "run", subject: "x", payload: ["a": 1], createdAt: 1))
        let after = try folder()
        defer { try? FileManager.default.removeItem(atPath: after) }
        #expect(fault_vfs_power_loss(live, after) > 0)
        let survivor = try SQLiteWorkQueue(path: "\(after)/work.sqlite")
        #expect(try await survivor.get("one")?.payload["a"]?.int == 1)
        try survivor.file.close()
        try queue.file.close()
    }
}
