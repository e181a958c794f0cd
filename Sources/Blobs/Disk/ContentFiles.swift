import Foundation
import NIOCore
import NIOPosix
package import Store
import Synchronization

/// Contents of blobs as files by number, some thousands a folder.
///
/// A file is whole on the disk, name and bytes, before the index names it; a file that the index does not name is an orphan and
/// is put aside at the next start. So nothing that was not acknowledged is ever seen, and nothing that was is ever lost.
package final class ContentFiles: Sendable {
    package enum Failure: Error, Sendable, Equatable {
        case file(FileLayerError)
        /// The bytes on disk are not those that were written.
        case damaged(content: Int64, offset: Int)
    }

    /// Shorter contents rest in the index, where they cost no file and no flush of their own.
    static let inlineBytesMax = 8 << 10
    /// A longer body becomes several contents, so that checksums of one stay a few kilobytes.
    static let contentBytesMax: Int64 = 64 << 20
    /// Files of one folder: new ones share it, so that one flush of the folder serves many.
    private static let filesPerFolder: Int64 = 4096
    /// Threads that wait for the disk: flushes of many files at once are what disks do best.
    private static let threadCount = 64
    /// The same for bytes that only a job waits for: a few reads and writes go on at once.
    private static let backgroundThreadCount = 8
    /// Bytes that a background thread reads or writes in one go: the kernel may not be interrupted while it copies them, and who
    /// wants the core waits so long.
    static let backgroundStepBytes = 64 << 10

    private let folder: String
    let files: any FileLayer
    private let threads: NIOThreadPool
    private let background = BackgroundThreads(count: ContentFiles.backgroundThreadCount)
    private let nextID: Atomic<Int64>
    private let folders: FolderFlush
    private let readers = ReaderEpochs()
    private let reserve: DiskReserve?

    /// - Parameters:
    ///   - folder: is made where it is not there.
    ///   - lastID: the highest content that the index names.
    ///   - reserve: says whether the disk is full, so that nothing new is begun.
    package init(
        folder: String,
        lastID: Int64,
        files: any FileLayer = SystemFileLayer(),
        reserve: DiskReserve? = nil
    ) throws {
        self.folder = folder
        self.files = files
        self.reserve = reserve
        try FileManager.default.createDirectory(
            atPath: folder,
            withIntermediateDirectories: true,
            attributes: [.posixPermissions: 0o700]
        )
        nextID = Atomic(lastID + 1)
        threads = NIOThreadPool(numberOfThreads: Self.threadCount)
        threads.start()
        folders = FolderFlush(files: files, threads: threads)
    }

    package func shutdown() async throws {
        try await background.shutdown()
        try await threads.shutdownGracefully()
    }

    package func makeID() -> Int64 { nextID.wrappingAdd(1, ordering: .relaxed).oldValue }

    private static func folderName(of id: Int64) -> String { String(id / filesPerFolder, radix: 16) }
    private func folder(of id: Int64) -> String { "\(folder)/\(Self.folderName(of: id))" }
    private func path(of id: Int64) -> String { "\(folder(of: id))/\(String(id, radix: 16))" }

    /// Runs work that waits for the disk on a thread of its own.
    ///
    /// - Parameter inBackground: whether all others come first.
    func onDisk<Value: Sendable>(
        inBackground: Bool = false,
        _ work: @Sendable @escaping () throws(Failure) -> Value
    ) async throws(Failure) -> Value {
        if inBackground {
            // What is given back is the work's own result; the pool itself fails when the process ends only.
            let result = try? await background.run {
                BackgroundPace.wait()
                return Result(catching: work)
            }
            guard let result else { throw .file(FileLayerError(operation: "disk work", code: ECANCELED)) }
            return try result.get()
        }
        let result: Result<Value, Failure> = await withCheckedContinuation { continuation in
            threads.submit { _ in continuation.resume(returning: Result(catching: work)) }
        }
        return try result.get()
    }

    // MARK: - Writing

    func create(_ id: Int64) throws(Failure) -> any WritableFile {
        guard reserve?.isReleased != true else { throw .file(FileLayerError(operation: "create", code: ENOSPC)) }
        do throws(FileLayerError) {
            do throws(FileLayerError) { return try files.create(path(of: id)) } catch {
                guard error.isNotFound else { throw error }
                try files.makeFolder(folder(of: id))
                try files.syncFolder(folder)
                return try files.create(path(of: id))
            }
        } catch { throw .file(error) }
    }

    /// Brings the name of a file to the disk, together with those of others that wait for the same.
    func syncName(of id: Int64) async throws(Failure) { try await folders.flush(folder(of: id)) }

    // MARK: - Removing

    /// Marks the begin of reading: files that the index named at this time stay until `endReading`.
    func beginReading() -> Int { readers.begin() }

    func endReading(_ epoch: Int) { remove(readers.end(epoch)) }

    /// Removes files once nobody reads any more what was named before.
    func discard(_ ids: [Int64]) {
        guard !ids.isEmpty else { return }
        remove(readers.discard(ids))
    }

    /// Removes files that were never named.
    func discardUnnamed(_ ids: [Int64]) { remove(ids) }

    private func remove(_ ids: [Int64]) {
        guard !ids.isEmpty else { return }
        // A file that stays because of an error is an orphan: the next start puts it aside.
        threads.submit { [self] _ in for id in ids { try? files.remove(path(of: id)) } }
    }

    // MARK: - Orphans

    /// What a look for orphans did.
    package struct OrphanCount: Sendable, Equatable {
        /// Files that no name leads to, now put aside.
        package var putAside = 0
        /// Files that were put aside before and are named again, now back where they were.
        package var broughtBack = 0

        package init(putAside: Int = 0, broughtBack: Int = 0) {
            self.putAside = putAside
            self.broughtBack = broughtBack
        }
    }

    /// Puts files aside that are not named, and brings back those that are; called before the door opens.
    ///
    /// - Parameters:
    ///   - now: seconds since 1970.
    ///   - named: tells which of some ids the index names.
    package func tendOrphans(
        now: Double,
        _ named: @Sendable @escaping (Set<Int64>) async throws -> Set<Int64>
    ) async throws -> OrphanCount {
        let orphans = OrphanFolder(of: folder, files: files)
        var highest: Int64 = 0
        var count = OrphanCount()
        for batch in try orphans.batches() {
            let ids = Set(batch.files.compactMap { Self.number($0) })
            highest = max(highest, ids.max() ?? 0)
            for id in try await named(ids) {
                let isBack = try orphans.restore(String(id, radix: 16), of: batch.name, to: Self.folderName(of: id))
                if isBack { count.broughtBack += 1 }
            }
        }
        try orphans.removeEmptyBatches()
        var unnamed: [(folder: String, file: String)] = []
        for name in try files.list(folder) {
            guard let number = Self.number(name) else { continue }
            let inside: [String]
            do { inside = try files.list("\(folder)/\(name)") } catch {
                // A file of such a name is somebody else's.
                guard error.isNoFolder else { throw error }
                continue
            }
            let ids = Set(inside.compactMap { Self.number($0) }.filter { $0 / Self.filesPerFolder == number })
            highest = max(highest, ids.max() ?? 0)
            for id in ids.subtracting(try await named(ids)) { unnamed.append((name, String(id, radix: 16))) }
        }
        count.putAside = try orphans.take(unnamed, now: now)
        // No new content gets the number of a file that may be brought back.
        if nextID.load(ordering: .relaxed) <= highest { nextID.store(highest + 1, ordering: .relaxed) }
        return count
    }

    /// The folder that a file belongs to, by its name; nil for a name that is none of ours.
    package static func folderName(ofFile name: String) -> String? {
        number(name).map { folderName(of: $0) }
    }

    /// The number in a name that is exactly as we write it; what reads as a number but is written otherwise is none of ours.
    private static func number(_ name: String) -> Int64? {
        guard let number = Int64(name, radix: 16), number >= 0, String(number, radix: 16) == name else { return nil }
        return number
    }

    /// The folder of the newest contents, which may be mounted or closed by itself.
    package var newestFolder: String { folder(of: max(0, nextID.load(ordering: .relaxed) - 1)) }

    // MARK: - Reading

    /// Reads a range of a content and proves it by its checksums.
    func read(
        _ content: ContentRecord,
        _ range: Range<Int>,
        inBackground: Bool = false
    ) async throws(Failure) -> ByteBuffer {
        try await onDisk(inBackground: inBackground) { () throws(Failure) in
            try self.readNow(content, range, stepBytes: inBackground ? Self.backgroundStepBytes : .max)
        }
    }

    private func readNow(_ content: ContentRecord, _ range: Range<Int>, stepBytes: Int) throws(Failure) -> ByteBuffer {
        let size = BlockChecksums.blockBytes
        let first = range.lowerBound / size
        let start = first * size
        let end = min(Int(content.length), (range.upperBound + size - 1) / size * size)
        var buffer: ByteBuffer
        if let bytes = content.bytes {
            guard start <= end, end <= bytes.count else { throw .damaged(content: content.id, offset: start) }
            buffer = ByteBuffer(bytes: bytes[start..<end])
        } else {
            buffer = ByteBufferAllocator().buffer(capacity: end - start)
            do throws(FileLayerError) {
                let file = try files.open(path(of: content.id))
                defer { file.close() }
                var count = 0
                try buffer.withUnsafeMutableWritableBytes { raw throws(FileLayerError) in
                    while count < end - start {
                        if count > 0 { BackgroundPace.wait() }
                        let step = count..<(count + min(stepBytes, end - start - count))
                        let read = try file.read(
                            into: UnsafeMutableRawBufferPointer(rebasing: raw[step]),
                            at: start + count
                        )
                        count += read
                        if read < step.count { break }
                    }
                }
                buffer.moveWriterIndex(forwardBy: count)
            } catch {
                throw error.isNotFound ? .damaged(content: content.id, offset: start) : .file(error)
            }
        }
        let isWhole = buffer.readableBytes == end - start
        guard isWhole, buffer.withUnsafeReadableBytes({ BlockChecksums.match($0, content.checksums, first: first) })
        else {
            throw .damaged(content: content.id, offset: start)
        }
        buffer.moveReaderIndex(forwardBy: range.lowerBound - start)
        return buffer.readSlice(length: range.count) ?? ByteBuffer()
    }
}

