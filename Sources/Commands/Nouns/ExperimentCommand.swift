import ArgumentParser
import Foundation
import NIOHTTP1
import ResourceModel

/// The commands below `gatehouse experiment`.
struct ExperimentCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "experiment",
        abstract: "Experiments of the workspace.",
        subcommands: [
            List.self, Show.self, Create.self, Delete.self, Run.self, Runs.self, Cancel.self, Publish.self, Output.self,
        ]
    )

    static let columns: [(title: String, path: [String])] = [
        ("ID", ["ExperimentId"]), ("NAME", ["Name"]), ("CHANGED", ["ModificationTime"]),
    ]

    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(commandName: "list", abstract: "List them.")
        @OptionGroup var options: ServerOptions

        func run() async throws {
            let client = try await ServerClient.connect(options)
            let values = try await client.json(.GET, client.studio("/experiments")).array ?? []
            if options.json {
                print(JSONValue.array(values).indented, terminator: "")
            } else {
                TableText.print(ExperimentCommand.columns, values)
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
                try await client.json(.GET, client.studio("/experiments/\(ServerClient.escaped(id))")).indented,
                terminator: ""
            )
        }
    }

    struct Create: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "create",
            abstract: "Create one from its JSON document, or replace the one of the same name."
        )
        @OptionGroup var options: ServerOptions
        @Argument(help: "File, or - for standard input.") var file: String

        func run() async throws {
            let client = try await ServerClient.connect(options)
            let document = try InputFile.json(file)
            let known = try await ExperimentCommand.find(client, document["Name"]?.string ?? "")
            let made =
                if let id = known?["ExperimentId"]?.string {
                    try await client.json(.PUT, client.studio("/experiments/\(id)"), document)
                } else {
                    try await client.json(.POST, client.studio("/experiments"), document)
                }
            if options.json {
                print(made.indented, terminator: "")
            } else {
                TableText.print(ExperimentCommand.columns, [made])
            }
        }
    }

    struct Delete: AsyncParsableCommand {
        static let configuration = CommandConfiguration(commandName: "delete", abstract: "Delete one.")
        @OptionGroup var options: ServerOptions
        @Argument(help: "Id or name.") var id: String

        func run() async throws {
            let client = try await ServerClient.connect(options)
            try await client.json(.DELETE, client.studio("/experiments/\(ServerClient.escaped(id))"))
        }
    }

    struct Run: AsyncParsableCommand {
        static let configuration = CommandConfiguration(commandName: "run", abstract: "Run one.")
        @OptionGroup var options: ServerOptions
        @Argument(help: "Id or name.") var id: String
        @Flag(help: "Wait for the end, with a line of progress.") var watch = false

        func run() async throws {
            let client = try await ServerClient.connect(options)
            var run = try await client.json(.POST, client.studio("/experiments/\(ServerClient.escaped(id))/runs"))
            if watch { run = try await ExperimentCommand.watch(client, run, showsProgress: !options.json) }
            if options.json {
                print(run.indented, terminator: "")
            } else {
                print("run \(run["RunId"]?.string ?? "")  \(run["State"]?.string ?? "")")
            }
            if run["State"]?.string == "Failed" { throw CommandFailure(run["Error"]?.string ?? "The run failed.") }
        }
    }

    struct Runs: AsyncParsableCommand {
        static let configuration = CommandConfiguration(commandName: "runs", abstract: "List the runs, or show one.")
        @OptionGroup var options: ServerOptions
        @Argument(help: "Id or name.") var id: String
        @Argument(help: "Id of a run.") var run: String?

        func run() async throws {
            let client = try await ServerClient.connect(options)
            let path = client.studio("/experiments/\(ServerClient.escaped(id))/runs")
            if let run {
                return print(
                    try await client.json(.GET, "\(path)/\(ServerClient.escaped(run))").indented,
                    terminator: ""
                )
            }
            let values = try await client.json(.GET, path).array ?? []
            if options.json { return print(JSONValue.array(values).indented, terminator: "") }
            TableText.print([("RUN", ["RunId"]), ("STATE", ["State"]), ("ERROR", ["Error"])], values)
        }
    }

    struct Cancel: AsyncParsableCommand {
        static let configuration = CommandConfiguration(commandName: "cancel", abstract: "Cancel a run.")
        @OptionGroup var options: ServerOptions
        @Argument(help: "Id or name.") var id: String
        @Argument(help: "Id of the run.") var run: String

        func run() async throws {
            let client = try await ServerClient.connect(options)
            let path = client.studio("/experiments/\(ServerClient.escaped(id))/runs/\(ServerClient.escaped(run))")
            try await client.json(.DELETE, path)
        }
    }

    struct Publish: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "publish",
            abstract: "Publish the experiment as a web service."
        )
        @OptionGroup var options: ServerOptions
        @Argument(help: "Id or name.") var id: String
        @Flag(help: "Overwrite the service that was published before; its endpoints keep their ids and keys.")
        var overwrite = false

        func run() async throws {
            let client = try await ServerClient.connect(options)
            let made = try await ExperimentCommand.publish(client, id, overwriting: overwrite)
            if options.json { return print(made.indented, terminator: "") }
            print("service  \(made["WebServiceGroupId"]?.string ?? "")")
            print("endpoint \(made["EndpointId"]?.string ?? "")")
        }
    }

    struct Output: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "output",
            abstract: "Write the output of a node's port to standard output, as CSV."
        )
        @OptionGroup var options: ServerOptions
        @Argument(help: "Id or name.") var id: String
        @Argument(help: "Id of the node.") var node: String
        @Argument(help: "Name of the port.") var port: String
        @Flag(help: "One JSON object a row with only what is not zero; for very wide tables.") var sparse = false

        func run() async throws {
            let client = try await ServerClient.connect(options)
            let words = [id, node, port].map(ServerClient.escaped)
            let path = "/experiments/\(words[0])/outputdata/\(words[1])/\(words[2])\(sparse ? "?format=sparse" : "")"
            let answer = try ServerClient.checked(try await client.call(.GET, client.studio(path)))
            FileHandle.standardOutput.write(Data(answer.bytes))
        }
    }

    static func find(_ client: ServerClient, _ name: String) async throws -> JSONValue? {
        let answer = try await client.call(.GET, client.studio("/experiments/\(ServerClient.escaped(name))"))
        return answer.status == 404 ? nil : try ServerClient.checked(answer).json
    }

    static func publish(_ client: ServerClient, _ id: String, overwriting: Bool) async throws -> JSONValue {
        let path = "/experiments/\(ServerClient.escaped(id))/webservice?updateExistingWebService=\(overwriting)"
        return try await client.json(.POST, client.studio(path))
    }

    /// Waits for the end of a run; shows how many nodes are done.
    static func watch(_ client: ServerClient, _ run: JSONValue, showsProgress: Bool) async throws -> JSONValue {
        var run = run
        let path = client.studio("/experiments/\(run["ExperimentId"]?.string ?? "")/runs/\(run["RunId"]?.string ?? "")")
        while ["Queued", "Running"].contains(run["State"]?.string ?? "") {
            try await Task.sleep(for: .milliseconds(50))
            run = try await client.json(.GET, path)
            guard showsProgress else { continue }
            let nodes = run["Nodes"]?.array ?? []
            let done = nodes.filter { ["Finished", "Cached"].contains($0["State"]?.string ?? "") }.count
            let current = nodes.first { $0["State"]?.string == "Running" }?["Node"]?.string ?? ""
            FileHandle.standardError.write(Data("\r\u{1B}[K\(done)/\(nodes.count) nodes  \(current)".utf8))
        }
        if showsProgress { FileHandle.standardError.write(Data("\r\u{1B}[K".utf8)) }
        return run
    }
}

/// Files that a command is given.
enum InputFile {
    static func bytes(_ file: String) throws -> [UInt8] {
        if file == "-" { return Array(FileHandle.standardInput.readDataToEndOfFile()) }
        guard let data = FileManager.default.contents(atPath: file) else {
            throw CommandFailure("The file \(file) cannot be read.")
        }
        return Array(data)
    }

    static func json(_ file: String) throws -> JSONValue {
        do { return try JSONValue(parsing: try bytes(file)) } catch let error as JSONError {
            throw CommandFailure("\(file) is not valid JSON: \(error.description)")
        }
    }
}
