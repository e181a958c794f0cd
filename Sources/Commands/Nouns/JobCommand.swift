import ArgumentParser
import Foundation
import NIOHTTP1
import ResourceModel

/// The commands below `gatehouse job`.
struct JobCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "job",
        abstract: "Batch jobs of the workspace's web services.",
        subcommands: [List.self, Show.self, Submit.self, Watch.self, Cancel.self]
    )

    static let columns: [(title: String, path: [String])] = [
        ("JOB", ["JobId"]), ("STATE", ["State"]), ("SERVICE", ["ServiceName"]), ("ENDPOINT", ["EndpointName"]),
        ("ROWS", ["Progress", "Rows"]), ("CREATED", ["CreateTime"]), ("ENDED", ["EndTime"]),
    ]

    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(commandName: "list", abstract: "List jobs, newest first.")
        @OptionGroup var options: ServerOptions
        @Option(help: "Only jobs of this web service: id or name.") var service: String?
        @Option(help: "Only jobs of this endpoint of the service.") var endpoint: String?
        @Option(help: "Only jobs in this state: Created, Queued, Running, Finished, Failed or Cancelled.") var state:
            String?
        @Option(help: "How many (1 to 1000).") var top = 100
        @Option(help: "Only jobs older than this one: the last of the page before.") var before: String?

        func run() async throws {
            let client = try await ServerClient.connect(options)
            var words = ["top=\(top)"]
            if let state { words.append("state=\(ServerClient.escaped(state))") }
            if let before { words.append("before=\(ServerClient.escaped(before))") }
            if let service {
                let found = try await ServiceCommand.endpoint(client, service, endpoint ?? "default")
                words.append("endpoint=\(found["EndpointId"]?.string ?? "")")
            } else if endpoint != nil {
                throw ValidationError("--endpoint needs --service.")
            }
            let values = try await client.json(.GET, client.studio("/jobs?\(words.joined(separator: "&"))")).array ?? []
            if options.json {
                print(JSONValue.array(values).indented, terminator: "")
            } else {
                TableText.print(JobCommand.columns, values)
            }
        }
    }

    struct Show: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "show",
            abstract: "Show a job as JSON, with addresses of its results that hold for a day."
        )
        @OptionGroup var options: ServerOptions
        @Argument(help: "Id of the job.") var id: String

        func run() async throws {
            let client = try await ServerClient.connect(options)
            print(try await client.json(.GET, JobCommand.path(client, id)).indented, terminator: "")
        }
    }

    struct Submit: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "submit",
            abstract: "Score a blob of the workspace's storage: submit a job and start it."
        )
        @OptionGroup var options: ServerOptions
        @Argument(help: "Web service: id or name.") var service: String
        @Option(help: "Endpoint of the service.") var endpoint = "default"
        @Option(help: "CONTAINER/BLOB to read; NAME=CONTAINER/BLOB for each where the service has several inputs.")
        var input: [String] = []
        @Option(help: "NAME=CONTAINER/BLOB to write an output to; others go to the workspace's experimentoutput.")
        var output: [String] = []
        @Option(help: "NAME=VALUE of a web service parameter.") var parameter: [String] = []
        @Flag(help: "Set rows aside that cannot be read, instead of failing.") var skipBadRows = false
        @Flag(help: "Leave the job unstarted.") var noStart = false
        @Flag(help: "Wait for the end, with a line of progress.") var watch = false

        func run() async throws {
            let client = try await ServerClient.connect(options)
            let storage = try await StorageAccess.connect(client, account: nil)
            let found = try await ServiceCommand.endpoint(client, service, endpoint)
            let reference = { (location: String) -> JSONValue in
                ["ConnectionString": .string(storage.connectionString), "RelativeLocation": .string(location)]
            }
            var body = JSONObject()
            if input.count == 1, !input[0].contains("=") {
                body["Input"] = reference(input[0])
            } else if !input.isEmpty {
                body["Inputs"] = .object(try Self.pairs(input, "--input", reference))
            }
            body["Outputs"] = .object(try Self.pairs(output, "--output", reference))
            body["GlobalParameters"] = .object(try Self.pairs(parameter, "--parameter") { .string($0) })
            if skipBadRows { body["OnError"] = "skip" }
            let id = try await call(found, "/jobs", JSONValue.object(body).bytes, client).string ?? ""
            if !noStart { _ = try await call(found, "/jobs/\(id)/start", nil, client) }
            guard watch, !noStart else {
                return options.json
                    ? print(JSONValue.object(["JobId": .string(id)]).indented, terminator: "") : print(id)
            }
            try JobCommand.show(try await JobCommand.watch(client, id, showsProgress: !options.json), options)
        }

        private static func pairs(
            _ words: [String],
            _ flag: String,
            _ value: (String) -> JSONValue
        ) throws -> JSONObject {
            var object = JSONObject()
            for word in words {
                guard let sign = word.firstIndex(of: "=") else {
                    throw ValidationError("\(flag) \"\(word)\" must be NAME=VALUE.")
                }
                object[String(word[..<sign])] = value(String(word[word.index(after: sign)...]))
            }
            return object
        }

        private func call(
            _ endpoint: JSONValue,
            _ path: String,
            _ body: [UInt8]?,
            _ client: ServerClient
        ) async throws -> JSONValue {
            let headers = [("Authorization", "Bearer \(endpoint["PrimaryKey"]?.string ?? "")")]
            let answer = try await client.call(
                .POST,
                path + "?api-version=2.0",
                body: body ?? [],
                headers: headers,
                base: endpoint["ApiLocation"]?.string ?? ""
            )
            return try ServerClient.checked(answer).json
        }
    }

    struct Watch: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "watch",
            abstract: "Wait for the end of a job, with a line of progress."
        )
        @OptionGroup var options: ServerOptions
        @Argument(help: "Id of the job.") var id: String

        func run() async throws {
            let client = try await ServerClient.connect(options)
            try JobCommand.show(try await JobCommand.watch(client, id, showsProgress: !options.json), options)
        }
    }

    struct Cancel: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "cancel",
            abstract: "Cancel a job; nothing of it appears any more."
        )
        @OptionGroup var options: ServerOptions
        @Argument(help: "Id of the job.") var id: String

        func run() async throws {
            let client = try await ServerClient.connect(options)
            try await client.json(.DELETE, JobCommand.path(client, id))
        }
    }

    static func path(_ client: ServerClient, _ id: String) -> String {
        client.studio("/jobs/\(ServerClient.escaped(id))")
    }

    /// Waits for the end of a job that is started.
    static func watch(_ client: ServerClient, _ id: String, showsProgress: Bool) async throws -> JSONValue {
        var job = try await client.json(.GET, path(client, id))
        let isShown = showsProgress && isatty(STDERR_FILENO) == 1
        while ["Queued", "Running"].contains(job["State"]?.string ?? "") {
            if isShown { FileHandle.standardError.write(Data("\r\u{1B}[K\(line(job))".utf8)) }
            try await Task.sleep(for: .milliseconds(200))
            job = try await client.json(.GET, path(client, id))
        }
        if isShown { FileHandle.standardError.write(Data("\r\u{1B}[K".utf8)) }
        return job
    }

    /// How far a job is, as in: Running  42 %  1200000 rows  800000 rows/s  3 s left.
    private static func line(_ job: JSONValue) -> String {
        let progress = job["Progress"]
        var parts = [job["State"]?.string ?? ""]
        if let read = progress?["BytesRead"]?.int, let total = progress?["BytesTotal"]?.int, total > 0 {
            parts.append("\(read * 100 / total) %")
        }
        if let rows = progress?["Rows"]?.int { parts.append("\(rows) rows") }
        if let rate = progress?["RowsPerSecond"]?.int { parts.append("\(rate) rows/s") }
        if let left = progress?["SecondsLeft"]?.int { parts.append("\(left) s left") }
        return parts.joined(separator: "  ")
    }

    /// Prints how a job ended.
    ///
    /// - Throws: where it did not end well, so that scripts see it.
    private static func show(_ job: JSONValue, _ options: ServerOptions) throws {
        if options.json {
            print(job.indented, terminator: "")
        } else {
            print("job \(job["JobId"]?.string ?? "")  \(job["State"]?.string ?? "")")
            for (name, result) in job["Results"]?.object?.members ?? [] {
                print("\(name)  \(result["RelativeLocation"]?.string ?? "")")
            }
            if let errors = job["Errors"]?["RelativeLocation"]?.string { print("rows set aside  \(errors)") }
        }
        switch job["State"]?.string {
        case "Failed"?: throw CommandFailure(job["Details"]?.string ?? "The job failed.")
        case "Cancelled"?: throw CommandFailure("The job was cancelled.")
        default: break
        }
    }
}
