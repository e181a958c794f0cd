import ArgumentParser
import Foundation
import NIOHTTP1
import ResourceModel

/// `gatehouse export`: the whole configuration as files fit for a version control system.
struct ExportCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "export",
        abstract: "Write the whole configuration as files: a resource a file, policies as XML, secrets by reference."
    )
    @OptionGroup var options: ServerOptions
    @Argument(help: "Folder: empty, new, or one that was exported before.") var folder: String
    @Option(help: "File for the secrets' texts, which belong in no repository (passwords are in none).") var secrets:
        String?

    func run() async throws {
        let client = try await ServerClient.connect(options)
        let path = "/api/configuration" + (secrets == nil ? "" : "?secrets=true")
        let answer = try await client.json(.GET, path)
        let resources = answer["resources"]?.array ?? []
        let written = try ConfigurationFolder(folder).write(resources)
        if let secrets { try Self.writePrivately(secrets, (answer["secrets"] ?? [:]).indented) }
        if options.json {
            print(
                JSONValue.object(["resources": .int(resources.count), "files": .int(written)]).indented,
                terminator: ""
            )
        } else {
            print("\(resources.count) resources in \(written) files")
        }
    }

    private static func writePrivately(_ file: String, _ text: String) throws {
        guard
            FileManager.default.createFile(
                atPath: file,
                contents: Data(text.utf8),
                attributes: [.posixPermissions: 0o600]
            )
        else { throw CommandFailure("\"\(file)\" cannot be written.") }
    }
}

/// `gatehouse apply`: the instance becomes what the files say.
struct ApplyCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "apply",
        abstract: "Show how the instance differs from a folder of files, and make it what they say in one transaction.",
        discussion: """
            What the folder does not have is deleted, but for users, subscriptions, their places in groups, issues and those who are \
            told of events; --people deletes them too.
            """
    )
    @OptionGroup var options: ServerOptions
    @Argument(help: "Folder that was exported, or written like one.") var folder: String
    @Flag(name: .customLong("dry-run"), help: "Only show the differences.") var isDryRun = false
    @Flag(help: "Delete what people made as well, where the folder does not have it.") var people = false
    @Option(help: "JSON file with the texts of secrets by their references.") var secrets: String?

    func run() async throws {
        let client = try await ServerClient.connect(options)
        var body: JSONObject = [
            "resources": .array(try ConfigurationFolder(folder).read()), "isDryRun": .bool(isDryRun),
            "deletesPeople": .bool(people),
        ]
        if let secrets {
            guard let texts = try? JSONValue(parsing: try FileText.read(secrets)), texts.object != nil else {
                throw CommandFailure("\"\(secrets)\" must be a JSON object of texts by reference.")
            }
            body["secrets"] = texts
        }
        let answer = try await client.json(.POST, "/api/configuration", .object(body))
        if options.json { return print(answer.indented, terminator: "") }
        let changes = answer["changes"]?.array ?? []
        for change in changes {
            let marks = ["create": "+", "update": "~", "delete": "-"]
            let names = (change["properties"]?.array ?? []).compactMap(\.string)
            let mark = marks[change["action"]?.string ?? ""] ?? "?"
            print(
                "\(mark) \(change["id"]?.string ?? "")" + (names.isEmpty ? "" : " (\(names.joined(separator: ", ")))")
            )
        }
        let count =
            changes.isEmpty ? "No differences" : changes.count == 1 ? "1 difference" : "\(changes.count) differences"
        print(changes.isEmpty ? count : "\(count), \(isDryRun ? "not applied" : "applied")")
    }
}

/// A configuration as a folder: `/apis/echo/operations/get` is `apis/echo/operations/get.json`, and a policy document is beside it as XML.
struct ConfigurationFolder {
    /// Says that the folder is one of these, and how it is written.
    private static let manifest = "gatehouse.json"
    private static let format = 1
    /// The service itself.
    private static let service = "service"

    private let folder: URL

    init(_ path: String) { folder = URL(fileURLWithPath: path, isDirectory: true).standardizedFileURL }

