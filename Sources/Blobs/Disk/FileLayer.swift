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
    /// Makes a folder in an existing one; one that is there already stays as it is.
    func makeFolder(_ path: String) throws(FileLayerError)
    /// Removes an empty folder.
    func removeFolder(_ path: String) throws(FileLayerError)
    /// Makes a new file that is written piece by piece.
    func create(_ path: String) throws(FileLayerError) -> any WritableFile
    func open(_ path: String) throws(FileLayerError) -> any ReadableFile
}

/// A new file; used by one caller at a time.
package protocol WritableFile: Sendable {
    func append(_ bytes: UnsafeRawBufferPointer) throws(FileLayerError)
    /// Brings the file's bytes to the disk.
    func sync() throws(FileLayerError)
    /// Says that the bytes, once on the disk, need not stay in memory.
    func leaveMemory()
    func close()
}

/// A file to read from at any place.
package protocol ReadableFile: Sendable {
    /// - Returns: how many bytes were read; fewer than asked for at the file's end only.
    func read(into bytes: UnsafeMutableRawBufferPointer, at offset: Int) throws(FileLayerError) -> Int
    func close()
}

/// What the system answered.
package struct FileLayerError: Error, Sendable, Equatable, CustomStringConvertible {
    package let operation: String
    package let code: Int32

    package init(operation: String, code: Int32) {
        self.operation = operation
        self.code = code
    }

    package var isNotFound: Bool { code == ENOENT }
    package var isNoFolder: Bool { code == ENOTDIR }
    package var isFull: Bool { code == ENOSPC || code == EDQUOT }
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
        var status = stat()
        guard stat(folder, &status) == 0 else { throw FileLayerError(operation: "list", code: errno) }
        guard status.st_mode & S_IFMT == S_IFDIR else { throw FileLayerError(operation: "list", code: ENOTDIR) }
        do { return try FileManager.default.contentsOfDirectory(atPath: folder) } catch {
            throw FileLayerError(operation: "list", code: EIO)
        }
    }

    package func makeFolder(_ path: String) throws(FileLayerError) {
        guard mkdir(path, 0o700) == 0 || errno == EEXIST else {
            throw FileLayerError(operation: "make folder", code: errno)
        }
    }

    package func removeFolder(_ path: String) throws(FileLayerError) {
        guard rmdir(path) == 0 || errno == ENOENT else {
            throw FileLayerError(operation: "remove folder", code: errno)
        }
    }

    package func create(_ path: String) throws(FileLayerError) -> any WritableFile {
        SystemFile(descriptor: try open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, "create"))
    }

    package func open(_ path: String) throws(FileLayerError) -> any ReadableFile {
        SystemFile(descriptor: try open(path, O_RDONLY | O_CLOEXEC, "open"))
    }

    private func open(_ path: String, _ flags: Int32, _ operation: String) throws(FileLayerError) -> Int32 {
        let descriptor = Glibc.open(path, flags, 0o600)
        guard descriptor >= 0 else { throw FileLayerError(operation: operation, code: errno) }
        return descriptor
    }
}

/// An open file of the system.
private struct SystemFile: WritableFile, ReadableFile {
    let descriptor: Int32

    func append(_ bytes: UnsafeRawBufferPointer) throws(FileLayerError) {
        var done = 0
        while done < bytes.count {
            let count = Glibc.write(descriptor, bytes.baseAddress.map { $0 + done }, bytes.count - done)
            if count < 0 {
                if errno == EINTR { continue }
                throw FileLayerError(operation: "write", code: errno)
            }
            done += count
        }
    }

    func sync() throws(FileLayerError) {
        guard fdatasync(descriptor) == 0 else { throw FileLayerError(operation: "sync", code: errno) }
    }

    func leaveMemory() { _ = posix_fadvise(descriptor, 0, 0, POSIX_FADV_DONTNEED) }

    func read(into bytes: UnsafeMutableRawBufferPointer, at offset: Int) throws(FileLayerError) -> Int {
        var done = 0
        while done < bytes.count {
            let place = bytes.baseAddress.map { $0 + done }
            let count = pread(descriptor, place, bytes.count - done, off_t(offset + done))
            if count < 0 {
                if errno == EINTR { continue }
                throw FileLayerError(operation: "read", code: errno)
            }
            if count == 0 { break }
            done += count
        }
        return done
    }

    func close() { _ = Glibc.close(descriptor) }
}
