import ArgumentParser
import NIOHTTP1
import ResourceModel

/// The commands below `gatehouse named-value`.
struct NamedValueCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "named-value",
        abstract: "Named values: {{name}} in policy documents.",
        subcommands: [
            ListVerb<NamedValueNoun>.self, ShowVerb<NamedValueNoun>.self, CreateVerb<NamedValueNoun>.self,
            UpdateVerb<NamedValueNoun>.self, DeleteVerb<NamedValueNoun>.self, Value.self,
        ]
    )

    struct Value: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "value",
            abstract: "Print a value, also a secret one."
        )
        @OptionGroup var options: ServerOptions
        @Argument(help: "Id.") var id: String

        func run() async throws {
            let client = try await ServerClient.connect(options)
            let path = client.arm("/namedValues/\(ServerClient.escaped(id))/listValue")
            let found = try await client.json(.POST, path)
            if options.json { print(found.indented, terminator: "") } else { print(found["value"]?.string ?? "") }
        }
    }
}

enum NamedValueNoun: ManagedNoun {
    typealias Parents = NoParents
    static let word = "named value"
    static let type = "namedValues"
    static let columns: [(title: String, path: [String])] = [
        ("ID", ["name"]), ("NAME", ["properties", "displayName"]), ("SECRET", ["properties", "secret"]),
        ("VALUE", ["properties", "value"]),
    ]

    struct Fields: PropertyFields {
        @Option(name: .customLong("name"), help: "Display name, as it stands between {{ and }}.") var displayName:
            String?
        @Option(help: "Value; a secret one is better given by --value-file.") var value: String?
        @Option(help: "true to keep it encrypted and show it by `value` only.") var secret: Bool?
        @Option(name: .customLong("value-file"), help: "File with the value; - for standard input.") var file: String?

        var properties: JSONObject {
            get throws {
                var result = JSONObject()
                result["displayName"] = displayName.map(JSONValue.string)
                result["value"] = value.map(JSONValue.string)
                result["secret"] = secret.map(JSONValue.bool)
                if let file {
                    guard value == nil else { throw CommandFailure("Give --value or --value-file, not both.") }
                    let text = try FileText.read(file)
                    // Editors end files with a line end that is nobody's value.
                    result["value"] = .string(text.hasSuffix("\n") ? String(text.dropLast()) : text)
                }
                return result
            }
        }
    }
}