    /// - Returns: how many files there are now; those of an earlier export that have no resource any more are gone.
    func write(_ resources: [JSONValue]) throws -> Int {
        let files = FileManager.default
        let present = try existing()
        guard present.isEmpty || present.contains(Self.manifest) else {
            throw CommandFailure(
                "The folder \(folder.path) holds other files; give a new one, or one that was exported before."
            )
        }
        var written: Set<String> = []
        func put(_ name: String, _ text: String) throws {
            let file = folder.appendingPathComponent(name)
            try files.createDirectory(at: file.deletingLastPathComponent(), withIntermediateDirectories: true)
            // Files that are as they should be keep their times.
            if (try? String(contentsOf: file, encoding: .utf8)) != text { try Data(text.utf8).write(to: file) }
            written.insert(name)
        }
        try put(Self.manifest, JSONValue.object(["format": .int(Self.format)]).indented)
        for resource in resources {
            let name = Self.name(resource["id"]?.string ?? "")
            var properties = resource["properties"]?.object ?? JSONObject()
            if properties["format"]?.string == "rawxml", let text = properties["value"]?.string {
                try put(name + ".xml", text)
                properties["value"] = nil
                properties["format"] = nil
                if properties.isEmpty { continue }
            }
            try put(name + ".json", JSONValue.object(properties).indented)
        }
        for name in present where !written.contains(name) {
            try files.removeItem(at: folder.appendingPathComponent(name))
        }
        return written.count
    }

    /// The resources that the files say.
    func read() throws -> [JSONValue] {
        let names = try existing()
        guard names.contains(Self.manifest) else {
            throw CommandFailure("The folder \(folder.path) is no configuration: it has no \(Self.manifest).")
        }
        let about = try? JSONValue(parsing: try FileText.read(folder.appendingPathComponent(Self.manifest).path))
        guard about?["format"]?.int == Self.format else {
            throw CommandFailure("\(Self.manifest) must say \"format\": \(Self.format).")
        }
        var resources: [String: JSONObject] = [:]
        for name in names where name != Self.manifest {
            let text = try FileText.read(folder.appendingPathComponent(name).path)
            let id = try Self.id(String(name.dropLast(name.hasSuffix(".xml") ? 4 : 5)), name)
            var properties = resources[id] ?? JSONObject()
            if name.hasSuffix(".xml") {
                properties["format"] = "rawxml"
                properties["value"] = .string(text)
            } else {
                let document: JSONValue
                do { document = try JSONValue(parsing: text) } catch {
                    throw CommandFailure("\(name) is not valid JSON: \(error)")
                }
                guard let object = document.object else { throw CommandFailure("\(name) must hold a JSON object.") }
                for member in object.members { properties[member.name] = member.value }
            }
            resources[id] = properties
        }
        // Parents first, and the same order each time.
        let ids = resources.keys.sorted { ($0.count { $0 == "/" }, $0) < ($1.count { $0 == "/" }, $1) }
        return ids.map { ["id": .string($0), "properties": .object(resources[$0] ?? JSONObject())] }
    }

    /// The files of a configuration by their paths in the folder; what a version control system keeps beside them is not looked at.
    private func existing() throws -> Set<String> {
        let root = folder.resolvingSymlinksInPath().path
        guard
            let walk = FileManager.default.enumerator(
                at: URL(fileURLWithPath: root, isDirectory: true),
                includingPropertiesForKeys: [.isRegularFileKey],
                options: [.skipsHiddenFiles]
            )
        else { return [] }
        var names: Set<String> = []
        for case let file as URL in walk where ["json", "xml"].contains(file.pathExtension) {
            guard try file.resourceValues(forKeys: [.isRegularFileKey]).isRegularFile == true else { continue }
            names.insert(String(file.path.dropFirst(root.count + 1)))
        }
        return names
    }

    private static func name(_ id: String) -> String {
        let segments = id.split(separator: "/").map { escaped(String($0)) }
        return segments.isEmpty ? service : segments.joined(separator: "/")
    }

    private static func id(_ name: String, _ file: String) throws -> String {
        guard name != service else { return "/" }
        let segments = name.split(separator: "/").map { PercentEncoding.decoded($0) ?? String($0) }
        guard segments.count % 2 == 0, segments.allSatisfy({ !$0.contains("/") }) else {
            throw CommandFailure("\(file) is the file of no resource: types and names alternate in its path.")
        }
        return "/" + segments.joined(separator: "/")
    }

    /// A name as a file's: letters, digits and what no file system minds; a dot at the front would hide it.
    private static func escaped(_ segment: String) -> String {
        var allowed = CharacterSet(charactersIn: "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_@;~=")
        if !segment.hasPrefix(".") { allowed.insert(".") }
        return segment.addingPercentEncoding(withAllowedCharacters: allowed) ?? segment
    }
}
