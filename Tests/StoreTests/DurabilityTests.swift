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
