import Crypto
import Dispatch
import Foundation
import ResourceModel

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

    /// - Parameter folder: is made when it is not there; half-written files of an earlier process are removed.
    package init(folder: String, files: any FileLayer = SystemFileLayer()) throws {
        self.folder = folder
        self.files = files
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        for name in try files.list(folder) where name.hasSuffix(".new") { try files.remove("\(folder)/\(name)") }
    }

    /// Keeps the bytes and gives the name that they are read by: the SHA-256 of them in hexadecimal.
    package func write(_ bytes: [UInt8]) async throws(Failure) -> String {
        try await onDisk { () throws(Failure) in
            let name = Identifier.hex(SHA256.hash(data: bytes))
            let path = "\(folder)/\(name)"
            if (try? read(name)) == bytes { return name }
            let draft = "\(path).\(Identifier.hex32()).new"
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

    /// Removes what nobody names.
    ///
    /// - Returns: how many contents were removed.
    package func collect(keeping names: Set<String>) async throws(Failure) -> Int {
        try await onDisk { () throws(Failure) in
            do throws(FileLayerError) {
                let orphans = try files.list(folder).filter { !names.contains($0) && !$0.hasSuffix(".new") }
                for name in orphans { try files.remove("\(folder)/\(name)") }
                return orphans.count
            } catch { throw .file(error) }
        }
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
