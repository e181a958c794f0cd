import ArgumentParser
import Foundation
import NIOHTTP1
import ResourceModel

/// The commands below `gatehouse dataset`.
struct DatasetCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "dataset",
        abstract: "Datasets of the workspace.",
        subcommands: [List.self, Show.self, Create.self, Import.self, Delete.self, Export.self]
    )

    static let columns: [(title: String, path: [String])] = [
        ("ID", ["Id"]), ("NAME", ["Name"]), ("TYPE", ["DataTypeId"]), ("ROWS", ["RowCount"]), ("BYTES", ["Size"]),
    ]

    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(commandName: "list", abstract: "List them.")
        @OptionGroup var options: ServerOptions

        func run() async throws {
            let client = try await ServerClient.connect(options)
            let values = try await client.json(.GET, client.studio("/datasets")).array ?? []
            if options.json {
                print(JSONValue.array(values).indented, terminator: "")
            } else {
                TableText.print(DatasetCommand.columns, values)
            }
        }
    }

    struct Show: AsyncParsableCommand {
        static let configuration = CommandConfiguration(commandName: "show", abstract: "Show one as JSON.")
        @OptionGroup var options: ServerOptions
        @Argument(help: "Id or name.") var id: String

        func run() async throws {
            let client = try await ServerClient.connect(options)
            print(
                try await client.json(.GET, client.studio("/datasets/\(ServerClient.escaped(id))")).indented,
                terminator: ""
            )
        }
    }

    struct Create: AsyncParsableCommand {
        static let configuration = CommandConfiguration(commandName: "create", abstract: "Upload a CSV or TSV file.")
        @OptionGroup var options: ServerOptions
        @Argument(help: "File (.csv, .nh.csv, .tsv or .nh.tsv; nh: no header).") var file: String
        @Option(help: "Name (default: the file's).") var name: String?
        @Option(
            help: "GenericCSV, GenericCSVNoHeader, GenericTSV or GenericTSVNoHeader (default: by the file's ending)."
        )
        var type: String?
        @Option(help: "Description.") var description: String?
        @Flag(help: "Overwrite one of that name.") var replace = false

        func run() async throws {
            guard let data = FileManager.default.contents(atPath: file) else {
                throw CommandFailure("The file \(file) cannot be read.")
            }
            let base = URL(fileURLWithPath: file).lastPathComponent
            let client = try await ServerClient.connect(options)
            let made = try await DatasetCommand.create(
                client,
                name: name ?? base,
                type: type ?? DatasetCommand.type(of: base),
                description: description ?? "",
                bytes: Array(data),
                replacing: replace
            )
            if options.json {
                print(made.indented, terminator: "")
            } else {
                TableText.print(DatasetCommand.columns, [made])
            }
        }
    }

    struct Delete: AsyncParsableCommand {
        static let configuration = CommandConfiguration(commandName: "delete", abstract: "Delete one.")
        @OptionGroup var options: ServerOptions
        @Argument(help: "Id or name.") var id: String

        func run() async throws {
            let client = try await ServerClient.connect(options)
            try await client.json(.DELETE, client.studio("/datasets/\(ServerClient.escaped(id))"))
        }
    }

    /// A blob or an address outside the command's own machine.
    struct Remote: ParsableArguments {
        @Option(help: "CONTAINER/BLOB of the workspace's storage account, or of --connection-string.") var blob: String?
        @Option(name: .customLong("connection-string"), help: "Storage account of --blob.") var connectionString:
            String?
        @Option(help: "http or https address of an allowed host; a signature may stand in its query.") var url: String?

        /// What the server's calls name a blob by; nil where neither is given.
        func reference(_ client: ServerClient) async throws -> JSONValue? {
            if let url { return ["Url": .string(url)] }
            guard let blob else { return nil }
            var text = connectionString
            if text == nil { text = try await StorageAccess.connect(client, account: nil).connectionString }
            return ["ConnectionString": JSONValue(text), "RelativeLocation": .string(blob)]
        }
    }

    struct Import: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "import",
            abstract: "Make a dataset of a file, a blob or an address."
        )
        @OptionGroup var options: ServerOptions
        @OptionGroup var remote: Remote
        @Option(help: "File of this machine.") var file: String?
        @Option(help: "Name (default: the last part of where it comes from).") var name: String?
        @Option(help: "GenericCSV, GenericCSVNoHeader, GenericTSV or GenericTSVNoHeader (default: by the ending).")
        var type: String?
        @Option(help: "Description.") var description: String?
        @Flag(help: "Overwrite one of that name.") var replace = false

        func validate() throws {
            guard [file, remote.blob, remote.url].compactMap({ $0 }).count == 1 else {
                throw ValidationError("Give one of --file, --blob and --url.")
            }
        }

        func run() async throws {
            let client = try await ServerClient.connect(options)
            let from = file ?? remote.blob ?? remote.url ?? ""
            let last = from.split(separator: "?").first?.split(separator: "/").last.map(String.init) ?? from
            let type = type ?? DatasetCommand.type(of: last)
            let made: JSONValue
            if let file {
                guard let data = FileManager.default.contents(atPath: file) else {
                    throw CommandFailure("The file \(file) cannot be read.")
                }
                made = try await DatasetCommand.create(
                    client,
                    name: name ?? last,
                    type: type,
                    description: description ?? "",
                    bytes: Array(data),
                    replacing: replace
                )
            } else {
                var body: JSONObject = [
                    "Name": .string(name ?? last), "DataTypeId": .string(type), "Replace": .bool(replace),
                    "Description": .string(description ?? ""),
                ]
                body["Source"] = try await remote.reference(client)
                made = try await client.json(.POST, client.studio("/datasets/import"), .object(body))
            }
            if options.json {
                print(made.indented, terminator: "")
            } else {
                TableText.print(DatasetCommand.columns, [made])
            }
        }
    }

    struct Export: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "export",
            abstract: "Write one to standard output, a file, a blob or an address."
        )
        @OptionGroup var options: ServerOptions
        @OptionGroup var remote: Remote
        @Argument(help: "Id or name.") var id: String
        @Option(help: "File of this machine.") var output: String?

        func run() async throws {
            let client = try await ServerClient.connect(options)
            let path = client.studio("/datasets/\(ServerClient.escaped(id))")
            if let destination = try await remote.reference(client) {
                try await client.json(.POST, path + "/export", ["Destination": destination])
                return
            }
            let answer = try ServerClient.checked(try await client.call(.GET, path + "/content"))
            guard let output else { return FileHandle.standardOutput.write(Data(answer.bytes)) }
            do { try Data(answer.bytes).write(to: URL(fileURLWithPath: output), options: .atomic) } catch {
                throw CommandFailure("The file \(output) cannot be written.")
            }
        }
    }

    static func create(
        _ client: ServerClient,
        name: String,
        type: String,
        description: String,
        bytes: [UInt8],
        replacing: Bool
    ) async throws -> JSONValue {
        let query =
            "?name=\(ServerClient.escaped(name))&dataTypeId=\(ServerClient.escaped(type))"
            + "&description=\(ServerClient.escaped(description))&replace=\(replacing)"
        let answer = try await client.call(
            .POST,
            client.studio("/datasets\(query)"),
            body: bytes,
            headers: [("Content-Type", "text/plain")]
        )
        return try ServerClient.checked(answer).json
    }

    private static func type(of name: String) -> String {
        let name = name.lowercased()
        let isTSV = name.hasSuffix(".tsv")
        let hasHeader = !name.hasSuffix(".nh.csv") && !name.hasSuffix(".nh.tsv")
        // Other endings go as they are, so that the server names what it knows.
        guard isTSV || name.hasSuffix(".csv") else { return name.split(separator: ".").last.map(String.init) ?? name }
        return (isTSV ? "GenericTSV" : "GenericCSV") + (hasHeader ? "" : "NoHeader")
    }
}
