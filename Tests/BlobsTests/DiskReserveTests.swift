import Blobs
import Foundation
import Logging
import Store
import Synchronization
import Testing

@Suite struct DiskReserveTests {
    /// An index whose disk is full as long as the reserve lies there.
    private struct FullIndex: BlobIndex {
        let index: SQLiteBlobIndex
        let isFull: @Sendable () -> Bool

        func write<Value: Sendable>(
            _ body: @Sendable @escaping (any BlobTransaction) throws -> Value
        ) async throws -> Value {
            guard !isFull() else { throw BlobIndexError.diskFull }
            return try await index.write(body)
        }

        func read<Value: Sendable>(
            _ body: @Sendable @escaping (any BlobTransaction) throws -> Value
        ) async throws -> Value { try await index.read(body) }
    }

    /// Shared by the index, which asks, and the test, which changes it.
    private final class Flag: Sendable {
        let value = Mutex(false)
    }

    @Test func `on a full disk deleting works, and nothing else is written until there is room`() async throws {
        let folder = FileManager.default.temporaryDirectory.path + "/gatehouse-\(UUID().uuidString)"
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        let path = "\(folder)/reserve"
        let queue = try SQLiteWorkQueue(path: "\(folder)/work.sqlite")
        let flag = Flag()
        let index = FullIndex(index: SQLiteBlobIndex(file: queue.file)) {
            flag.value.withLock { $0 } && FileManager.default.fileExists(atPath: path)
        }
        let files = try ContentFiles(folder: "\(folder)/blobs", lastID: 0)
        let reserve = DiskReserve(path: path)
        #expect(reserve.isHeld)
        let store = BlobStore(
            index: index,
            files: files,
            reserve: reserve,
            logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        )
        let place = { (name: String) in BlobPlace(account: "a", container: "files", name: name) }
        for name in ["one", "two"] { try await store.write([1, 2, 3], to: place(name), contentType: "x/y") }

        flag.value.withLock { $0 = true }
        let error = await #expect(throws: BlobError.self) {
            try await store.write([4], to: place("three"), contentType: "x/y")
        }
        #expect(error?.status == 500 && error?.message.contains("No space left on device") == true)
        try await store.checkSpace()
        #expect(reserve.isHeld)
        // A folder in its place stands for a disk without room.
        try await store.deleteBlob(place("one"))
        #expect(!reserve.isHeld)
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: false)
        flag.value.withLock { $0 = false }
        await #expect(throws: BlobError.self) { try await store.checkSpace() }
        try await store.deleteBlob(place("two"))

        try FileManager.default.removeItem(atPath: path)
        try await Task.sleep(for: .milliseconds(1100))
        try await store.checkSpace()
        #expect(reserve.isHeld)
        // The next process finds it as it is.
        let before = try FileManager.default.attributesOfItem(atPath: path)[.modificationDate] as? Date
        #expect(DiskReserve(path: path).isHeld)
        #expect(try FileManager.default.attributesOfItem(atPath: path)[.modificationDate] as? Date == before)
        try await files.shutdown()
        try queue.file.close()
        try FileManager.default.removeItem(atPath: folder)
    }
}