/// Flushes folders for many callers at once: who comes while a flush is running waits for the next one.
private final class FolderFlush: Sendable {
    private struct Folder {
        var isRunning = false
        var waiting: [CheckedContinuation<Result<Void, ContentFiles.Failure>, Never>] = []
    }

    private let files: any FileLayer
    private let threads: NIOThreadPool
    private let folders = Mutex<[String: Folder]>([:])

    init(files: any FileLayer, threads: NIOThreadPool) {
        self.files = files
        self.threads = threads
    }

    func flush(_ path: String) async throws(ContentFiles.Failure) {
        let result = await withCheckedContinuation { continuation in
            let mustStart = folders.withLock { folders in
                var folder = folders[path] ?? Folder()
                folder.waiting.append(continuation)
                let mustStart = !folder.isRunning
                folder.isRunning = true
                folders[path] = folder
                return mustStart
            }
            if mustStart { threads.submit { [self] _ in run(path) } }
        }
        try result.get()
    }

    private func run(_ path: String) {
        while true {
            let waiting = folders.withLock {
                folders -> [CheckedContinuation<Result<Void, ContentFiles.Failure>, Never>] in
                let waiting = folders[path]?.waiting ?? []
                if waiting.isEmpty { folders[path] = nil } else { folders[path]?.waiting = [] }
                return waiting
            }
            guard !waiting.isEmpty else { return }
            let result = Result { () throws(ContentFiles.Failure) in
                do throws(FileLayerError) { try files.syncFolder(path) } catch { throw .file(error) }
            }
            for continuation in waiting { continuation.resume(returning: result) }
        }
    }
}

