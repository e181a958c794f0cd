import ArgumentParser
import Foundation
import NIOHTTP1
import ResourceModel

/// A type of the management API as the command line shows it; the verbs below work on any.
protocol ManagedNoun: Sendable {
    /// What properties `create` and `update` take by name.
    associatedtype Fields: PropertyFields
    /// What stands above the resource, as the API of an operation.
    associatedtype Parents: ParentPath
    static var word: String { get }
    /// The last type word, as `operations`.
    static var type: String { get }
    static var columns: [(title: String, path: [String])] { get }
}

protocol PropertyFields: ParsableArguments {
    var properties: JSONObject { get throws }
}

protocol ParentPath: ParsableArguments {
    /// As `/apis/echo`, or empty.
    var path: String { get }
}

struct NoParents: ParentPath {
    var path: String { "" }
}

/// `--set name=value`: any property, the value as JSON or as plain text.
struct SetOption: ParsableArguments {
    @Option(name: .customLong("set"), help: "NAME=VALUE: any other property; the value is JSON or plain text.")
    var assignments: [String] = []

    func apply(to properties: inout JSONObject) throws {
        for item in assignments {
            let parts = item.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
            guard parts.count == 2, !parts[0].isEmpty else {
                throw CommandFailure("--set \"\(item)\" must be NAME=VALUE.")
            }
            properties[parts[0]] = (try? JSONValue(parsing: parts[1])) ?? .string(parts[1])
        }
    }
}

struct ListVerb<Noun: ManagedNoun>: AsyncParsableCommand {
    static var configuration: CommandConfiguration { .init(commandName: "list", abstract: "List them.") }
    @OptionGroup var options: ServerOptions
    @OptionGroup var parents: Noun.Parents

    func run() async throws {
        let client = try await ServerClient.connect(options)
        var path = client.arm("\(parents.path)/\(Noun.type)?$top=1000")
        var values: [JSONValue] = []
        while true {
            let page = try await client.json(.GET, path)
            values += page["value"]?.array ?? []
            guard let next = page["nextLink"]?.string, let query = next.range(of: "/subscriptions/") else { break }
            path = String(next[query.lowerBound...])
        }
        if options.json {
            print(JSONValue.array(values).indented, terminator: "")
        } else {
            TableText.print(Noun.columns, values)
        }
    }
}

struct ShowVerb<Noun: ManagedNoun>: AsyncParsableCommand {
    static var configuration: CommandConfiguration { .init(commandName: "show", abstract: "Show one as JSON.") }
    @OptionGroup var options: ServerOptions
    @OptionGroup var parents: Noun.Parents
    @Argument(help: "Id.") var id: String

    func run() async throws {
        let client = try await ServerClient.connect(options)
        let path = "\(parents.path)/\(Noun.type)/\(ServerClient.escaped(id))"
        print(try await client.json(.GET, client.arm(path)).indented, terminator: "")
    }
}

struct CreateVerb<Noun: ManagedNoun>: AsyncParsableCommand {
    static var configuration: CommandConfiguration {
        .init(commandName: "create", abstract: "Create one, or replace it.")
    }
    @OptionGroup var options: ServerOptions
    @OptionGroup var parents: Noun.Parents
    @OptionGroup var fields: Noun.Fields
    @OptionGroup var others: SetOption
    @Argument(help: "Id.") var id: String

    func run() async throws {
        let client = try await ServerClient.connect(options)
        var properties = try fields.properties
        try others.apply(to: &properties)
        let path = "\(parents.path)/\(Noun.type)/\(ServerClient.escaped(id))"
        let made = try await client.json(.PUT, client.arm(path), ["properties": .object(properties)])
        if options.json { print(made.indented, terminator: "") } else { print("\(Noun.word) \(id)") }
    }
}

struct UpdateVerb<Noun: ManagedNoun>: AsyncParsableCommand {
    static var configuration: CommandConfiguration {
        .init(commandName: "update", abstract: "Change single properties.")
    }
    @OptionGroup var options: ServerOptions
    @OptionGroup var parents: Noun.Parents
    @OptionGroup var fields: Noun.Fields
    @OptionGroup var others: SetOption
    @Argument(help: "Id.") var id: String

    func run() async throws {
        let client = try await ServerClient.connect(options)
        var properties = try fields.properties
        try others.apply(to: &properties)
        let path = "\(parents.path)/\(Noun.type)/\(ServerClient.escaped(id))"
        let made = try await client.json(.PATCH, client.arm(path), ["properties": .object(properties)], ifMatch: "*")
        if options.json { print(made.indented, terminator: "") } else { print("\(Noun.word) \(id)") }
    }
}

struct DeleteVerb<Noun: ManagedNoun>: AsyncParsableCommand {
    static var configuration: CommandConfiguration { .init(commandName: "delete", abstract: "Delete one.") }
    @OptionGroup var options: ServerOptions
    @OptionGroup var parents: Noun.Parents
    @Argument(help: "Id.") var id: String

    func run() async throws {
        let client = try await ServerClient.connect(options)
        let path = "\(parents.path)/\(Noun.type)/\(ServerClient.escaped(id))"
        _ = try await client.json(.GET, client.arm(path))
        try await client.json(.DELETE, client.arm(path), ifMatch: "*")
    }
}
