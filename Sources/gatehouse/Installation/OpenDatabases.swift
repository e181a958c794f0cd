import Foundation
import Management
import ResourceModel
import Store

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
        var notes = findings.notes
        for log in findings.acceptedLogs { notes.append("The log is kept as \(try folder.keepCopy(ofLog: log)).") }
        let open = PrivateFiles.narrow(folder.path, DataFolder.ownNames)
        if let first = open.first {
            notes.append(
                "\(open.count) files or folders stay open to other users, as \(first): they are not this user's."
            )
        }
        let reserve = DiskReserve(path: folder.reserveFile)
        let mark = try InstallationMark.read(folder.path)
        let installation = try mark?.id ?? knownInstallation(folder) ?? Identifier.guid()
        if mark == nil, findings.mayMake {
            // Before anything is made: a first start that is cut off may go on.
            try folder.writePrivately(
                "\(folder.path)/\(InstallationMark.fileName)",
                InstallationMark(id: installation, isComplete: false).bytes
            )
        }
        let surroundings = SQLiteFile.Surroundings(installation: installation, reserve: reserve)
        let openAll = {
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
        do { return try openAll() } catch let error as DatabaseFileError {
            // On a full disk even the opening needs what was kept back, so that something can be deleted.
            guard case .unwritable = error.reason, reserve.release() else { throw error }
            return try openAll()
        }
    }

    /// What the databases of a folder without a mark say.
    private static func knownInstallation(_ folder: DataFolder) throws -> String? {
        var known: [(id: String, path: String)] = []
        for path in StartCheck.databases.map({ "\(folder.path)/\($0)" }) {
            guard try DatabaseHeader(path: path).holdsPages, let id = try SQLiteFile.installation(path: path) else {
                continue
            }
            known.append((id, path))
        }
        if let other = known.first(where: { $0.id != known.first?.id }) {
            throw InstallationError("The databases \(known[0].path) and \(other.path) are of two installations.")
        }
        return known.first?.id
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
        // First the mark goes: a folder without it may have its logs or not.
        folder.unmarkOpen()
        var failure: (any Error)?
        for file in files {
            do { try file.fold() } catch { failure = failure ?? error }
        }
        if let failure { throw failure }
    }
}
