import Crypto
import Dispatch
import Foundation
import ResourceModel
package import Store

/// Bytes by the hash of themselves, on disk: what datasets, cached outputs and frozen values rest in.
///
/// Writing answers once the bytes and the name are on the disk; reading checks the hash, so that a flipped byte is reported
/// and never served.
package struct ContentStore: Sendable {
    package enum Failure: Error, Sendable, Equatable {
        case notFound(String)
        /// The bytes on disk are not those that were written.
        case damaged(String)
        case file(FileLayerError)
    }

    private let folder: String
    private let files: any FileLayer
    private let reserve: DiskReserve?
    private static let draftEnding = ".new"

    /// - Parameters:
    ///   - folder: is made when it is not there.
    ///   - reserve: says whether the disk is full, so that nothing new is begun.
    package init(folder: String, files: any FileLayer = SystemFileLayer(), reserve: DiskReserve? = nil) throws {
        self.folder = folder
        self.files = files
        self.reserve = reserve
        try FileManager.default.createDirectory(
            atPath: folder,
            withIntermediateDirectories: true,
            attributes: [.posixPermissions: 0o700]
        )
    }

    /// Keeps the bytes and gives the name that they are read by: the SHA-256 of them in hexadecimal.
    package func write(_ bytes: [UInt8]) async throws(Failure) -> String {
        try await onDisk { () throws(Failure) in
            let name = Identifier.hex(SHA256.hash(data: bytes))
            let path = "\(folder)/\(name)"
            if (try? read(name)) == bytes { return name }
            guard reserve?.isReleased != true else { throw .file(FileLayerError(operation: "write", code: ENOSPC)) }
            let draft = "\(path).\(Identifier.hex32())\(Self.draftEnding)"
            do throws(FileLayerError) {
                try files.write(bytes, to: draft)
                try files.sync(draft)
                try files.rename(draft, to: path)
                try files.syncFolder(folder)
            } catch {
                try? files.remove(draft)
                throw .file(error)
            }
            return name
        }
    }

    package func load(_ name: String) async throws(Failure) -> [UInt8] {
        try await onDisk { () throws(Failure) in try read(name) }
    }

    package func remove(_ name: String) async throws(Failure) {
        try await onDisk { () throws(Failure) in
            do throws(FileLayerError) {
                try files.remove("\(folder)/\(name)")
            } catch { throw .file(error) }
        }
    }

    /// Puts aside what nobody names, half-written files of an earlier process among it, and brings back what is named again; called
    /// before anything is written.
    ///
    /// - Parameter now: seconds since 1970.
    package func tendOrphans(
        naming names: Set<String>,
        now: Double
    ) async throws(Failure) -> ContentFiles.OrphanCount {
        try await onDisk { () throws(Failure) in
            do throws(FileLayerError) {
                let orphans = OrphanFolder(of: folder, files: files)
                var count = ContentFiles.OrphanCount()
                for batch in try orphans.batches() {
                    for name in batch.files where names.contains(name) {
                        if try orphans.restore(name, of: batch.name, to: "") { count.broughtBack += 1 }
                    }
                }
                try orphans.removeEmptyBatches()
                let unnamed = try files.list(folder).filter { !names.contains($0) && Self.isOurs($0) }
                count.putAside = try orphans.take(unnamed.map { ("", $0) }, now: now)
                return count
            } catch { throw .file(error) }
        }
    }

    /// Whether a file's name is one that this store gives.
    package static func isOurs(_ name: String) -> Bool {
        let hash = name.utf8.prefix(2 * SHA256.byteCount)
        let digits = UInt8(ascii: "0")...UInt8(ascii: "9")
        let letters = UInt8(ascii: "a")...UInt8(ascii: "f")
        guard hash.count == 2 * SHA256.byteCount, hash.allSatisfy({ digits.contains($0) || letters.contains($0) })
        else { return false }
        let rest = name.utf8.dropFirst(hash.count)
        return rest.isEmpty || rest.first == UInt8(ascii: ".") && name.hasSuffix(draftEnding)
    }

    private func read(_ name: String) throws(Failure) -> [UInt8] {
        let bytes: [UInt8]
        do { bytes = try files.read("\(folder)/\(name)") } catch {
            throw error.isNotFound ? .notFound(name) : .file(error)
        }
        guard Identifier.hex(SHA256.hash(data: bytes)) == name else { throw .damaged(name) }
        return bytes
    }

    /// Disk work waits on Dispatch's threads, not on those of async code.
    private func onDisk<Value: Sendable>(
        _ work: @Sendable @escaping () throws(Failure) -> Value
    ) async throws(Failure) -> Value {
        let result: Result<Value, Failure> = await withCheckedContinuation { continuation in
            DispatchQueue.global(qos: .utility).async { continuation.resume(returning: Result(catching: work)) }
        }
        return try result.get()
    }
}
