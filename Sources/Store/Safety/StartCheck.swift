import Foundation
import ResourceModel

#if canImport(Glibc)
import Glibc
#endif

/// Judges a data folder before anything in it is opened or made, and changes nothing.
///
/// A database that is missing beside secrets and contents is not a reason to make a new one: contents that the new one does not
/// name would be taken for rubbish, and secrets for another's. So a start makes only what was never there.
package struct StartCheck: Sendable {
    /// The databases of an installation; all but the first two came later, and old folders may be without them.
    package static let databases = ["configuration.sqlite", "work.sqlite", "facts.sqlite"]
    private static let firstDatabases = Set(databases.prefix(2))

    /// What a start may do.
    package struct Findings: Sendable {
        /// The installation that the folder says it is; nil where it says nothing yet.
        package var installation: String?
        /// Whether an installation may be made.
        package var mayMake = false
        /// What the log is to say.
        package var notes: [String] = []
        /// Logs of databases that were found damaged and are to be opened all the same.
        package var acceptedLogs: [String] = []
        /// Logs that do not belong to their databases and are to be taken away from them.
        package var strayLogs: [String] = []
    }

    private let folder: String
    private let accepted: Set<String>

    /// - Parameter accepted: names of databases whose loss, in whole or in part, somebody has accepted for this start.
    package init(folder: String, accepted: Set<String> = []) {
        self.folder = folder
        self.accepted = accepted
    }

    /// - Throws: `StartRefusal` with all that was found.
    package func run() throws -> Findings {
        try checkWritable()
        let mark = try InstallationMark.read(folder)
        var findings = Findings(installation: mark?.id)
        var problems: [String] = []
        var kinds: [String: DatabaseHeader.Kind] = [:]
        for name in Self.databases {
            let path = "\(folder)/\(name)"
            kinds[name] = try kind(path)
            if kinds[name] == .foreign {
                problems.append("The database \(path) is damaged: it does not begin as a SQLite database does.")
            }
        }
        let isThere = { (name: String) in kinds[name] == .database || kinds[name] == .foreign }
        let remains = remains(kinds)
        var required: Set<String> = []
        if let mark {
            if mark.isComplete { required = Set(mark.databases) }
        } else if !remains.isEmpty || Self.databases.contains(where: isThere) {
            required = Self.firstDatabases
        }
        findings.mayMake = required.isEmpty || accepted.contains(Self.databases[0])
        for name in Self.databases where required.contains(name) && !isThere(name) {
            let word = kinds[name] == .absent ? "missing" : "empty"
            let reason = remains.isEmpty ? "other databases of an installation" : remains.joined(separator: " and ")
            let text = "The database \(folder)/\(name) is \(word), though \(reason) are there"
            if accepted.contains(name) {
                findings.notes.append(text + "; a new one is made, as --accept-loss \(name) asks for.")
                // SQLite removes a log whose database is not there.
                if Self.size("\(folder)/\(name)-wal") ?? 0 > 0 {
                    findings.acceptedLogs.append("\(folder)/\(name)-wal")
                }
            } else {
                problems.append(text + ". " + advice(name, "make a new one"))
            }
        }
        if isThere(Self.databases[0]), !required.isEmpty, !exists("secrets/master.key") {
            problems.append(
                "The file \(folder)/secrets/master.key is missing: no secret of the database \(Self.databases[0]) can be read without it. Put it back."
            )
        }
        try checkLogs(kinds, mark, &findings, &problems)
        guard problems.isEmpty else { throw StartRefusal(problems: problems) }
        return findings
    }

    // MARK: - Logs

    private func checkLogs(
        _ kinds: [String: DatabaseHeader.Kind],
        _ mark: InstallationMark?,
        _ findings: inout Findings,
        _ problems: inout [String]
    ) throws {
        let open = OpenMark.read(folder)
        for name in Self.databases {
            let log = "\(folder)/\(name)-wal"
            let size = Self.size(log)
            if kinds[name] == .database, open[name]?.isNeeded == true, size ?? 0 < Int64(WALReport.headerBytes) {
                let text =
                    "The log \(log) is \(size == nil ? "missing" : "empty"), though the last server did not end by itself: what was committed and not yet brought into \(name) was only there"
                if accepted.contains(name) {
                    findings.notes.append(text + "; it is given up, as --accept-loss \(name) asks for.")
                } else {
                    problems.append(text + ". " + advice(name, "serve what \(name) holds without it"))
                }
                continue
            }
            let report = try WALReport(path: log)
            // Folders of before the marks, and those of a first start, say nothing of their logs.
            if kinds[name] == .database, mark?.isComplete == true, size ?? 0 > Int64(WALReport.headerBytes),
                let text = Self.strangeness(log, name, open[name])
            {
                if accepted.contains(name) {
                    findings.strayLogs.append(log)
                    findings.notes.append(text + " \(name) is served without it, as --accept-loss \(name) asks for.")
                } else {
                    problems.append(text + " " + advice(name, "serve what \(name) holds without it"))
                }
                continue
            }
            switch report.verdict {
            case .whole: break
            case .torn:
                findings.notes.append(
                    "The log \(log) ends within a commit that was never acknowledged: \(report.lostFrames) frames of it are left out, \(report.commits) commits before it are read."
                )
            case .damaged:
                let text = Self.damage(log, report)
                if accepted.contains(name) {
                    findings.acceptedLogs.append(log)
                    findings.notes.append(text + " They are given up, as --accept-loss \(name) asks for.")
                } else {
                    problems.append(text + " " + advice(name, "serve the \(report.commits) commits before them"))
                }
            }
        }
    }

    /// Why a log is not the one that its database was left with, or nil.
    private static func strangeness(
        _ log: String,
        _ name: String,
        _ known: OpenMark.Log?
    ) -> String? {
        guard known == nil else { return nil }
        return
            "The log \(log) does not belong to \(name): \(name) was closed and needs none (no \(OpenMark.fileName) names it). The log is another's or an older one, and would change what \(name) holds."
    }

    private static func damage(_ log: String, _ report: WALReport) -> String {
        let bad = report.badFrame ?? 0
        let location = bad == 0 ? "in its header" : "at frame \(bad) (byte \(report.badOffset))"
        return
            "The log \(log) is damaged \(location): \(report.lostCommits) acknowledged commits (\(report.lostFrames) frames) from there on cannot be read, and would be lost."
    }

    private func advice(_ name: String, _ what: String) -> String {
        "Nothing was changed. Put a whole copy in its place, or, to \(what), start once with `gatehouse serve --accept-loss \(name)`."
    }

    // MARK: - Files

    private func kind(_ path: String) throws(DatabaseFileError) -> DatabaseHeader.Kind {
        let kind = try DatabaseHeader(path: path).kind
        guard kind == .bare else { return kind }
        return try WALReport(path: path + "-wal").holdsCommits ? .database : .empty
    }

    /// What is there of an installation beside its databases, in words.
    private func remains(_ kinds: [String: DatabaseHeader.Kind]) -> [String] {
        var found: [String] = []
        if hasFile("secrets", depth: 1) { found.append("secrets (\(folder)/secrets)") }
        for name in ["content", "blobs"] where hasFile(name, depth: 3) {
            found.append("contents (\(folder)/\(name))")
        }
        for name in Self.databases where kinds[name] == .absent || kinds[name] == .empty {
            let log = "\(folder)/\(name)-wal"
            if Self.size(log) ?? 0 > Int64(WALReport.headerBytes) { found.append("a log (\(log))") }
        }
        return found
    }

    private func hasFile(_ name: String, depth: Int) -> Bool {
        let path = "\(folder)/\(name)"
        for item in (try? FileManager.default.contentsOfDirectory(atPath: path)) ?? [] {
            var status = stat()
            guard lstat("\(path)/\(item)", &status) == 0 else { continue }
            if status.st_mode & S_IFMT == S_IFDIR {
                if depth > 1, hasFile("\(name)/\(item)", depth: depth - 1) { return true }
            } else if !item.hasPrefix(".") {
                return true
            }
        }
        return false
    }

    private func exists(_ name: String) -> Bool { access("\(folder)/\(name)", F_OK) == 0 }

    private static func size(_ path: String) -> Int64? {
        var status = stat()
        return stat(path, &status) == 0 ? Int64(status.st_size) : nil
    }

    /// Everything that a server writes can be written.
    private func checkWritable() throws(DatabaseFileError) {
        let folders = [folder] + ["secrets", "content", "blobs", "tls"].map { "\(folder)/\($0)" }
        for path in folders where access(path, F_OK) == 0 && !Self.isFolder(path) {
            throw DatabaseFileError(path, .notFolder)
        }
        var paths = folders + ["content", "blobs"].flatMap { subfolders($0) }
        for name in Self.databases { paths += ["", "-wal", "-shm"].map { "\(folder)/\(name)\($0)" } }
        paths += [InstallationMark.fileName, OpenMark.fileName, "reserve"].map { "\(folder)/\($0)" }
        for path in paths where access(path, F_OK) == 0 && access(path, R_OK | W_OK) != 0 {
            throw DatabaseFileError(path, .unwritable(String(cString: strerror(errno))))
        }
    }

    private static func isFolder(_ path: String) -> Bool {
        var status = stat()
        return stat(path, &status) == 0 && status.st_mode & S_IFMT == S_IFDIR
    }

    /// Folders of contents; each may be mounted, or closed, by itself.
    private func subfolders(_ name: String) -> [String] {
        let path = "\(folder)/\(name)"
        guard let stream = opendir(path) else { return [] }
        defer { closedir(stream) }
        var found: [String] = []
        while let entry = readdir(stream) {
            // What the system does not tell by the entry (DT_UNKNOWN) is asked for.
            let kind = Int(entry.pointee.d_type)
            guard kind == Int(DT_DIR) || kind == Int(DT_UNKNOWN) else { continue }
            let item = withUnsafeBytes(of: &entry.pointee.d_name) { raw in
                String(decoding: raw.prefix { $0 != 0 }, as: UTF8.self)
            }
            guard !item.hasPrefix("."), kind == Int(DT_DIR) || Self.isFolder("\(path)/\(item)") else { continue }
            found.append("\(path)/\(item)")
        }
        return found.sorted()
    }
}

