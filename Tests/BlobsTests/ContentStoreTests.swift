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

    @Test func `orphans are put aside, brought back when they are named, and removed after their time`() async throws {
        let store = try ContentStore(folder: folder)
        let kept = try await store.write([1])
        let other = try await store.write([2])
        try Data("half".utf8).write(to: URL(fileURLWithPath: "\(folder)/\(other).x.new"))
        try Data("foreign".utf8).write(to: URL(fileURLWithPath: "\(folder)/README"))
        let time = 1_790_000_000.0
        let first = try await store.tendOrphans(naming: [kept], now: time)
        #expect(first == .init(putAside: 2, broughtBack: 0))
        #expect(try await store.load(kept) == [1])
        await #expect(throws: ContentStore.Failure.notFound(other)) { try await store.load(other) }
        #expect(FileManager.default.fileExists(atPath: "\(folder)/README"))
        let orphans = OrphanFolder(of: folder)
        let batch = try #require(try orphans.batches().first)
        #expect(
            OrphanFolder.time(of: batch.name) == time && batch.files.sorted() == [other, "\(other).x.new"].sorted()
        )
        // Named again, as after a restore.
        let second = try await store.tendOrphans(naming: [kept, other], now: time + 60)
        #expect(second == .init(putAside: 0, broughtBack: 1))
        #expect(try await store.load(other) == [2])
        #expect(try orphans.removeBatches(before: time) == 0)
        #expect(try orphans.removeBatches(before: time + 1) == 1)
        #expect(try orphans.batches().isEmpty)
        try FileManager.default.removeItem(atPath: folder)
    }

    @Test func `a file that is put back destroys no other`() async throws {
        let store = try ContentStore(folder: folder)
        let name = try await store.write([1])
        _ = try await store.tendOrphans(naming: [], now: 1_790_000_000)
        #expect(try await store.write([1]) == name)
        let orphans = OrphanFolder(of: folder)
        let batch = try #require(try orphans.batches().first)
        #expect(try orphans.restore(name, of: batch.name, to: "") == false)
        #expect(try orphans.batches().first?.files == [name])
        try FileManager.default.removeItem(atPath: folder)
    }

    @Test func `new contents never take the number of a file that may come back`() async throws {
        let disk = SimulatedDisk()
        for id in ["3", "2a"] { try disk.write([7], to: "\(folder)/0/\(id)") }
        let files = try ContentFiles(folder: folder, lastID: 5, files: disk)
        let first = try await files.tendOrphans(now: 1_790_000_000) { $0.intersection([3]) }
        #expect(first == .init(putAside: 1, broughtBack: 0) && files.makeID() == 0x2B)
        try await files.shutdown()
        // At the next start the database is the one that names it.
        let next = try ContentFiles(folder: folder, lastID: 5, files: disk)
        let second = try await next.tendOrphans(now: 1_790_000_060) { $0 }
        #expect(second == .init(putAside: 0, broughtBack: 1) && next.makeID() == 0x2B)
        #expect(disk.files.keys.sorted() == ["\(folder)/0/2a", "\(folder)/0/3"])
        try await next.shutdown()
        try FileManager.default.removeItem(atPath: folder)
    }

    @Test func `a full disk leaves orphans where they are`() async throws {
        let disk = SimulatedDisk()
        for id in ["1", "2", "3"] { try disk.write([7], to: "\(folder)/0/\(id)") }
        disk.fail(after: 3)
        let files = try ContentFiles(folder: folder, lastID: 0, files: disk)
        let count = try await files.tendOrphans(now: 1_790_000_000) { _ in [] }
        #expect(count.putAside == 1 && disk.files.count == 3 && files.makeID() == 4)
        try await files.shutdown()
        try FileManager.default.removeItem(atPath: folder)
    }
}
