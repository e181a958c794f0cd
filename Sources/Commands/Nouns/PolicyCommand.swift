import ArgumentParser
import NIOHTTP1
import ResourceModel

/// The commands below `gatehouse policy`.
struct PolicyCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "policy",
        abstract: "Policy documents: of all APIs, or of a product, an API or an operation.",
        subcommands: [Show.self, Set.self, Delete.self]
    )

    struct Show: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "show",
            abstract: "Print a document, its expressions not escaped."
        )
        @OptionGroup var options: ServerOptions
        @OptionGroup var scope: PolicyScopeOptions

        func run() async throws {
            let client = try await ServerClient.connect(options)
            try await PolicyText.show(client, try scope.path, options)
        }
    }

    struct Set: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "set",
            abstract: "Put a document in force; one that does not compile is refused with line and column."
        )
        @OptionGroup var options: ServerOptions
        @OptionGroup var scope: PolicyScopeOptions
        @OptionGroup var text: PolicyText

        func run() async throws {
            let client = try await ServerClient.connect(options)
            let path = try scope.path
            _ = try await client.json(.PUT, client.arm(path), ["properties": .object(try text.properties)])
            if !options.json { print("policy \(path)") }
        }
    }

    struct Delete: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "delete",
            abstract: "Take a document out: its parent's policies stay."
        )
        @OptionGroup var options: ServerOptions
        @OptionGroup var scope: PolicyScopeOptions

        func run() async throws {
            let client = try await ServerClient.connect(options)
            let path = try scope.path
            _ = try await client.json(.GET, client.arm(path))
            try await client.json(.DELETE, client.arm(path), ifMatch: "*")
        }
    }
}

/// Whose document is meant.
struct PolicyScopeOptions: ParsableArguments {
    @Option(help: "Id of a product.") var product: String?
    @Option(help: "Id of an API.") var api: String?
    @Option(help: "Id of an operation of the API.") var operation: String?

    /// Below the service; without options that of all APIs.
    var path: String {
        get throws {
            var path = ""
            switch (product, api, operation) {
            case (nil, nil, nil): break
            case (let product?, nil, nil): path = "/products/\(ServerClient.escaped(product))"
            case (nil, let api?, nil): path = "/apis/\(ServerClient.escaped(api))"
            case (nil, let api?, let operation?):
                path = "/apis/\(ServerClient.escaped(api))/operations/\(ServerClient.escaped(operation))"
            default: throw CommandFailure("Give --product, or --api, or --api with --operation, or none of them.")
            }
            return path + "/policies/policy"
        }
    }
}

/// The text of a document, as it stands in a file.
struct PolicyText: ParsableArguments {
    @Argument(help: "File with the document; - for standard input.") var file: String
    @Option(help: "rawxml where expressions stand as they are, xml where they are escaped.") var format = "rawxml"

    var properties: JSONObject {
        get throws {
            ["value": .string(try FileText.read(file)), "format": .string(format)]
        }
    }

    static func show(_ client: ServerClient, _ path: String, _ options: ServerOptions) async throws {
        let found = try await client.json(.GET, client.arm(path + "?format=rawxml"))
        if options.json { return print(found.indented, terminator: "") }
        let text = found["properties"]?["value"]?.string ?? ""
        print(text, terminator: text.hasSuffix("\n") ? "" : "\n")
    }
}
