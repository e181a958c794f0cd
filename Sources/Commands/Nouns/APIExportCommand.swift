import ArgumentParser
import Foundation
import NIOHTTP1
import ResourceModel

/// `gatehouse api export`: the description of an API, on standard output.
struct APIExportCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "export",
        abstract: "Print the description of an API in OpenAPI, Swagger or WADL."
    )
    @OptionGroup var options: ServerOptions
    @Argument(help: "Id of the API.") var id: String
    @Option(help: "openapi (YAML), openapi+json, swagger or wadl.") var format = "openapi"

    func run() async throws {
        let client = try await ServerClient.connect(options)
        let query = "?export=true&format=\(ServerClient.escaped(format + "-link"))"
        let answer = try await client.json(.GET, client.arm("/apis/\(ServerClient.escaped(id))\(query)"))
        guard let link = answer["value"]?["link"]?.string, let path = link.range(of: "/api/exports/") else {
            throw CommandFailure("The server gave no link.")
        }
        // By the address that this command reaches the server at, whatever name the link has for it.
        let document = try ServerClient.checked(try await client.call(.GET, String(link[path.lowerBound...])))
        print(String(decoding: document.bytes, as: UTF8.self), terminator: "")
    }
}
