import Blobs
import Synchronization

/// A disk in memory that keeps only what was synced, and fails one operation of choice.
final class SimulatedDisk: FileLayer {
    struct File: Sendable {
        var bytes: [UInt8] = []
        /// How much of it a loss of power would leave.
        var synced = 0
        /// Whether the folder was synced since the file has its name.
        var isNamed = false
    }

    struct State: Sendable {
        var files: [String: File] = [:]
        /// Operations that change something, so far.
        var operations = 0
        var failAt: Int?
        /// Flushes so far, and the one that says well and does nothing.
        var flushes = 0
        var loseFlushAt: Int?
    }

    private let state = Mutex(State())
    /// 28: no space left on the device; 5: an error of the device.
    private let errorCode: Int32

    init(failAt: Int? = nil, errorCode: Int32 = 28, loseFlushAt: Int? = nil) {
        self.errorCode = errorCode
        state.withLock { state in
            state.failAt = failAt
            state.loseFlushAt = loseFlushAt
        }
    }

    var flushes: Int { state.withLock { $0.flushes } }

    var operations: Int { state.withLock { $0.operations } }
    /// The files by their paths.
    var files: [String: File] { state.withLock { $0.files } }

    /// The next operations succeed, the one behind them fails.
    func fail(after count: Int) { state.withLock { $0.failAt = $0.operations + count + 1 } }

    func failNever() { state.withLock { $0.failAt = nil } }

    /// The power goes: what was not synced is lost.
    func losePower() {
        state.withLock { state in
            state.files = state.files.filter { $0.value.isNamed }.mapValues { file in
                var file = file
                file.bytes = Array(file.bytes.prefix(file.synced))
                return file
            }
        }
    }

    func flipByte(_ path: String, at place: Int) { state.withLock { $0.files[path]?.bytes[place] ^= 0x10 } }

    fileprivate func step(_ name: String, _ body: (inout State) -> Void) throws(FileLayerError) {
        let fails = state.withLock { state in
            state.operations += 1
            if state.operations == state.failAt { return true }
            body(&state)
            return false
        }
        if fails { throw FileLayerError(operation: name, code: errorCode) }
    }

    fileprivate func bytes(_ path: String) throws(FileLayerError) -> [UInt8] {
        guard let file = state.withLock({ $0.files[path] }) else { throw FileLayerError(operation: "read", code: 2) }
        return file.bytes
    }

    // MARK: - FileLayer

    func write(_ bytes: [UInt8], to path: String) throws(FileLayerError) {
        try step("write") { $0.files[path] = File(bytes: bytes) }
    }

    func sync(_ path: String) throws(FileLayerError) {
        try step("sync") { state in
            state.flushes += 1
            guard var file = state.files[path], state.flushes != state.loseFlushAt else { return }
            file.synced = file.bytes.count
            state.files[path] = file
        }
    }

    func rename(_ from: String, to: String) throws(FileLayerError) {
        try step("rename") { state in
            state.files[to] = state.files.removeValue(forKey: from)
            state.files[to]?.isNamed = false
        }
    }

    func syncFolder(_ path: String) throws(FileLayerError) {
        try step("sync folder") { state in
            for name in state.files.keys where name.hasPrefix(path + "/") { state.files[name]?.isNamed = true }
        }
    }

    func read(_ path: String) throws(FileLayerError) -> [UInt8] { try bytes(path) }
    func remove(_ path: String) throws(FileLayerError) { state.withLock { $0.files[path] = nil } }

    func list(_ folder: String) throws(FileLayerError) -> [String] {
        let names = state.withLock { $0.files.keys.filter { $0.hasPrefix(folder + "/") } }
        return Array(
            Set(names.compactMap { $0.dropFirst(folder.count + 1).split(separator: "/").first.map(String.init) })
        )
    }

    func makeFolder(_ path: String) throws(FileLayerError) { try step("make folder") { _ in } }

    func removeFolder(_ path: String) throws(FileLayerError) {}

    func create(_ path: String) throws(FileLayerError) -> any WritableFile {
        try step("create") { $0.files[path] = File() }
        return OpenFile(disk: self, path: path)
    }

    func open(_ path: String) throws(FileLayerError) -> any ReadableFile {
        _ = try bytes(path)
        return OpenFile(disk: self, path: path)
    }

    private struct OpenFile: WritableFile, ReadableFile {
        let disk: SimulatedDisk
        let path: String

        func append(_ bytes: UnsafeRawBufferPointer) throws(FileLayerError) {
            try disk.step("write") { $0.files[path]?.bytes += bytes }
        }

        func leaveMemory() {}
        func sync() throws(FileLayerError) { try disk.sync(path) }

        func read(into bytes: UnsafeMutableRawBufferPointer, at offset: Int) throws(FileLayerError) -> Int {
            let all = try disk.bytes(path)
            let part = all.dropFirst(offset).prefix(bytes.count)
            bytes.copyBytes(from: part)
            return part.count
        }

        func close() {}
    }
}
