import Foundation
import ResourceModel
import Store
import Testing

/// What a start finds in a folder, before it opens anything.
@Suite struct StartCheckTests {
    private let folder = FileManager.default.temporaryDirectory.path + "/gatehouse-\(UUID().uuidString)"

    private func make(_ names: [String], secrets: Bool = true) throws {
        for path in ["secrets", "blobs/0", "content"] {
            try FileManager.default.createDirectory(atPath: "\(folder)/\(path)", withIntermediateDirectories: true)
        }
        if secrets { try write("secrets/master.key", "k") }
        for name in names {
            let file = try SQLiteFile(path: "\(folder)/\(name)", migrations: [.init("CREATE TABLE a (b INTEGER)")])
            try file.fold()
        }
    }

    private func write(_ name: String, _ text: String) throws {
        try Data(text.utf8).write(to: URL(fileURLWithPath: "\(folder)/\(name)"))
    }

    private func refusal(_ accepted: Set<String> = []) -> String {
        do {
            _ = try StartCheck(folder: folder, accepted: accepted).run()
            return ""
        } catch { return "\(error)" }
    }

    private func clean() { try? FileManager.default.removeItem(atPath: folder) }

    @Test func `an empty folder may become an installation, and one whose first start was cut off too`() throws {
        defer { clean() }
        try make([], secrets: false)
        #expect(try StartCheck(folder: folder).run().mayMake)
        let mark = InstallationMark(id: "x", isComplete: false)
        try write(InstallationMark.fileName, String(decoding: mark.bytes, as: UTF8.self))
        try write("secrets/master.key", "k")
        let findings = try StartCheck(folder: folder).run()
        #expect(findings.mayMake && findings.installation == "x")
        #expect(try InstallationMark.read(folder) == mark)
    }

