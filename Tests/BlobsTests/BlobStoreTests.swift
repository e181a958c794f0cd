import Blobs
import Crypto
import Foundation
import Logging
import NIOCore
import ResourceModel
import Store
import Testing

@Suite struct BlobStoreTests {
    private let folder = FileManager.default.temporaryDirectory.path + "/gatehouse-\(UUID().uuidString)"

    private func open(_ disk: SimulatedDisk) async throws -> (BlobStore, SQLiteWorkQueue) {
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        let queue = try SQLiteWorkQueue(path: "\(folder)/work.sqlite")
        let index = SQLiteBlobIndex(file: queue.file)
        let last = try await index.read { try $0.lastContent() }
        let files = try ContentFiles(folder: "\(folder)/blobs", lastID: last, files: disk)
        _ = try await files.tendOrphans(now: 1) { ids in try await index.read { try $0.known(ids) } }
        return (
            BlobStore(index: index, files: files, logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }),
            queue
        )
    }

    private func place(_ name: String) -> BlobPlace { BlobPlace(account: "a", container: "files", name: name) }

    private func bytes(_ seed: Int, _ count: Int) -> [UInt8] {
        (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 31 &+ seed) }
    }

    private func upload(_ store: BlobStore, _ bytes: [UInt8]) async throws -> ContentUpload {
        let upload = ContentUpload(store.files, withMD5: false)
        do {
            for start in stride(from: 0, to: bytes.count, by: 50_000) {
                try await upload.append([ByteBuffer(bytes: bytes[start..<min(start + 50_000, bytes.count)])])
            }
        } catch {
            upload.abort()
            throw store.failure(error)
        }
        return upload
    }

    /// Small, large, in blocks, appended, copied and deleted: calls `did` with the state after each change that was acknowledged.
    private func exercise(_ store: BlobStore, _ did: (String, [UInt8]?) -> Void, _ failed: (BlobError) -> Void) async {
        func attempt(_ name: String, _ expected: [UInt8]?, _ work: () async throws -> Void) async {
            do {
                try await work()
                did(name, expected)
            } catch let error as BlobError { failed(error) } catch { Issue.record(error) }
        }
        let small = bytes(1, 100)
        let large = bytes(2, 200_000)
        await attempt("small", small) { try await store.write(small, to: place("small"), contentType: "x/y") }
        await attempt("large", large) { try await store.write(large, to: place("large"), contentType: "x/y") }
        await attempt("blocks", large + large) {
            for id in ["AAAA", "BBBB"] {
                try await store.putBlock(place("blocks"), id: id, try await upload(store, large), AccessConditions())
            }
            let list: [(source: BlobStore.BlockSource, id: String)] = [(.latest, "AAAA"), (.latest, "BBBB")]
            _ = try await store.putBlockList(place("blocks"), list, BlobDraft(), AccessConditions())
        }
        await attempt("large", small) { try await store.write(small, to: place("large"), contentType: "x/y") }
        await attempt("small", large) { try await store.write(large, to: place("small"), contentType: "x/y") }
        await attempt("gone", large) { try await store.write(large, to: place("gone"), contentType: "x/y") }
        await attempt("gone", nil) { try await store.deleteBlob(place("gone")) }
    }

    private func check(_ store: BlobStore, _ expected: [String: [UInt8]?]) async throws {
        for (name, bytes) in expected {
            if let bytes {
                #expect(try await store.bytes(place(name), max: 1 << 20) == bytes, "\(name)")
            } else {
                await #expect(throws: BlobError.blobNotFound) { try await store.bytes(place(name), max: 1 << 20) }
            }
        }
    }

    @Test(arguments: [28, 5] as [Int32])
    func `each write point fails once: a clear error, and nothing else is lost`(_ code: Int32) async throws {
        let probe = SimulatedDisk()
        var (store, queue) = try await open(probe)
        await exercise(store, { _, _ in }, { Issue.record($0) })
        let points = probe.operations
        try queue.file.close()
        try FileManager.default.removeItem(atPath: folder)
        #expect(points > 15)
        for failAt in 1...points {
            let disk = SimulatedDisk(failAt: failAt, errorCode: code)
            (store, queue) = try await open(disk)
            var expected: [String: [UInt8]?] = [:]
            var errors: [BlobError] = []
            await exercise(store, { expected[$0] = $1 }, { errors.append($0) })
            // A blob that was not made cannot be deleted: that one more refusal follows from the first.
            #expect((1...2).contains(errors.count), "at \(failAt): \(errors)")
            let word = code == 28 ? "No space left on device" : "Input/output error"
            #expect(errors.first?.status == 500 && errors.first?.message.contains(word) == true)
            disk.failNever()
            try await check(store, expected)
            // The store works on, and the next start finds all of it, and leaves no orphan among it.
            try await store.write([1, 2, 3], to: place("after"), contentType: "x/y")
            expected["after"] = [1, 2, 3]
            try await store.files.shutdown()
            try queue.file.close()
            disk.losePower()
            (store, queue) = try await open(disk)
            try await check(store, expected)
            let inPlace = disk.files.keys.filter { !$0.contains("/orphans/") }
            let named = try await store.index.read { transaction in
                try transaction.known(Set(inPlace.compactMap { Int64($0.split(separator: "/").last ?? "", radix: 16) }))
            }
            #expect(named.count == inPlace.count, "at \(failAt)")
            try await store.files.shutdown()
            try queue.file.close()
            try FileManager.default.removeItem(atPath: folder)
        }
    }

    @Test func `bytes that a lying disk lost are reported, and all others are there`() async throws {
        let probe = SimulatedDisk()
        var (store, queue) = try await open(probe)
        await exercise(store, { _, _ in }, { Issue.record($0) })
        let flushes = probe.flushes
        try queue.file.close()
        try FileManager.default.removeItem(atPath: folder)
        #expect(flushes >= 5)
        var reported = 0
        for flush in 1...flushes {
            let disk = SimulatedDisk(loseFlushAt: flush)
            (store, queue) = try await open(disk)
            var expected: [String: [UInt8]?] = [:]
            await exercise(store, { expected[$0] = $1 }, { Issue.record($0) })
            try await store.files.shutdown()
            try queue.file.close()
            disk.losePower()
            (store, queue) = try await open(disk)
            var damaged = 0
            for (name, bytes) in expected {
                guard let bytes else { continue }
                do { #expect(try await store.bytes(place(name), max: 1 << 20) == bytes) } catch {
                    #expect(error == .damaged)
                    damaged += 1
                }
            }
            // The lost file may be of a blob that was replaced or deleted since.
            #expect(damaged <= 1)
            reported += damaged
            try await store.files.shutdown()
            try queue.file.close()
            try FileManager.default.removeItem(atPath: folder)
        }
        #expect(reported > 0)
    }

    @Test func `a flipped byte is reported and not served, wherever it is`() async throws {
        let disk = SimulatedDisk()
        let (store, queue) = try await open(disk)
        let large = bytes(3, 300_000)
        try await store.write(large, to: place("large"), contentType: "x/y")
        let path = try #require(disk.files.keys.first)
        for place in [0, 65_535, 65_536, 299_999] {
            disk.flipByte(path, at: place)
            await #expect(throws: BlobError.damaged) { try await store.bytes(self.place("large"), max: 1 << 20) }
            disk.flipByte(path, at: place)
        }
        #expect(try await store.bytes(self.place("large"), max: 1 << 20) == large)
        // A range whose block is whole is served beside a damaged one.
        disk.flipByte(path, at: 10)
        let reading = try await store.read(self.place("large"))
        var found: [UInt8] = []
        try await reading.forEachPiece(70_000..<200_000) { found += $0.readableBytesView }
        #expect(found == Array(large[70_000..<200_000]))
        reading.end()
        try await store.files.shutdown()
        try queue.file.close()
        try FileManager.default.removeItem(atPath: folder)
    }

    @Test func `what is being read stays, whatever becomes of the blob`() async throws {
        let disk = SimulatedDisk()
        let (store, queue) = try await open(disk)
        let large = bytes(4, 100_000)
        try await store.write(large, to: place("read"), contentType: "x/y")
        let reading = try await store.read(place("read"))
        try await store.deleteBlob(place("read"))
        var found: [UInt8] = []
        try await reading.forEachPiece(0..<100_000) { found += $0.readableBytesView }
        #expect(found == large)
        #expect(disk.files.count == 1)
        reading.end()
        try await store.files.shutdown()
        #expect(disk.files.isEmpty)
        try queue.file.close()
        try FileManager.default.removeItem(atPath: folder)
    }

    @Test func `page writes of any overlap give what the last of them wrote`() async throws {
        let disk = SimulatedDisk()
        let (store, queue) = try await open(disk)
        _ = try await store.createContainer("a", "files")
        let length = 64 * 512
        let empty = ContentUpload(store.files, withMD5: false)
        _ = try await store.putBlob(
            place("pages"),
            type: .page,
            empty,
            BlobDraft(),
            pageBlobLength: Int64(length),
            AccessConditions()
        )
        var model = [UInt8](repeating: 0, count: length)
        var generator = SystemRandomNumberGenerator()
        for turn in 1...200 {
            let first = Int.random(in: 0..<63, using: &generator)
            let last = Int.random(in: (first + 1)...64, using: &generator)
            let range = (first * 512)..<(last * 512)
            let clears = turn % 5 == 0
            let new = clears ? [UInt8](repeating: 0, count: range.count) : bytes(turn, range.count)
            model.replaceSubrange(range, with: new)
            let body = clears ? nil : try await upload(store, new)
            let wanted = Int64(range.lowerBound)..<Int64(range.upperBound)
            _ = try await store.putPages(place("pages"), wanted, body, .init(), AccessConditions())
            if turn % 20 == 0 { #expect(try await store.bytes(place("pages"), max: 1 << 20) == model) }
        }
        try await store.files.shutdown()
        try queue.file.close()
        try FileManager.default.removeItem(atPath: folder)
    }

    @Test func `blocks that were never committed go after their time`() async throws {
        let disk = SimulatedDisk()
        let (store, queue) = try await open(disk)
        _ = try await store.createContainer("a", "files")
        try await store.putBlock(
            place("old"),
            id: "AAAA",
            try await upload(store, bytes(1, 100_000)),
            AccessConditions()
        )
        await store.collectBlocks(before: store.now - 3600)
        #expect(disk.files.count == 1)
        await store.collectBlocks(before: store.now + 1)
        try await store.files.shutdown()
        #expect(disk.files.isEmpty)
        try queue.file.close()
        try FileManager.default.removeItem(atPath: folder)
    }

    @Test func `streams hashed side by side have the hashes that they have alone`() async {
        await withTaskGroup(of: Bool.self) { group in
            for seed in 0..<40 {
                let long = bytes(
                    seed,
                    [0, 1, 55, 56, 63, 64, 65, 4095, 4096, 5000, 70_000, 400_003][seed % 12] + seed / 12 * 4096
                )
                group.addTask {
                    var hash = StreamMD5()
                    let step = [7, 64, 5000, 65_536][seed % 4]
                    for start in stride(from: 0, to: long.count, by: step) {
                        Array(long[start..<min(start + step, long.count)]).withUnsafeBytes { hash.update($0) }
                    }
                    return hash.finalize() == Array(Insecure.MD5.hash(data: long))
                }
            }
            for await isSame in group { #expect(isSame) }
        }
    }

    @Test func `checksums are those of the standard`() {
        // RFC 3720, B.4: 32 bytes of zeros, of ones, ascending.
        for (bytes, expected) in [
            ([UInt8](repeating: 0, count: 32), 0x8A91_36AA), ([UInt8](repeating: 0xFF, count: 32), 0x62A8_AB43),
            (Array(0..<32), 0x46DD_794E as UInt32),
        ] {
            var checksums = BlockChecksums()
            bytes.withUnsafeBytes { checksums.add($0) }
            #expect(checksums.finish() == [expected])
        }
        // Cut anywhere, the blocks' checksums are the same.
        let long = bytes(5, 6 * 65_536 + 77)
        var whole = BlockChecksums()
        long.withUnsafeBytes { whole.add($0) }
        var pieces = BlockChecksums()
        for start in stride(from: 0, to: long.count, by: 7777) {
            Array(long[start..<min(start + 7777, long.count)]).withUnsafeBytes { pieces.add($0) }
        }
        #expect(whole.finish() == pieces.finish() && whole.finish().count == 7)
    }
}

@Suite struct LeaseTests {
    @Test func `a lease with an end expires, and its holder may renew it until another takes it`() throws {
        var lease = Lease()
        let made = try LeaseRules.apply(.acquire(duration: 15, proposed: nil), to: &lease, at: 100)
        let id = try #require(made.id)
        #expect(LeaseRules.state(lease, at: 114) == .leased)
        #expect(LeaseRules.state(lease, at: 115) == .expired)
        _ = try LeaseRules.apply(.renew(id), to: &lease, at: 120)
        #expect(LeaseRules.state(lease, at: 134) == .leased)
        let other = try LeaseRules.apply(.acquire(duration: -1, proposed: nil), to: &lease, at: 140)
        #expect(throws: BlobError.self) { try LeaseRules.apply(.renew(id), to: &lease, at: 141) }
        #expect(try LeaseRules.apply(.break(period: nil), to: &lease, at: 150).timeLeft == 0)
        #expect(LeaseRules.state(lease, at: 150) == .broken)
        #expect(other.id != nil)
    }

    @Test func `a break never lengthens a lease`() throws {
        var lease = Lease()
        _ = try LeaseRules.apply(.acquire(duration: 60, proposed: nil), to: &lease, at: 0)
        #expect(try LeaseRules.apply(.break(period: nil), to: &lease, at: 20).timeLeft == 40)
        #expect(try LeaseRules.apply(.break(period: 60), to: &lease, at: 30).timeLeft == 30)
        #expect(try LeaseRules.apply(.break(period: 5), to: &lease, at: 30).timeLeft == 5)
        #expect(LeaseRules.state(lease, at: 36) == .broken)
    }
}
