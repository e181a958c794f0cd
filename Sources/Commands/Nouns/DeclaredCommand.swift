import ArgumentParser
import Foundation
import NIOHTTP1
import ResourceModel

/// `gatehouse TYPE VERB …` for every type that the server declares, without a line of code for any of them.
struct DeclaredCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "resource",
        abstract: "Any type of the management API: TYPE list|show|create|update|delete, or an action of the type.",
        discussion: """
            Without words it lists the types. `gatehouse TYPE` shows the properties of one.
            --NAME VALUE sets a property (its name with dashes), --set NAME=VALUE any other; texts may be @FILE.
            """
    )
    @OptionGroup var options: ServerOptions
    @Argument(parsing: .allUnrecognized, help: "TYPE VERB [ID] [--NAME VALUE …]") var words: [String] = []

    func run() async throws {
        let client: ServerClient
        do { client = try await ServerClient.connect(options) } catch let failure as CommandFailure {
            guard let noun = words.first else { throw failure }
            throw CommandFailure(
                "\"\(noun)\" is none of the commands that `gatehouse --help` lists, and whether it is a type only a server knows: "
                    + failure.description
            )
        }
        let types = (try await client.json(.GET, "/api/types"))["value"]?.array ?? []
        guard let noun = words.first else {
            return TableText.print([("TYPE", ["noun"]), ("PATH", ["path"])], types)
        }
        guard let type = types.first(where: { $0["noun"]?.string == noun }) else {
            throw CommandFailure(
                "\"\(noun)\" is no command and no type; `gatehouse --help` and `gatehouse resource` list them."
            )
        }
        let declared = DeclaredType(type)
        guard words.count > 1 else { return print(declared.summary, terminator: "") }
        var line = try DeclaredLine(Array(words.dropFirst(2)), declared)
        let parents = try declared.parents.map { parent in
            guard let id = line.take(parent) else { throw CommandFailure("--\(parent) ID is needed.") }
            return id
        }
        let base = declared.base(parents)
        switch words[1] {
        case "list": try await list(client, base, line)
        case "show": print(try await client.json(.GET, client.arm(base + line.id())).indented, terminator: "")
        case "create": try await change(client, .PUT, base, line, declared)
        case "update": try await change(client, .PATCH, base, line, declared)
        case "delete":
            let path = client.arm(base + (try line.id()))
            _ = try await client.json(.GET, path)
            try await client.json(.DELETE, path, ifMatch: "*")
        case let verb:
            guard let action = declared.action(verb) else {
                throw CommandFailure("\(noun) has no \"\(verb)\"; it has \(declared.verbs.joined(separator: ", ")).")
            }
            let path = client.arm("\(base)\(try line.id())/\(action)")
            let answer = try await client.json(.POST, path, .object(try line.properties(declared, isStrict: false)))
            if answer != .null { print(answer.indented, terminator: "") }
        }
    }

    private func list(_ client: ServerClient, _ base: String, _ line: DeclaredLine) async throws {
        var path = client.arm(base + "?$top=1000" + (line.filter.map { "&$filter=\(ServerClient.escaped($0))" } ?? ""))
        var values: [JSONValue] = []
        while true {
            let page = try await client.json(.GET, path)
            values += page["value"]?.array ?? []
            guard let next = page["nextLink"]?.string, let start = next.range(of: "/subscriptions/") else { break }
            path = String(next[start.lowerBound...])
        }
        if options.json { return print(JSONValue.array(values).indented, terminator: "") }
        TableText.print([("ID", ["name"]), ("NAME", ["properties", "displayName"])], values)
    }

    private func change(
        _ client: ServerClient,
        _ method: HTTPMethod,
        _ base: String,
        _ line: DeclaredLine,
        _ type: DeclaredType
    ) async throws {
        let properties = JSONValue.object(try line.properties(type, isStrict: true))
        let path = client.arm(base + (try line.id()))
        let made = try await client.json(
            method,
            path,
            ["properties": properties],
            ifMatch: method == .PATCH ? "*" : nil
        )
        if options.json { print(made.indented, terminator: "") } else { print("\(type.noun) \(line.name ?? "")") }
    }
}

/// What the server declares of a type.
struct DeclaredType {
    let noun: String
    let parents: [String]
    let properties: [(name: String, kind: String)]
    private let path: [String]
    private let actions: [String]
    private let document: JSONValue

    init(_ document: JSONValue) {
        self.document = document
        noun = document["noun"]?.string ?? ""
        parents = (document["parents"]?.array ?? []).compactMap(\.string)
        path = (document["path"]?.string ?? "").split(separator: "/").map(String.init)
        actions = (document["actions"]?.array ?? []).compactMap(\.string)
        properties =
            (document["properties"]?.array ?? []).map { ($0["name"]?.string ?? "", $0["kind"]?.string ?? "text") }
            + (document["secrets"]?.array ?? []).compactMap { $0.string.map { ($0, "text") } }
    }

