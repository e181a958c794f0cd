import ArgumentParser
import Foundation
import NIOHTTP1
import ResourceModel

/// The commands below `gatehouse service`.
struct ServiceCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "service",
        abstract: "Published web services.",
        subcommands: [List.self, Show.self, Create.self, Delete.self, Keys.self, Call.self]
    )

    static let columns: [(title: String, path: [String])] = [
        ("ID", ["Id"]), ("NAME", ["Name"]), ("ENDPOINTS", ["EndpointCount"]), ("CREATED", ["CreationTime"]),
    ]

    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(commandName: "list", abstract: "List them.")
        @OptionGroup var options: ServerOptions

        func run() async throws {
            let client = try await ServerClient.connect(options)
            let values = try await ServiceCommand.all(client)
            if options.json {
                print(JSONValue.array(values).indented, terminator: "")
            } else {
                TableText.print(ServiceCommand.columns, values)
            }
        }
    }

    struct Show: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "show",
            abstract: "Show one and its endpoints as JSON."
        )
        @OptionGroup var options: ServerOptions
        @Argument(help: "Id or name.") var id: String

        func run() async throws {
            let client = try await ServerClient.connect(options)
            guard var service = try await ServiceCommand.find(client, id).object else { return }
            service["Endpoints"] = .array(
                try await ServiceCommand.endpoints(client, service["Id"]?.string ?? "").map(Self.withoutKeys)
            )
            print(JSONValue.object(service).indented, terminator: "")
        }

        private static func withoutKeys(_ endpoint: JSONValue) -> JSONValue {
            guard var object = endpoint.object else { return endpoint }
            object["PrimaryKey"] = nil
            object["SecondaryKey"] = nil
            return .object(object)
        }
    }

    struct Create: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "create",
            abstract: "Publish an experiment as a web service (the same as experiment publish)."
        )
        @OptionGroup var options: ServerOptions
        @Argument(help: "Id or name of the experiment.") var experiment: String
        @Flag(help: "Overwrite the service that was published before.") var overwrite = false

        func run() async throws {
            let client = try await ServerClient.connect(options)
            let made = try await ExperimentCommand.publish(client, experiment, overwriting: overwrite)
            print(options.json ? made.indented : "service \(made["WebServiceGroupId"]?.string ?? "")\n", terminator: "")
        }
    }

    struct Delete: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "delete",
            abstract: "Delete one with its endpoints."
        )
        @OptionGroup var options: ServerOptions
        @Argument(help: "Id or name.") var id: String

        func run() async throws {
            let client = try await ServerClient.connect(options)
            let service = try await ServiceCommand.find(client, id)
            try await client.json(.DELETE, ServiceCommand.path(client, service["Id"]?.string ?? ""))
        }
    }

    struct Keys: AsyncParsableCommand {
        static let configuration = CommandConfiguration(commandName: "keys", abstract: "Show the keys of an endpoint.")
        @OptionGroup var options: ServerOptions
        @Argument(help: "Id or name.") var id: String
        @Option(help: "Name of the endpoint.") var endpoint = "default"

        func run() async throws {
            let client = try await ServerClient.connect(options)
            let found = try await ServiceCommand.endpoint(client, id, endpoint)
            if options.json {
                let keys: JSONValue = [
                    "primaryKey": found["PrimaryKey"] ?? .null, "secondaryKey": found["SecondaryKey"] ?? .null,
                ]
                return print(keys.indented, terminator: "")
            }
            print("primary    \(found["PrimaryKey"]?.string ?? "-")")
            print("secondary  \(found["SecondaryKey"]?.string ?? "-")")
        }
    }

    struct Call: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "call",
            abstract: "Score one row, or a whole request body."
        )
        @OptionGroup var options: ServerOptions
        @Argument(help: "Id or name.") var id: String
        @Argument(help: "COLUMN=VALUE for each column of the input.") var cells: [String] = []
        @Option(help: "Name of the endpoint.") var endpoint = "default"
        @Option(help: "Name of the input.") var input = "input1"
        @Option(help: "File with a whole request body, or - for standard input.") var body: String?

        func run() async throws {
            let client = try await ServerClient.connect(options)
            let found = try await ServiceCommand.endpoint(client, id, endpoint)
            guard let location = found["ApiLocation"]?.string, let key = found["PrimaryKey"]?.string else {
                throw CommandFailure("The endpoint \(endpoint) has no address.")
            }
            let bytes = try body.map(InputFile.bytes) ?? Self.row(cells, input).bytes
            let answer = try ServerClient.checked(
                try await client.call(
                    .POST,
                    "/execute?api-version=2.0&details=true",
                    body: bytes,
                    headers: [("Authorization", "Bearer \(key)")],
                    base: location
                )
            )
            if options.json { return print(String(decoding: answer.bytes, as: UTF8.self)) }
            for output in answer.json["Results"]?.object?.members ?? [] {
                let value = output.value["value"]
                let names = (value?["ColumnNames"]?.array ?? []).compactMap(\.string)
                let rows = (value?["Values"]?.array ?? []).map { row -> JSONValue in
                    .object(JSONObject(zip(names, row.array ?? []).map { (name: $0, value: $1) }))
                }
                TableText.print(names.map { ($0, [$0]) }, rows)
            }
        }

        private static func row(_ cells: [String], _ input: String) throws -> JSONValue {
            var names: [JSONValue] = []
            var values: [JSONValue] = []
            for cell in cells {
                let parts = cell.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
                guard parts.count == 2 else { throw CommandFailure("\"\(cell)\" must be COLUMN=VALUE.") }
                names.append(.string(parts[0]))
                values.append(.string(parts[1]))
            }
            let inputs: JSONObject =
                cells.isEmpty ? [:] : [input: ["ColumnNames": .array(names), "Values": [.array(values)]]]
            return ["Inputs": .object(inputs), "GlobalParameters": [:]]
        }
    }

    static func path(_ client: ServerClient, _ service: String) -> String {
        "/workspaces/\(client.workspace)/webservices/\(service)"
    }

    static func all(_ client: ServerClient) async throws -> [JSONValue] {
        try await client.json(.GET, "/workspaces/\(client.workspace)/webservices").array ?? []
    }

    /// The service of that id, or of that name.
    static func find(_ client: ServerClient, _ word: String) async throws -> JSONValue {
        let found = try await all(client).first { service in
            service["Id"]?.string == word || service["Name"]?.string?.lowercased() == word.lowercased()
        }
        guard let found else { throw CommandFailure("The web service \"\(word)\" was not found.") }
        return found
    }

    static func endpoints(_ client: ServerClient, _ service: String) async throws -> [JSONValue] {
        try await client.json(.GET, path(client, service) + "/endpoints").array ?? []
    }

    static func endpoint(_ client: ServerClient, _ service: String, _ name: String) async throws -> JSONValue {
        let found = try await find(client, service)
        let path = path(client, found["Id"]?.string ?? "")
        return try await client.json(.GET, "\(path)/endpoints/\(ServerClient.escaped(name))")
    }
}
