import ArgumentParser
import NIOHTTP1
import ResourceModel

/// The commands below `gatehouse policy-fragment`.
struct PolicyFragmentCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "policy-fragment",
        abstract: "Fragments: policies that documents include by id.",
        subcommands: [ListVerb<PolicyFragmentNoun>.self, Show.self, Set.self, DeleteVerb<PolicyFragmentNoun>.self]
    )

    struct Show: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "show",
            abstract: "Print a fragment, its expressions not escaped."
        )
        @OptionGroup var options: ServerOptions
        @Argument(help: "Id.") var id: String

        func run() async throws {
            let client = try await ServerClient.connect(options)
            try await PolicyText.show(client, "/policyFragments/\(ServerClient.escaped(id))", options)
        }
    }

    struct Set: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "set",
            abstract: "Create a fragment, or replace it."
        )
        @OptionGroup var options: ServerOptions
        @Argument(help: "Id.") var id: String
        @OptionGroup var text: PolicyText
        @Option(help: "Description.") var description: String?

        func run() async throws {
            let client = try await ServerClient.connect(options)
            var properties = try text.properties
            properties["description"] = description.map(JSONValue.string)
            let path = client.arm("/policyFragments/\(ServerClient.escaped(id))")
            _ = try await client.json(.PUT, path, ["properties": .object(properties)])
            if !options.json { print("policy fragment \(id)") }
        }
    }
}

enum PolicyFragmentNoun: ManagedNoun {
    typealias Parents = NoParents
    typealias Fields = NoFields
    static let word = "policy fragment"
    static let type = "policyFragments"
    static let columns: [(title: String, path: [String])] = [
        ("ID", ["name"]), ("DESCRIPTION", ["properties", "description"]),
    ]
}

struct NoFields: PropertyFields {
    var properties: JSONObject { JSONObject() }
}
