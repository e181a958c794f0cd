import ArgumentParser
import ResourceModel

/// The commands below `gatehouse api`.
struct APICommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "api",
        abstract: "APIs of the gateway.",
        subcommands: [
            ListVerb<APINoun>.self, ShowVerb<APINoun>.self, CreateVerb<APINoun>.self, UpdateVerb<APINoun>.self,
            DeleteVerb<APINoun>.self, APIImportCommand.self, APIExportCommand.self,
        ]
    )
}

enum APINoun: ManagedNoun {
    typealias Parents = NoParents
    static let word = "api"
    static let type = "apis"
    static let columns: [(title: String, path: [String])] = [
        ("ID", ["name"]), ("NAME", ["properties", "displayName"]), ("PATH", ["properties", "path"]),
        ("PROTOCOLS", ["properties", "protocols"]), ("SERVICE URL", ["properties", "serviceUrl"]),
    ]

    struct Fields: PropertyFields {
        @Option(name: .customLong("name"), help: "Display name.") var displayName: String?
        @Option(help: "Web API URL suffix.") var path: String?
        @Option(name: .customLong("service-url"), help: "Web service URL.") var serviceURL: String?
        @Option(help: "http, https or both with a comma.") var protocols: String?
        @Option(name: .customLong("subscription-required"), help: "true or false.") var subscriptionRequired: Bool?

        var properties: JSONObject {
            var result = JSONObject()
            result["displayName"] = displayName.map(JSONValue.string)
            result["path"] = path.map(JSONValue.string)
            result["serviceUrl"] = serviceURL.map(JSONValue.string)
            result["protocols"] = protocols.map { .array($0.split(separator: ",").map { .string(String($0)) }) }
            result["subscriptionRequired"] = subscriptionRequired.map(JSONValue.bool)
            return result
        }
    }
}
