import Blobs
import Foundation
import Testing

@Suite struct ContentStoreTests {
    private let folder = FileManager.default.temporaryDirectory.path + "/gatehouse-\(UUID().uuidString)"

    @Test func `what was acknowledged is on the disk, whichever step failed before`() async throws {
        for failAt in 1...5 {
            let disk = SimulatedDisk(failAt: failAt)
            let store = try ContentStore(folder: folder, files: disk)
            var acknowledged: [String] = []
            for turn in 0..<3 {
                if let name = try? await store.write(Array("content \(turn)".utf8)) { acknowledged.append(name) }
            }
            #expect(acknowledged.count >= 2)
            disk.losePower()
            for name in acknowledged { #expect(disk.files["\(folder)/\(name)"]?.bytes.isEmpty == false) }
        }
        try? FileManager.default.removeItem(atPath: folder)
    }

    @Test func `a flipped byte is reported and not served`() async throws {
        let store = try ContentStore(folder: folder)
        let name = try await store.write(Array("precious".utf8))
        #expect(try await store.load(name) == Array("precious".utf8))
        try Data("precioux".utf8).write(to: URL(fileURLWithPath: "\(folder)/\(name)"))
        await #expect(throws: ContentStore.Failure.damaged(name)) { try await store.load(name) }
        try FileManager.default.removeItem(atPath: folder)
    }

    @Test func `orphans are collected`() async throws {
        let store = try ContentStore(folder: folder)
        let kept = try await store.write([1])
        _ = try await store.write([2])
        #expect(try await store.collect(keeping: [kept]) == 1)
        #expect(try await store.load(kept) == [1])
        try FileManager.default.removeItem(atPath: folder)
    }
}
