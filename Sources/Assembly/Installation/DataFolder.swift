import Foundation
import ResourceModel
import Store

#if canImport(Glibc)
import Glibc
#endif

/// The folder that holds everything of an installation; one process at a time works on it.
package struct DataFolder: Sendable {
    struct Locked: Error, CustomStringConvertible {
        let path: String
        let pid: String
        var description: String { "The data folder \(path) is in use by process \(pid)." }
    }

    let path: String

    /// - Throws: an error that names the folder, where it cannot be made.
    package init(path: String) throws {
        self.path = URL(fileURLWithPath: path).standardizedFileURL.path
        for folder in [self.path, "\(self.path)/secrets"] {
            do {
                try FileManager.default.createDirectory(
                    atPath: folder,
                    withIntermediateDirectories: true,
                    attributes: [.posixPermissions: 0o700]
                )
            } catch {
                throw InstallationError("The folder \(folder) cannot be made: \(Self.reason(error)).")
            }
        }
    }

    /// What the system said, without the words around it.
    private static func reason(_ error: any Error) -> String {
        let inner = (error as NSError).userInfo[NSUnderlyingErrorKey] as? NSError ?? error as NSError
        guard inner.domain == NSPOSIXErrorDomain else { return inner.localizedDescription }
        return String(cString: strerror(Int32(inner.code)))
    }

    private static func failure(_ file: String, _ what: String) -> InstallationError {
        InstallationError("The file \(file) cannot be \(what): \(String(cString: strerror(errno))).")
    }

    var configurationFile: String { "\(path)/configuration.sqlite" }
    var workFile: String { "\(path)/work.sqlite" }
    var factsFile: String { "\(path)/facts.sqlite" }
    var contentFolder: String { "\(path)/content" }
    var blobsFolder: String { "\(path)/blobs" }
    /// What an installation keeps in its folder.
    static let ownNames =
        StartCheck.databases.flatMap { [$0, "\($0)-wal", "\($0)-shm"] }
        + [
            InstallationMark.fileName, OpenMark.fileName, "gatehouse.lock", "server.json", "reserve", "secrets", "tls",
            "content", "blobs", damagedFolderName,
        ]
    /// Where logs of databases are kept that were given up (`serve --accept-loss`).
    static let damagedFolderName = "damaged"
    /// Space for deletions on a full disk.
    var reserveFile: String { "\(path)/reserve" }
    private var openMarkFile: String { "\(path)/\(OpenMark.fileName)" }
    /// Addresses of the running server, for commands that are started beside it.
    var serverFile: String { "\(path)/server.json" }

    /// Takes the folder for this process; the system gives it back when the process ends, however it ends.
    ///
    /// - Returns: the descriptor that holds the lock.
    func lock() throws -> Int32 {
        let file = "\(path)/gatehouse.lock"
        let descriptor = open(file, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw Self.failure(file, "written") }
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
        guard access(file, F_OK) == 0 else { return nil }
        guard let text = try? String(contentsOfFile: file, encoding: .utf8) else {
            throw InstallationError("The file \(file) cannot be read as text.")
        }
        return text.trimmingCharacters(in: .whitespacesAndNewlines)
    }

    /// A secret that somebody must know to be let in: a short one would let in whoever guesses.
    func password(_ name: String, make: () -> String) throws -> String {
        let text = try secret(name, make: make)
        try check(password: text, name)
        return text
    }

    /// Judges the secrets that are there, before anything else is opened.
    func checkSecrets() throws {
        for name in ["management-token", "workspace-token", "workspace-token-secondary", "admin-password"] {
            if let text = try existingSecret(name) { try check(password: text, name) }
        }
        try MasterKey(folder: self).check()
    }

    private func check(password text: String, _ name: String) throws {
        let unseen: Set<Unicode.GeneralCategory> = [.control, .format, .lineSeparator, .paragraphSeparator]
        let isSeen = !text.unicodeScalars.contains { unseen.contains($0.properties.generalCategory) }
        guard !isSeen || text.utf8.count < Self.passwordBytesMin else { return }
        let what =
            !isSeen
            ? "holds control characters"
            : text.isEmpty ? "is empty" : "holds fewer than \(Self.passwordBytesMin) characters"
        throw InstallationError(
            "The file \(path)/secrets/\(name) \(what). Put the secret back, or remove the file: the next start makes another."
        )
    }

    /// Ours have 20 characters and more; shorter ones that somebody chose himself are guessed.
    private static let passwordBytesMin = 16

    func writeSecret(_ name: String, _ text: String) throws {
        try writePrivately("\(path)/secrets/\(name)", Array((text + "\n").utf8))
    }

    /// Writes a file that only the owner reads, whole or not at all.
    func writePrivately(_ file: String, _ bytes: [UInt8]) throws {
        let draft = "\(file).new"
        let descriptor = open(draft, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw Self.failure(file, "written") }
        defer { close(descriptor) }
        let written = bytes.withUnsafeBytes { write(descriptor, $0.baseAddress, bytes.count) }
        guard written == bytes.count, fsync(descriptor) == 0, rename(draft, file) == 0 else {
            let failure = Self.failure(file, "written")
            unlink(draft)
            throw failure
        }
        Self.flush(URL(fileURLWithPath: file).deletingLastPathComponent().path)
    }

    /// Takes a secret away that is of no use any more.
    func removeSecret(_ name: String) {
        guard unlink("\(path)/secrets/\(name)") == 0 else { return }
        Self.flush("\(path)/secrets")
    }

    /// Puts one secret in the place of another, at once or not at all.
    func replaceSecret(_ name: String, by other: String) throws {
        guard rename("\(path)/secrets/\(other)", "\(path)/secrets/\(name)") == 0 else {
            throw Self.failure("\(path)/secrets/\(name)", "replaced")
        }
        Self.flush("\(path)/secrets")
    }

    /// Gives a file another name that tells when, so that what is written under its own name destroys nothing.
    func keepAside(_ file: String) throws {
        guard access(file, F_OK) == 0 else { return }
        guard rename(file, "\(file).\(Self.stamp())") == 0 else { throw Self.failure(file, "renamed") }
        Self.flush(URL(fileURLWithPath: file).deletingLastPathComponent().path)
    }

    /// Copies the log of a database before SQLite leaves out what cannot be read of it.
    ///
    /// - Returns: the copy.
    func keepCopy(ofLog file: String) throws -> String {
        let folder = "\(path)/\(Self.damagedFolderName)"
        let copy = "\(folder)/\(URL(fileURLWithPath: file).lastPathComponent).\(Self.stamp())"
        do {
            try FileManager.default.createDirectory(
                atPath: folder,
                withIntermediateDirectories: true,
                attributes: [.posixPermissions: 0o700]
            )
            try FileManager.default.copyItem(atPath: file, toPath: copy)
            let descriptor = open(copy, O_RDONLY | O_CLOEXEC)
            defer { close(descriptor) }
            guard fchmod(descriptor, 0o600) == 0, fsync(descriptor) == 0 else { throw Self.failure(copy, "written") }
        } catch { throw InstallationError("The log \(file) cannot be copied to \(copy): \(Self.reason(error)).") }
        Self.flush(folder)
        return copy
    }

    /// Takes a log away from a database that it does not belong to.
    ///
    /// - Returns: where it is kept.
    func setAside(log file: String) throws -> String {
        let copy = try keepCopy(ofLog: file)
        guard unlink(file) == 0 else { throw Self.failure(file, "removed") }
        Self.flush(path)
        return copy
    }

    private static func stamp() -> String {
        Date().formatted(.iso8601).filter { (letter: Character) in letter != ":" && letter != "-" }
    }

    /// Notes that the logs of the databases hold what is not in them yet: a start without a log then knows what it lacks.
    func markOpen() throws { try writePrivately(openMarkFile, OpenMark.open) }

    /// Notes that databases are being opened or closed, so that logs may be there.
    func markPassing() throws { try writePrivately(openMarkFile, OpenMark.passing) }

    func unmarkOpen() {
        guard unlink(openMarkFile) == 0 else { return }
        Self.flush(path)
    }

    /// Brings the names in a folder to the disk.
    private static func flush(_ folder: String) {
        let descriptor = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard descriptor >= 0 else { return }
        fsync(descriptor)
        close(descriptor)
    }
}
