import Foundation
import ResourceModel

#if canImport(Glibc)
import Glibc
#endif

/// The folder that holds everything of an installation; one process at a time works on it.
struct DataFolder: Sendable {
    struct Locked: Error, CustomStringConvertible {
        let path: String
        let pid: String
        var description: String { "The data folder \(path) is in use by process \(pid)." }
    }

    let path: String

    init(path: String) throws {
        self.path = URL(fileURLWithPath: path).standardizedFileURL.path
        try FileManager.default.createDirectory(
            atPath: self.path,
            withIntermediateDirectories: true,
            attributes: [.posixPermissions: 0o700]
        )
        try FileManager.default.createDirectory(
            atPath: "\(self.path)/secrets",
            withIntermediateDirectories: true,
            attributes: [.posixPermissions: 0o700]
        )
    }

    var configurationFile: String { "\(path)/configuration.sqlite" }
    var workFile: String { "\(path)/work.sqlite" }
    var factsFile: String { "\(path)/facts.sqlite" }
    var contentFolder: String { "\(path)/content" }
    var blobsFolder: String { "\(path)/blobs" }
    /// Space that only deletes may use.
    var diskReserve: String { "\(path)/disk-reserve" }
    /// Addresses of the running server, for commands that are started beside it.
    var serverFile: String { "\(path)/server.json" }

    /// Takes the folder for this process; the system gives it back when the process ends, however it ends.
    ///
    /// - Returns: the descriptor that holds the lock.
    func lock() throws -> Int32 {
        let file = "\(path)/gatehouse.lock"
        let descriptor = open(file, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw POSIXError(.init(rawValue: errno) ?? .EIO) }
        guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else {
            let pid = (try? String(contentsOfFile: file, encoding: .utf8))?.trimmingCharacters(
                in: .whitespacesAndNewlines
            )
            close(descriptor)
            throw Locked(path: path, pid: pid ?? "unknown")
        }
        ftruncate(descriptor, 0)
        let text = Array("\(getpid())\n".utf8)
        _ = text.withUnsafeBytes { pwrite(descriptor, $0.baseAddress, text.count, 0) }
        return descriptor
    }

    /// A secret of the folder, made when it is not there; readable by the owner only, and on the disk before it is used.
    func secret(_ name: String, make: () -> String) throws -> String {
        if let text = try existingSecret(name) { return text }
        let text = make()
        try writeSecret(name, text)
        return text
    }

    func existingSecret(_ name: String) throws -> String? {
        let file = "\(path)/secrets/\(name)"
        guard FileManager.default.fileExists(atPath: file) else { return nil }
        return try String(contentsOfFile: file, encoding: .utf8).trimmingCharacters(in: .whitespacesAndNewlines)
    }

    func writeSecret(_ name: String, _ text: String) throws {
        try writePrivately("\(path)/secrets/\(name)", Array((text + "\n").utf8))
    }

    /// Writes a file that only the owner reads, whole or not at all.
    func writePrivately(_ file: String, _ bytes: [UInt8]) throws {
        let draft = "\(file).new"
        let descriptor = open(draft, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw POSIXError(.init(rawValue: errno) ?? .EIO) }
        defer { close(descriptor) }
        let written = bytes.withUnsafeBytes { write(descriptor, $0.baseAddress, bytes.count) }
        guard written == bytes.count, fsync(descriptor) == 0, rename(draft, file) == 0 else {
            throw POSIXError(.init(rawValue: errno) ?? .EIO)
        }
        Self.flush(URL(fileURLWithPath: file).deletingLastPathComponent().path)
    }

    /// Puts one secret in the place of another, at once or not at all.
    func replaceSecret(_ name: String, by other: String) throws {
        guard rename("\(path)/secrets/\(other)", "\(path)/secrets/\(name)") == 0 else {
            throw POSIXError(.init(rawValue: errno) ?? .EIO)
        }
        Self.flush("\(path)/secrets")
    }

    /// Brings the names in a folder to the disk.
    private static func flush(_ folder: String) {
        let descriptor = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard descriptor >= 0 else { return }
        fsync(descriptor)
        close(descriptor)
    }
}
