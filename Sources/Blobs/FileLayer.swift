import Foundation

#if canImport(Glibc)
import Glibc
#endif

/// The few operations that durable content needs of a file system, so that tests can make each of them fail.
package protocol FileLayer: Sendable {
    /// Writes a new file; its bytes may still be in memory only.
    func write(_ bytes: [UInt8], to path: String) throws(FileLayerError)
    /// Brings a file's bytes to the disk.
    func sync(_ path: String) throws(FileLayerError)
    /// Puts a file in another's place in one step.
    func rename(_ from: String, to: String) throws(FileLayerError)
    /// Brings the names in a folder to the disk.
    func syncFolder(_ path: String) throws(FileLayerError)
    func read(_ path: String) throws(FileLayerError) -> [UInt8]
    func remove(_ path: String) throws(FileLayerError)
    func list(_ folder: String) throws(FileLayerError) -> [String]
}

/// What the system answered.
package struct FileLayerError: Error, Sendable, Equatable {
    package let operation: String
    package let code: Int32

    package init(operation: String, code: Int32) {
        self.operation = operation
        self.code = code
    }

    package var isNotFound: Bool { code == ENOENT }
    package var description: String { "\(operation): \(String(cString: strerror(code)))" }
}

/// The system's files.
package struct SystemFileLayer: FileLayer {
    package init() {}

    package func write(_ bytes: [UInt8], to path: String) throws(FileLayerError) {
        let descriptor = try open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, "write")
        defer { _ = Glibc.close(descriptor) }
        var done = 0
        while done < bytes.count {
            let count = bytes.withUnsafeBytes { raw in
                Glibc.write(descriptor, raw.baseAddress.map { $0 + done }, bytes.count - done)
            }
            if count < 0 {
                if errno == EINTR { continue }
                throw FileLayerError(operation: "write", code: errno)
            }
            done += count
        }
    }

    package func sync(_ path: String) throws(FileLayerError) {
        let descriptor = try open(path, O_RDONLY | O_CLOEXEC, "sync")
        defer { _ = Glibc.close(descriptor) }
        guard fdatasync(descriptor) == 0 else { throw FileLayerError(operation: "sync", code: errno) }
    }

    package func rename(_ from: String, to: String) throws(FileLayerError) {
        guard Glibc.rename(from, to) == 0 else { throw FileLayerError(operation: "rename", code: errno) }
    }

    package func syncFolder(_ path: String) throws(FileLayerError) {
        let descriptor = try open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC, "sync folder")
        defer { _ = Glibc.close(descriptor) }
        guard fsync(descriptor) == 0 else { throw FileLayerError(operation: "sync folder", code: errno) }
    }

    package func read(_ path: String) throws(FileLayerError) -> [UInt8] {
        let descriptor = try open(path, O_RDONLY | O_CLOEXEC, "read")
        defer { _ = Glibc.close(descriptor) }
        var status = stat()
        guard fstat(descriptor, &status) == 0 else { throw FileLayerError(operation: "read", code: errno) }
        var bytes = [UInt8](repeating: 0, count: Int(status.st_size))
        var done = 0
        while done < bytes.count {
            let left = bytes.count - done
            let count = bytes.withUnsafeMutableBytes { raw in
                Glibc.read(descriptor, raw.baseAddress.map { $0 + done }, left)
            }
            if count < 0 {
                if errno == EINTR { continue }
                throw FileLayerError(operation: "read", code: errno)
            }
            if count == 0 { break }
            done += count
        }
        return done == bytes.count ? bytes : Array(bytes.prefix(done))
    }

    package func remove(_ path: String) throws(FileLayerError) {
        guard unlink(path) == 0 || errno == ENOENT else { throw FileLayerError(operation: "remove", code: errno) }
    }

    package func list(_ folder: String) throws(FileLayerError) -> [String] {
        do { return try FileManager.default.contentsOfDirectory(atPath: folder) } catch {
            throw FileLayerError(operation: "list", code: EIO)
        }
    }

    private func open(_ path: String, _ flags: Int32, _ operation: String) throws(FileLayerError) -> Int32 {
        let descriptor = Glibc.open(path, flags, 0o600)
        guard descriptor >= 0 else { throw FileLayerError(operation: operation, code: errno) }
        return descriptor
    }
}