    /// The path of the list below the parents.
    func base(_ ids: [String]) -> String {
        var base = ""
        for (place, word) in path.enumerated() {
            base += "/" + word
            if place < ids.count { base += "/" + ServerClient.escaped(ids[place]) }
        }
        return base
    }

    /// The contract's name of an action that the command line writes with dashes.
    func action(_ verb: String) -> String? { actions.first { DeclaredType.dashed($0) == verb } }

    var verbs: [String] { ["list", "show", "create", "update", "delete"] + actions.map(DeclaredType.dashed) }

    /// `displayName` as `display-name`.
    static func dashed(_ name: String) -> String {
        name.reduce(into: "") { text, character in
            if character.isUppercase, !text.isEmpty { text += "-" }
            text += character.lowercased()
        }
    }

    var summary: String {
        var lines = ["\(noun): \(verbs.joined(separator: ", "))"]
        for parent in parents { lines.append("  --\(parent) ID (needed)") }
        for property in document["properties"]?.array ?? [] {
            let words = (property["words"]?.array ?? []).compactMap(\.string).joined(separator: "|")
            let needed = property["isRequired"]?.bool == true ? " (needed)" : ""
            let kind = words.isEmpty ? property["kind"]?.string ?? "" : words
            lines.append("  --\(DeclaredType.dashed(property["name"]?.string ?? "")) \(kind)\(needed)")
        }
        for secret in document["secrets"]?.array ?? [] {
            lines.append("  --\(DeclaredType.dashed(secret.string ?? "")) text, kept secret")
        }
        return lines.joined(separator: "\n") + "\n"
    }
}

/// The words behind a type and a verb.
struct DeclaredLine {
    private(set) var name: String?
    private(set) var filter: String?
    private var options: [(name: String, value: String)] = []

    init(_ words: [String], _ type: DeclaredType) throws {
        var place = 0
        while place < words.count {
            let word = words[place]
            place += 1
            guard word.hasPrefix("--") else {
                guard name == nil else { throw CommandFailure("\"\(word)\": there is one ID.") }
                name = word
                continue
            }
            guard place < words.count else { throw CommandFailure("\(word) needs a value.") }
            let value = words[place]
            place += 1
            if word == "--filter" { filter = value } else { options.append((String(word.dropFirst(2)), value)) }
        }
    }

    mutating func take(_ option: String) -> String? {
        guard let place = options.firstIndex(where: { $0.name == option }) else { return nil }
        return options.remove(at: place).value
    }

    func id() throws -> String {
        guard let name else { throw CommandFailure("The ID is needed.") }
        return "/" + ServerClient.escaped(name)
    }

    /// - Parameter isStrict: whether options must be properties of the type; those of actions are the action's own.
    func properties(_ type: DeclaredType, isStrict: Bool) throws -> JSONObject {
        var properties = JSONObject()
        for option in options {
            if option.name == "set" {
                let parts = option.value.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map(
                    String.init
                )
                guard parts.count == 2 else { throw CommandFailure("--set \"\(option.value)\" must be NAME=VALUE.") }
                properties[parts[0]] = (try? JSONValue(parsing: parts[1])) ?? .string(parts[1])
                continue
            }
            let property = type.properties.first { DeclaredType.dashed($0.name) == option.name }
            guard property != nil || !isStrict else {
                throw CommandFailure(
                    "\(type.noun) has no --\(option.name); `gatehouse \(type.noun)` lists what it has."
                )
            }
            let text = option.value.hasPrefix("@") ? try FileText.read(String(option.value.dropFirst())) : option.value
            properties[property?.name ?? DeclaredLine.camel(option.name)] = try DeclaredLine.value(
                text,
                property?.kind,
                option.name
            )
        }
        return properties
    }

    private static func value(_ text: String, _ kind: String?, _ name: String) throws -> JSONValue {
        switch kind {
        case "words": return .array(text.split(separator: ",").map { .string(String($0)) })
        case "bool", "number", "document":
            guard let value = try? JSONValue(parsing: text) else { throw CommandFailure("--\(name) must be JSON.") }
            return value
        default: return .string(text)
        }
    }

    private static func camel(_ name: String) -> String {
        let parts = name.split(separator: "-")
        return (parts.first.map(String.init) ?? "")
            + parts.dropFirst().map { $0.prefix(1).uppercased() + $0.dropFirst() }.joined()
    }
}
