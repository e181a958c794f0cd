import Blobs
import Foundation
import Synchronization
import Testing

/// A disk in memory that keeps only what was synced, and fails one operation of choice.
final class FaultyDisk: FileLayer {
    struct State: Sendable {
        var files: [String: [UInt8]] = [:]
        var syncedBytes: [String: [UInt8]] = [:]
        var durable: [String: [UInt8]] = [:]
        var operations = 0
        var failAt: Int?
    }

    let state = Mutex(State())

    init(failAt: Int? = nil) { state.withLock { $0.failAt = failAt } }

    private func step(_ name: String, _ body: (inout State) -> Void) throws(FileLayerError) {
        let fails = state.withLock { state in
            state.operations += 1
            if state.operations == state.failAt { return true }
            body(&state)
            return false
        }
        // 28: no space left on the device.
        if fails { throw FileLayerError(operation: name, code: 28) }
    }

    func write(_ bytes: [UInt8], to path: String) throws(FileLayerError) {
        try step("write") { $0.files[path] = bytes }
    }
    func sync(_ path: String) throws(FileLayerError) { try step("sync") { $0.syncedBytes[path] = $0.files[path] } }
    func rename(_ from: String, to: String) throws(FileLayerError) {
        try step("rename") { state in
            state.files[to] = state.files.removeValue(forKey: from)
            state.syncedBytes[to] = state.syncedBytes.removeValue(forKey: from)
        }
    }
    func syncFolder(_ path: String) throws(FileLayerError) { try step("sync folder") { $0.durable = $0.syncedBytes } }
    func read(_ path: String) throws(FileLayerError) -> [UInt8] {
        guard let bytes = state.withLock({ $0.files[path] }) else { throw FileLayerError(operation: "read", code: 2) }
        return bytes
    }
    func remove(_ path: String) throws(FileLayerError) { state.withLock { _ = $0.files.removeValue(forKey: path) } }
    func list(_ folder: String) throws(FileLayerError) -> [String] {
        state.withLock { $0.files.keys.map { String($0.dropFirst(folder.count + 1)) } }
    }
}

@Suite struct ContentStoreTests {
    private let folder = FileManager.default.temporaryDirectory.path + "/gatehouse-\(UUID().uuidString)"

    @Test func `what was acknowledged is on the disk, whichever step failed before`() async throws {
        for failAt in 1...5 {
            let disk = FaultyDisk(failAt: failAt)
            let store = try ContentStore(folder: folder, files: disk)
            var acknowledged: [String] = []
            for turn in 0..<3 {
                if let name = try? await store.write(Array("content \(turn)".utf8)) { acknowledged.append(name) }
            }
            #expect(acknowledged.count >= 2)
            let durable = disk.state.withLock { $0.durable }
            for name in acknowledged { #expect(durable["\(folder)/\(name)"] != nil) }
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