/// Keeps discarded files until those have ended who may have looked them up before.
private final class ReaderEpochs: Sendable {
    private struct State {
        var epoch = 0
        /// Readers by the epoch in which they began.
        var readers: [Int: Int] = [:]
        var waiting: [(epoch: Int, ids: [Int64])] = []

        /// Files that no running reader can need.
        mutating func takeFree() -> [Int64] {
            let oldest = readers.keys.min() ?? .max
            let free = waiting.filter { $0.epoch < oldest }.flatMap(\.ids)
            waiting.removeAll { $0.epoch < oldest }
            return free
        }
    }

    private let state = Mutex(State())

    func begin() -> Int {
        state.withLock { state in
            state.readers[state.epoch, default: 0] += 1
            return state.epoch
        }
    }

    func end(_ epoch: Int) -> [Int64] {
        state.withLock { state in
            let left = (state.readers[epoch] ?? 1) - 1
            state.readers[epoch] = left > 0 ? left : nil
            return left > 0 ? [] : state.takeFree()
        }
    }

    /// - Returns: files that can be removed now.
    func discard(_ ids: [Int64]) -> [Int64] {
        state.withLock { state in
            state.waiting.append((state.epoch, ids))
            state.epoch += 1
            return state.takeFree()
        }
    }
}
