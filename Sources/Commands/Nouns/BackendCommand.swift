import ArgumentParser
import ResourceModel

/// The commands below `gatehouse backend`.
struct BackendCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "backend",
        abstract: "Backends: where calls go by name, with credentials, pools and circuits.",
        subcommands: [
            ListVerb<BackendNoun>.self, ShowVerb<BackendNoun>.self, CreateVerb<BackendNoun>.self,
            UpdateVerb<BackendNoun>.self, DeleteVerb<BackendNoun>.self,
        ]
    )
}

enum BackendNoun: ManagedNoun {
    typealias Parents = NoParents
    static let word = "backend"
    static let type = "backends"
    static let columns: [(title: String, path: [String])] = [
        ("ID", ["name"]), ("TYPE", ["properties", "type"]), ("URL", ["properties", "url"]),
        ("TITLE", ["properties", "title"]),
    ]

    struct Fields: PropertyFields {
        @Option(help: "Absolute URL of http or https.") var url: String?
        @Option(help: "Title.") var title: String?
        @Option(
            name: .customLong("member"),
            help: "ID[:WEIGHT[:PRIORITY]] of a backend; makes a pool, and may be repeated."
        )
        var members: [String] = []
        @Option(
            name: .customLong("credentials-file"),
            help: "File with the credentials as JSON: header, query, authorization; - for standard input."
        )
        var credentials: String?

        var properties: JSONObject {
            get throws {
                var result = JSONObject()
                result["url"] = url.map(JSONValue.string)
                result["title"] = title.map(JSONValue.string)
                if url != nil { result["protocol"] = "http" }
                if !members.isEmpty {
                    guard url == nil else { throw CommandFailure("Give --url or --member, not both.") }
                    result["type"] = "Pool"
                    result["pool"] = ["services": .array(try members.map(member))]
                }
                if let credentials { result["credentials"] = try JSONValue(parsing: try FileText.read(credentials)) }
                return result
            }
        }

        private func member(_ text: String) throws -> JSONValue {
            let parts = text.split(separator: ":", omittingEmptySubsequences: false).map(String.init)
            let numbers = parts.dropFirst().map { Int($0) }
            guard (1...3).contains(parts.count), !parts[0].isEmpty, !numbers.contains(nil) else {
                throw CommandFailure("--member \"\(text)\" must be ID, ID:WEIGHT or ID:WEIGHT:PRIORITY.")
            }
            return [
                "id": .string("/backends/\(parts[0])"), "weight": .int((numbers.first ?? 1) ?? 1),
                "priority": .int((numbers.count > 1 ? numbers[1] : 0) ?? 0),
            ]
        }
    }
}
