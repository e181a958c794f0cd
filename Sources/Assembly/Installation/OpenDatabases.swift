import Foundation
import Management
import ResourceModel
import Store

#if canImport(Glibc)
import Glibc
#endif

/// The databases of an installation, opened together, and closed so that each file is whole by itself.
struct OpenDatabases: Sendable {
    let resources: SQLiteResourceStore
    let queue: SQLiteWorkQueue
    let facts: SQLiteFactStore
    let reserve: DiskReserve
    /// Whether an installation may be made where there is none.
    let mayMake: Bool
    /// What the log is to say of the start.
    let notes: [String]
    private let folder: DataFolder
    private let installation: String
    private let mark: InstallationMark?

    /// Judges the folder, then opens what is there and makes what was never there.
    ///
    /// - Parameter accepted: databases whose loss was accepted for this start.
    static func open(_ folder: DataFolder, accepting accepted: Set<String> = []) throws -> OpenDatabases {
        let unknown = accepted.subtracting(StartCheck.databases)
        guard unknown.isEmpty else {
            throw InstallationError(
                "--accept-loss: \"\(unknown.sorted().joined(separator: ","))\" is no database; there are \(StartCheck.databases.joined(separator: ", "))."
            )
        }
        try folder.checkSecrets()
        let findings = try StartCheck(folder: folder.path, accepted: accepted).run()
        let mark = try InstallationMark.read(folder.path)
        let reserve = DiskReserve(path: folder.reserveFile)
        let known = try onFullDisk(folder, reserve) { try judge(folder, mark, findings) }
        // Up to here nothing was changed.
        var notes = findings.notes
        for log in findings.acceptedLogs { notes.append("The log is kept as \(try folder.keepCopy(ofLog: log)).") }
        for log in findings.strayLogs { notes.append("The log is kept as \(try folder.setAside(log: log)).") }
        let open = PrivateFiles.narrow(folder.path, DataFolder.ownNames)
        if let first = open.first {
            notes.append(
                "\(open.count) files or folders stay open to other users, as \(first): they are not this user's."
            )
        }
        let installation = mark?.id ?? known ?? Identifier.guid()
        if mark == nil, findings.mayMake {
            // Before anything is made: a first start that is cut off may go on.
            try folder.writePrivately(
                "\(folder.path)/\(InstallationMark.fileName)",
                InstallationMark(id: installation, isComplete: false).bytes
            )
        }
        // After a crash the file is there, and goes on to tell which logs are the right ones.
        if !accepted.isEmpty || !OpenMark.isWhole(folder.path) {
            try onFullDisk(folder, reserve) { try folder.markPassing() }
        }
        let surroundings = SQLiteFile.Surroundings(installation: installation, reserve: reserve)
        return try onFullDisk(folder, reserve) {
            OpenDatabases(
                resources: try SQLiteResourceStore(
                    path: folder.configurationFile,
                    sealedMembers: ResourceTypes.sealedMembers,
                    surroundings
                ),
                queue: try SQLiteWorkQueue(path: folder.workFile, surroundings),
                facts: try SQLiteFactStore(path: folder.factsFile, surroundings),
                reserve: reserve,
                mayMake: findings.mayMake,
                notes: notes,
                folder: folder,
                installation: installation,
                mark: mark
            )
        }
    }

    /// Room that a log and its index need to be opened.
    private static let openingBytes = 1 << 20

    /// Gives up what was kept back where even an opening needs it, so that something can be deleted.
    private static func onFullDisk<Value>(
        _ folder: DataFolder,
        _ reserve: DiskReserve,
        _ work: () throws -> Value
    ) throws -> Value {
        do { return try work() } catch {
            var space = statvfs()
            guard statvfs(folder.path, &space) == 0, Int(space.f_bavail) * Int(space.f_frsize) < openingBytes,
                reserve.release()
            else { throw error }
            return try work()
        }
    }

    /// Looks at the databases that are there, before any of them is opened.
    ///
    /// - Returns: the installation that they say they belong to; nil where they say nothing.
    private static func judge(
        _ folder: DataFolder,
        _ mark: InstallationMark?,
        _ findings: StartCheck.Findings
    ) throws -> String? {
        var known: (id: String, path: String)?
        for name in StartCheck.databases {
            let path = "\(folder.path)/\(name)"
            guard try DatabaseHeader(path: path).holdsPages else { continue }
            let look = DatabaseLook(
                folder: folder.path,
                name: name,
                hasLog: !findings.strayLogs.contains("\(path)-wal")
            )
            // A log may cover what the database itself says.
            let bare = DatabaseLook(folder: folder.path, name: name, hasLog: false).installation
            if let bare, let wanted = mark?.id, bare != wanted { throw DatabaseFileError(path, .other) }
            let id = try look.judge()
            if let id, let wanted = mark?.id ?? bare, id != wanted { throw DatabaseFileError(path, .other) }
            if let id, let known, id != known.id {
                throw InstallationError("The databases \(known.path) and \(path) belong to two installations.")
            }
            if let id, known == nil { known = (id, path) }
            if path == folder.configurationFile { try MasterKey(folder: folder).check(against: look) }
        }
        return known?.id
    }

    /// Says in each database whose it is; all that was judged before has been found right.
    func mark() async throws {
        try await checkAccounts()
        let now = Int64(Date().timeIntervalSince1970)
        // Little, and needed to come as far as a deletion on a full disk.
        try await SpaceUse.$isFreeing.withValue(true) {
            for file in files { try await file.mark(installation: installation, now: now) }
        }
        let whole = InstallationMark(id: installation, isComplete: true)
        guard mark != whole else { return }
        try folder.writePrivately("\(folder.path)/\(InstallationMark.fileName)", whole.bytes)
    }

    /// A work database of before the marks tells by its storage accounts whose it is.
    private func checkAccounts() async throws {
        guard try queue.file.installation() == nil else { return }
        let own = Set(try await resources.index(type: "workspaces/storageAccounts").map(\.id.name))
        let found = try await queue.accounts()
        guard own.isEmpty || found.isEmpty || !found.isDisjoint(with: own) else {
            throw DatabaseFileError(folder.workFile, .other)
        }
    }

    var files: [SQLiteFile] { [resources.file, queue.file, facts.file] }

    /// Brings everything into the database files and closes them; the first failure is thrown after all were tried.
    func close() throws {
        // A folder that is left in the midst of this may have its logs or not.
        try? folder.markPassing()
        var failure: (any Error)?
        for file in files {
            do { try file.fold() } catch { failure = failure ?? error }
        }
        if let failure { throw failure }
        folder.unmarkOpen()
    }
}
