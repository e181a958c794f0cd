import ArgumentParser
import ResourceModel

/// The commands below `gatehouse operation`.
struct OperationCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "operation",
        abstract: "Operations of an API.",
        subcommands: [
            ListVerb<OperationNoun>.self, ShowVerb<OperationNoun>.self, CreateVerb<OperationNoun>.self,
            UpdateVerb<OperationNoun>.self, DeleteVerb<OperationNoun>.self,
        ]
    )
}

enum OperationNoun: ManagedNoun {
    static let word = "operation"
    static let type = "operations"
    static let columns: [(title: String, path: [String])] = [
        ("ID", ["name"]), ("NAME", ["properties", "displayName"]), ("METHOD", ["properties", "method"]),
        ("TEMPLATE", ["properties", "urlTemplate"]),
    ]

    struct Parents: ParentPath {
        @Option(help: "Id of the API.") var api: String
        var path: String { "/apis/\(ServerClient.escaped(api))" }
    }

    struct Fields: PropertyFields {
        @Option(name: .customLong("name"), help: "Display name.") var displayName: String?
        @Option(help: "HTTP verb.") var method: String?
        @Option(name: .customLong("template"), help: "URL template; its parameters are declared by themselves.")
        var template: String?
        @Option(help: "Description.") var description: String?

        var properties: JSONObject {
            get throws {
                var result = JSONObject()
                result["displayName"] = displayName.map(JSONValue.string)
                result["method"] = method.map(JSONValue.string)
                result["description"] = description.map(JSONValue.string)
                if let template {
                    let parsed: URLTemplate
                    do { parsed = try URLTemplate(template) } catch {
                        throw CommandFailure("--template: \(error.message)")
                    }
                    result["urlTemplate"] = .string(template)
                    result["templateParameters"] = .array(
                        parsed.parameterNames.map { ["name": .string($0), "type": "string", "required": true] }
                    )
                }
                return result
            }
        }
    }
}
