import ArgumentParser
import BlobClient
import Foundation
import NIOCore
import NIOHTTP1
import ResourceModel

/// The commands below `gatehouse storage`.
struct StorageCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "storage",
        abstract: "Storage accounts, containers and blobs.",
        subcommands: [Account.self, Container.self, Blob.self]
    )

    struct AccountOption: ParsableArguments {
        @Option(help: "Storage account (default: the workspace's own).") var account: String?
    }

    // MARK: - Accounts

    struct Account: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "account",
            abstract: "Storage accounts of the workspace.",
            subcommands: [List.self, Show.self, Keys.self, Regenerate.self]
        )

        struct List: AsyncParsableCommand {
            static let configuration = CommandConfiguration(commandName: "list", abstract: "List them.")
            @OptionGroup var options: ServerOptions

            func run() async throws {
                let client = try await ServerClient.connect(options)
                let values = try await client.json(.GET, client.studio("/storageaccounts")).array ?? []
                StorageCommand.show(values, [("NAME", ["Name"]), ("ENDPOINT", ["BlobEndpoint"])], options)
            }
        }

        struct Show: AsyncParsableCommand {
            static let configuration = CommandConfiguration(commandName: "show", abstract: "Show one as JSON.")
            @OptionGroup var options: ServerOptions
            @Argument(help: "Name.") var name: String

            func run() async throws {
                let client = try await ServerClient.connect(options)
                let path = client.studio("/storageaccounts/\(ServerClient.escaped(name))")
                print(try await client.json(.GET, path).indented, terminator: "")
            }
        }

        struct Keys: AsyncParsableCommand {
            static let configuration = CommandConfiguration(
                commandName: "keys",
                abstract: "Print the keys and the connection string."
            )
            @OptionGroup var options: ServerOptions
            @Argument(help: "Name.") var name: String

            func run() async throws {
                let client = try await ServerClient.connect(options)
                let path = client.studio("/storageaccounts/\(ServerClient.escaped(name))/listKeys")
                StorageCommand.show(keys: try await client.json(.POST, path), options)
            }
        }

        struct Regenerate: AsyncParsableCommand {
            static let configuration = CommandConfiguration(
                commandName: "regenerate",
                abstract: "Make a new key; the old one ends at once."
            )
            @OptionGroup var options: ServerOptions
            @Argument(help: "Name.") var name: String
            @Argument(help: "key1 or key2.") var key: String

            func run() async throws {
                let client = try await ServerClient.connect(options)
                let path = client.studio("/storageaccounts/\(ServerClient.escaped(name))/regenerateKey")
                StorageCommand.show(keys: try await client.json(.POST, path, ["keyName": .string(key)]), options)
            }
        }
    }

    // MARK: - Containers

    struct Container: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "container",
            abstract: "Containers of a storage account.",
            subcommands: [List.self, Show.self, Create.self, Delete.self]
        )

        struct List: AsyncParsableCommand {
            static let configuration = CommandConfiguration(commandName: "list", abstract: "List them.")
            @OptionGroup var options: ServerOptions
            @OptionGroup var account: AccountOption
            @Option(help: "Only names that begin so.") var prefix: String?

            func run() async throws {
                try await StorageCommand.connected(options, account) { access in
                    var query = [("comp", "list")]
                    if let prefix { query.append(("prefix", prefix)) }
                    let found = try await access.blobs.list(
                        BlobLocation(access.connection),
                        query: query,
                        list: "Containers",
                        element: "Container"
                    )
                    let values = found.map { element -> JSONValue in
                        [
                            "Name": JSONValue(element.text("Name")),
                            "LastModified": JSONValue(element["Properties"]?.text("Last-Modified")),
                            "LeaseState": JSONValue(element["Properties"]?.text("LeaseState")),
                            "PublicAccess": JSONValue(element["Properties"]?.text("PublicAccess")),
                        ]
                    }
                    let columns = [("NAME", ["Name"]), ("LAST MODIFIED", ["LastModified"]), ("LEASE", ["LeaseState"])]
                    StorageCommand.show(values, columns, options)
                }
            }
        }

        struct Show: AsyncParsableCommand {
            static let configuration = CommandConfiguration(commandName: "show", abstract: "Show one's properties.")
            @OptionGroup var options: ServerOptions
            @OptionGroup var account: AccountOption
            @Argument(help: "Name.") var name: String

            func run() async throws {
                try await StorageCommand.connected(options, account) { access in
                    let location = BlobLocation(access.connection, container: name)
                    let answer = try await access.blobs.expect(.GET, location, query: [("restype", "container")])
                    print(StorageCommand.properties(answer).indented, terminator: "")
                }
            }
        }

        struct Create: AsyncParsableCommand {
            static let configuration = CommandConfiguration(commandName: "create", abstract: "Create one.")
            @OptionGroup var options: ServerOptions
            @OptionGroup var account: AccountOption
            @Argument(help: "Name.") var name: String
            @Option(name: .customLong("public"), help: "Who reads without a key: blob or container.") var access:
                String?

            func run() async throws {
                try await StorageCommand.connected(options, account) { storage in
                    let headers = access.map { [("x-ms-blob-public-access", $0)] } ?? []
                    try await storage.blobs.expect(
                        .PUT,
                        BlobLocation(storage.connection, container: name),
                        query: [("restype", "container")],
                        headers: headers
                    )
                }
            }
        }

        struct Delete: AsyncParsableCommand {
            static let configuration = CommandConfiguration(
                commandName: "delete",
                abstract: "Delete one with all its blobs."
            )
            @OptionGroup var options: ServerOptions
            @OptionGroup var account: AccountOption
            @Argument(help: "Name.") var name: String

            func run() async throws {
                try await StorageCommand.connected(options, account) { access in
                    let location = BlobLocation(access.connection, container: name)
                    try await access.blobs.expect(.DELETE, location, query: [("restype", "container")])
                }
            }
        }
    }

    // MARK: - Blobs

    struct Blob: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "blob",
            abstract: "Blobs of a container.",
            subcommands: [List.self, Show.self, Upload.self, Download.self, Copy.self, Delete.self]
        )

        struct List: AsyncParsableCommand {
            static let configuration = CommandConfiguration(commandName: "list", abstract: "List them.")
            @OptionGroup var options: ServerOptions
            @OptionGroup var account: AccountOption
            @Argument(help: "Container.") var container: String
            @Option(help: "Only names that begin so.") var prefix: String?

            func run() async throws {
                try await StorageCommand.connected(options, account) { access in
                    var query = [("restype", "container"), ("comp", "list")]
                    if let prefix { query.append(("prefix", prefix)) }
                    let found = try await access.blobs.list(
                        BlobLocation(access.connection, container: container),
                        query: query,
                        list: "Blobs",
                        element: "Blob"
                    )
                    let values = found.map { element -> JSONValue in
                        let properties = element["Properties"]
                        return [
                            "Name": JSONValue(element.text("Name")),
                            "Length": (properties?.text("Content-Length")).flatMap { Int($0) }.map(JSONValue.int)
                                ?? .null,
                            "Type": JSONValue(properties?.text("BlobType")),
                            "ContentType": JSONValue(properties?.text("Content-Type")),
                            "LastModified": JSONValue(properties?.text("Last-Modified")),
                        ]
                    }
                    let columns = [
                        ("NAME", ["Name"]), ("BYTES", ["Length"]), ("TYPE", ["Type"]),
                        ("LAST MODIFIED", ["LastModified"]),
                    ]
                    StorageCommand.show(values, columns, options)
                }
            }
        }

        struct Show: AsyncParsableCommand {
            static let configuration = CommandConfiguration(commandName: "show", abstract: "Show one's properties.")
            @OptionGroup var options: ServerOptions
            @OptionGroup var account: AccountOption
            @Argument(help: "Container.") var container: String
            @Argument(help: "Blob.") var name: String

            func run() async throws {
                try await StorageCommand.connected(options, account) { access in
                    let location = BlobLocation(access.connection, container: container, blob: name)
                    let answer = try await access.blobs.expect(.HEAD, location)
                    print(StorageCommand.properties(answer).indented, terminator: "")
                }
            }
        }

        struct Upload: AsyncParsableCommand {
            static let configuration = CommandConfiguration(commandName: "upload", abstract: "Upload a file.")
            @OptionGroup var options: ServerOptions
            @OptionGroup var account: AccountOption
            @Argument(help: "Container.") var container: String
            @Argument(help: "File.") var file: String
            @Option(help: "Name of the blob (default: the file's).") var name: String?
            @Option(name: .customLong("content-type"), help: "Content type.") var contentType =
                "application/octet-stream"

            func run() async throws {
                guard let handle = FileHandle(forReadingAtPath: file) else {
                    throw CommandFailure("The file \(file) cannot be read.")
                }
                let size = try handle.seekToEnd()
                try handle.seek(toOffset: 0)
                let name = name ?? URL(fileURLWithPath: file).lastPathComponent
                try await StorageCommand.connected(options, account) { access in
                    var bar = ProgressBar(name, total: Int64(size), isQuiet: options.json)
                    let location = BlobLocation(access.connection, container: container, blob: name)
                    try await access.blobs.upload(location, contentType: contentType) {
                        guard let data = try handle.read(upToCount: RemoteBlobs.pieceBytes), !data.isEmpty else {
                            return nil
                        }
                        bar.advance(by: data.count)
                        return ByteBuffer(bytes: data)
                    }
                    bar.finish()
                }
            }
        }

        struct Download: AsyncParsableCommand {
            static let configuration = CommandConfiguration(
                commandName: "download",
                abstract: "Download one to a file."
            )
            @OptionGroup var options: ServerOptions
            @OptionGroup var account: AccountOption
            @Argument(help: "Container.") var container: String
            @Argument(help: "Blob.") var name: String
            @Option(help: "File; - for standard output (default: the last part of the blob's name).") var output:
                String?

            func run() async throws {
                let output = output ?? URL(fileURLWithPath: "/\(name)").lastPathComponent
                try await StorageCommand.connected(options, account) { access in
                    let location = BlobLocation(access.connection, container: container, blob: name)
                    // Beside its place until it is whole: a broken transfer leaves no half file of the wanted name.
                    let draft = output + ".part"
                    var handle = FileHandle.standardOutput
                    var bar = ProgressBar(name, total: nil, isQuiet: true)
                    do {
                        try await access.blobs.download(location) { length, _ in
                            bar = ProgressBar(name, total: length, isQuiet: options.json || output == "-")
                            guard output != "-" else { return }
                            guard FileManager.default.createFile(atPath: draft, contents: nil),
                                let opened = FileHandle(forWritingAtPath: draft)
                            else { throw CommandFailure("The file \(output) cannot be written.") }
                            handle = opened
                        } take: { piece in
                            try handle.write(contentsOf: Data(piece.readableBytesView))
                            bar.advance(by: piece.readableBytes)
                        }
                    } catch {
                        if output != "-" { try? FileManager.default.removeItem(atPath: draft) }
                        throw error
                    }
                    bar.finish()
                    guard output != "-" else { return }
                    try handle.close()
                    guard rename(draft, output) == 0 else {
                        throw CommandFailure("The file \(output) cannot be written.")
                    }
                }
            }
        }

        struct Copy: AsyncParsableCommand {
            static let configuration = CommandConfiguration(
                commandName: "copy",
                abstract: "Copy one within the account."
            )
            @OptionGroup var options: ServerOptions
            @OptionGroup var account: AccountOption
            @Argument(help: "CONTAINER/BLOB to copy from.") var source: String
            @Argument(help: "CONTAINER/BLOB to copy to.") var target: String

            func run() async throws {
                try await StorageCommand.connected(options, account) { access in
                    let locations = try [source, target].map { text throws -> BlobLocation in
                        let parts = text.split(separator: "/", maxSplits: 1).map(String.init)
                        guard parts.count == 2 else { throw CommandFailure("\"\(text)\" must be CONTAINER/BLOB.") }
                        return BlobLocation(access.connection, container: parts[0], blob: parts[1])
                    }
                    let headers = [("x-ms-copy-source", locations[0].url)]
                    try await access.blobs.expect(.PUT, locations[1], headers: headers)
                }
            }
        }

        struct Delete: AsyncParsableCommand {
            static let configuration = CommandConfiguration(commandName: "delete", abstract: "Delete one.")
            @OptionGroup var options: ServerOptions
            @OptionGroup var account: AccountOption
            @Argument(help: "Container.") var container: String
            @Argument(help: "Blob.") var name: String
            @Flag(name: .customLong("with-snapshots"), help: "Its snapshots as well.") var withSnapshots = false

            func run() async throws {
                try await StorageCommand.connected(options, account) { access in
                    let headers = withSnapshots ? [("x-ms-delete-snapshots", "include")] : []
                    let location = BlobLocation(access.connection, container: container, blob: name)
                    try await access.blobs.expect(.DELETE, location, headers: headers)
                }
            }
        }
    }

    // MARK: - Shared

    private static func connected(
        _ options: ServerOptions,
        _ account: AccountOption,
        _ work: (StorageAccess) async throws -> Void
    ) async throws {
        let client = try await ServerClient.connect(options)
        let access = try await StorageAccess.connect(client, account: account.account)
        do {
            try await work(access)
            await StorageAccess.close()
        } catch {
            await StorageAccess.close()
            if let refusal = error as? RemoteBlobs.Refusal { throw CommandFailure(refusal.description) }
            throw error
        }
    }

    private static func show(
        _ values: [JSONValue],
        _ columns: [(title: String, path: [String])],
        _ options: ServerOptions
    ) {
        if options.json { return print(JSONValue.array(values).indented, terminator: "") }
        TableText.print(columns, values)
    }

    private static func show(keys answer: JSONValue, _ options: ServerOptions) {
        if options.json { return print(answer.indented, terminator: "") }
        for key in answer["keys"]?.array ?? [] {
            print("\(key["keyName"]?.string ?? "")  \(key["value"]?.string ?? "")")
        }
        print(answer["connectionString"]?.string ?? "")
    }

    /// The header fields that tell of a container or a blob, by their names.
    private static func properties(_ answer: RemoteBlobs.Answer) -> JSONValue {
        let hidden = ["date", "server", "x-ms-request-id", "x-ms-version", "connection", "accept-ranges"]
        return .object(
            JSONObject(
                answer.headers.filter { !hidden.contains($0.name.lowercased()) }.map { ($0.name, .string($0.value)) }
            )
        )
    }
}