/// Why a folder is not served.
package struct StartRefusal: Error, Sendable, CustomStringConvertible {
    package let problems: [String]
    package var description: String { problems.joined(separator: "\n") }
}

/// The file that says which installation a folder is, and which databases it has.
package struct InstallationMark: Sendable, Equatable {
    package static let fileName = "installation.json"

    package var id: String
    /// Whether the first start ended well: until then nothing was acknowledged.
    package var isComplete: Bool
    package var databases: [String]

    package init(id: String, isComplete: Bool, databases: [String] = StartCheck.databases) {
        self.id = id
        self.isComplete = isComplete
        self.databases = databases
    }

    package var bytes: [UInt8] {
        let document: JSONObject = [
            "id": .string(id), "complete": .bool(isComplete), "databases": .array(databases.map { .string($0) }),
        ]
        return Array((JSONValue.object(document).indented + "\n").utf8)
    }

    /// - Returns: nil where there is none, as in folders of before such marks.
    package static func read(_ folder: String) throws -> InstallationMark? {
        let path = "\(folder)/\(fileName)"
        guard access(path, F_OK) == 0 else { return nil }
        guard let text = try? String(contentsOfFile: path, encoding: .utf8) else {
            throw DatabaseFileError(path, .unreadable(String(cString: strerror(errno))))
        }
        guard let document = try? JSONValue(parsing: text), let id = document["id"]?.string, !id.isEmpty,
            let isComplete = document["complete"]?.bool, let names = document["databases"]?.array
        else {
            throw StartRefusal(problems: [
                "The file \(path) is damaged: it does not say which installation this is. Put a whole copy in its place, or remove it: the databases say it too."
            ])
        }
        return InstallationMark(id: id, isComplete: isComplete, databases: names.compactMap(\.string))
    }
}