    @Test func `secrets, contents, or a log alone are a reason to refuse`() throws {
        defer { clean() }
        for (name, word) in [
            ("secrets/workspace-token", "secrets"), ("blobs/0/1", "contents"), ("content/ab", "contents"),
            ("blobs/orphans-of-old", "contents"),
            ("work.sqlite-wal", "work.sqlite-wal"),
        ] {
            try make([], secrets: false)
            try write(name, String(repeating: "x", count: 100))
            let said = refusal()
            #expect(
                said.contains("configuration.sqlite is missing") && said.contains("work.sqlite is missing"),
                "\(name)"
            )
            #expect(said.contains(word))
            #expect(try StartCheck(folder: folder, accepted: Set(StartCheck.databases)).run().mayMake)
            clean()
        }
    }

    @Test func `facts may be missing in a folder of before the marks only`() throws {
        defer { clean() }
        try make(["configuration.sqlite", "work.sqlite"])
        #expect(refusal().isEmpty)
        let mark = InstallationMark(id: "x", isComplete: true)
        try write(InstallationMark.fileName, String(decoding: mark.bytes, as: UTF8.self))
        #expect(refusal().contains("facts.sqlite is missing"))
        #expect(refusal(["facts.sqlite"]).isEmpty)
        try write(InstallationMark.fileName, "{")
        #expect(refusal().contains("\(InstallationMark.fileName) is damaged"))
    }

    @Test func `a database is looked at without a change to it`() throws {
        defer { clean() }
        try make(["configuration.sqlite", "work.sqlite"])
        for (text, kind) in [
            ("", DatabaseHeader.Kind.empty), ("text", .foreign), (String(repeating: "\0", count: 4096), .empty),
            (String(repeating: "text", count: 100), .foreign),
        ] {
            try write("work.sqlite", text)
            #expect(try DatabaseHeader(path: "\(folder)/work.sqlite").kind == kind)
            #expect(refusal().contains("work.sqlite"))
            #expect(try Data(contentsOf: URL(fileURLWithPath: "\(folder)/work.sqlite")) == Data(text.utf8))
        }
        #expect(refusal(["work.sqlite"]).contains("damaged"))
        #expect(try DatabaseHeader(path: "\(folder)/configuration.sqlite").kind == .database)
        #expect(try DatabaseHeader(path: "\(folder)/none").kind == .absent)
    }

    @Test func `a file says whose it is, and another's is refused`() async throws {
        defer { clean() }
        try make([])
        let path = "\(folder)/work.sqlite"
        var queue = try SQLiteWorkQueue(path: path, .init(installation: "one"))
        #expect(try queue.file.installation() == nil)
        try await queue.file.mark(installation: "one", now: 1)
        try queue.file.fold()
        #expect(try SQLiteFile.installation(path: path) == "one")
        #expect(throws: DatabaseFileError(path, .other)) { try SQLiteWorkQueue(path: path, .init(installation: "two")) }
        queue = try SQLiteWorkQueue(path: path, .init(installation: "one"))
        try queue.file.fold()
        #expect(!FileManager.default.fileExists(atPath: path + "-wal"))
    }

    @Test func `a log belongs to a database only where the folder names it`() async throws {
        defer { clean() }
        try make(["work.sqlite", "facts.sqlite"])
        let mark = InstallationMark(id: "x", isComplete: true)
        try write(InstallationMark.fileName, String(decoding: mark.bytes, as: UTF8.self))
        let log = URL(fileURLWithPath: "\(folder)/configuration.sqlite-wal")
        let main = URL(fileURLWithPath: "\(folder)/configuration.sqlite")
        /// A log as it begins, what the folder then says of it, and both files after it was begun anew some times.
        let live = { () async throws -> (first: Data, open: String, database: Data, log: Data) in
            let store = try SQLiteResourceStore(path: main.path)
            let put = { @Sendable (count: Int) async throws in
                let text = JSONValue.string(String(repeating: "x", count: count))
                let id = ResourceID(["apis", "a"])
                _ = try await store.apply([ResourceWrite(id, .put(properties: ["text": text], index: [], secrets: []))])
            }
            try await put(10)
            let first = try Data(contentsOf: log)
            let lines = String(decoding: OpenMark.open, as: UTF8.self).split(separator: "\n")
            for _ in 0..<3 { try await put(5_000_000) }
            try await put(10)
            let end = (try Data(contentsOf: main), try Data(contentsOf: log))
            try store.file.close()
            return (first, lines.first.map(String.init) ?? "", end.0, end.1)
        }
        let other = try await live()
        try FileManager.default.removeItem(at: main)
        let own = try await live()
        #expect(own.log.prefix(32) != own.first.prefix(32))
        try own.database.write(to: main)
        for (bytes, open, isOwn) in [
            (own.log, own.open, true), (own.first, own.open, true), (own.log, "configuration.sqlite", true),
            (own.log, "configuration.sqlite possible", true), (other.log, "", false), (own.log, "", false),
        ] {
            try bytes.write(to: log)
            try write(OpenMark.fileName, open)
            #expect(refusal().contains("does not belong to configuration.sqlite") == !isOwn)
            #expect(isOwn == refusal().isEmpty)
            let findings = try StartCheck(folder: folder, accepted: ["configuration.sqlite"]).run()
            #expect(findings.strayLogs == (isOwn ? [] : [log.path]))
        }
    }

    @Test func `a look tells what is not ours, and changes nothing`() async throws {
        defer { clean() }
        try make(["work.sqlite"])
        let path = "\(folder)/work.sqlite"
        let look = { (name: String) in try DatabaseLook(folder: folder, name: name, hasLog: true).judge() }
        #expect(throws: DatabaseFileError.self) { try look("work.sqlite") }
        try FileManager.default.removeItem(atPath: path)
        let queue = try SQLiteWorkQueue(path: path, .init(installation: "one"))
        try await queue.file.mark(installation: "one", now: 1)
        let files = { try ["", "-wal"].map { try Data(contentsOf: URL(fileURLWithPath: path + $0)) } }
        let before = try files()
        #expect(try look("work.sqlite") == "one")
        #expect(try files() == before)
        try FileManager.default.copyItem(atPath: path, toPath: "\(folder)/facts.sqlite")
        try FileManager.default.copyItem(atPath: path + "-wal", toPath: "\(folder)/facts.sqlite-wal")
        #expect(throws: DatabaseFileError.self) { try look("facts.sqlite") }
        try queue.file.fold()
        #expect(try FileManager.default.contentsOfDirectory(atPath: folder).filter { $0.hasPrefix(".") }.isEmpty)
    }

    @Test func `a file of a later program is named`() throws {
        defer { clean() }
        try make([])
        let path = "\(folder)/work.sqlite"
        let file = try SQLiteFile(path: path, migrations: Array(repeating: .init("SELECT 1"), count: 99))
        try file.fold()
        #expect(throws: DatabaseFileError(path, .newer(99))) { try SQLiteWorkQueue(path: path) }
    }

    @Test func `what is ours is narrowed, what is not stays`() throws {
        defer { clean() }
        try make(["work.sqlite"])
        try write("secrets/token", "t")
        try write("foreign", "f")
        let open = { (name: String) in
            try FileManager.default.setAttributes([.posixPermissions: 0o777], ofItemAtPath: "\(folder)/\(name)")
        }
        for name in ["", "secrets", "secrets/token", "work.sqlite", "foreign", "blobs/0"] { try open(name) }
        #expect(PrivateFiles.narrow(folder, ["secrets", "work.sqlite", "blobs", "none"]).isEmpty)
        let mode = { (name: String) in
            try FileManager.default.attributesOfItem(atPath: "\(folder)/\(name)")[.posixPermissions] as? Int
        }
        for name in ["", "secrets", "secrets/token", "work.sqlite", "blobs/0"] { #expect(try mode(name) == 0o700) }
        #expect(try mode("foreign") == 0o777)
    }
}
