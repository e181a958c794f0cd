import ArgumentParser
import NIOHTTP1
import ResourceModel

/// `gatehouse api import`: an API from a description, or from a web service of this installation.
struct APIImportCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "import",
        abstract: "Make an API of a description in OpenAPI or Swagger, or of a web service hosted here."
    )
    @OptionGroup var options: ServerOptions
    @Argument(help: "File with the description (- for standard input), or its address.") var source: String?
    @Option(help: "Id or name of a web service of this installation, in the place of a description.") var service:
        String?
    @Option(help: "Id of the API (default: its path).") var id: String?
    @Option(help: "Web API URL suffix (default: the service's name).") var path: String?
    @Option(help: "openapi, openapi+json or swagger-json (default: as the document says).") var format: String?
    @Option(help: "http, https or both with a comma.") var protocols: String?
    @Option(help: "Product that the API is added to; may be repeated.") var product: [String] = []

    func validate() throws {
        guard (source == nil) != (service == nil) else {
            throw ValidationError("Give a description, or --service NAME.")
        }
        guard service != nil || path != nil else { throw ValidationError("--path SUFFIX is needed.") }
    }

    func run() async throws {
        let client = try await ServerClient.connect(options)
        var properties = JSONObject()
        var name = path ?? ""
        if let service {
            let found = try await ServiceCommand.find(client, service)
            name = path ?? Self.suffix(found["Name"]?.string ?? service)
            properties["format"] = "swagger-json"
            properties["value"] = .string(try await Self.description(client, found).text)
        } else if let source {
            let isAddress = source.hasPrefix("http://") || source.hasPrefix("https://")
            let text = isAddress ? source : try FileText.read(source)
            let kind = try format ?? Self.format(text, isAddress: isAddress)
            properties["format"] = .string(isAddress ? Self.link(kind) : kind)
            properties["value"] = .string(text)
        }
        properties["path"] = .string(name)
        let schemes = protocols.map { $0.split(separator: ",").map { JSONValue.string(String($0)) } }
        properties["protocols"] = schemes.map(JSONValue.array) ?? (service == nil ? nil : ["http", "https"])
        let api = ServerClient.escaped(id ?? name.replacing("/", with: "-"))
        let made = try await client.json(.PUT, client.arm("/apis/\(api)"), ["properties": .object(properties)])
        for product in product {
            try await client.json(.PUT, client.arm("/products/\(ServerClient.escaped(product))/apis/\(api)"))
        }
        if options.json { return print(made.indented, terminator: "") }
        let operations = try await client.json(.GET, client.arm("/apis/\(api)/operations?$top=1"))
        print("api \(made["name"]?.string ?? api): \(operations["count"]?.int ?? 0) operations")
    }

    /// A service's name as a segment of an address.
    private static func suffix(_ name: String) -> String {
        let words = name.lowercased().split { !$0.isASCII || !($0.isLetter || $0.isNumber) }
        return words.isEmpty ? "service" : words.joined(separator: "-")
    }

    /// The swagger document of a service's default endpoint, without the call for the document itself: scoring and the four calls of jobs.
    private static func description(_ client: ServerClient, _ service: JSONValue) async throws -> JSONValue {
        let path = ServiceCommand.path(client, service["Id"]?.string ?? "") + "/endpoints/default"
        let endpoint = try await client.json(.GET, path)["EndpointId"]?.string ?? ""
        let address = "/workspaces/\(client.workspace)/services/\(endpoint)/swagger.json"
        let answer = try await client.call(.GET, address, base: client.installation["services"]?.string ?? "")
        guard var document = try ServerClient.checked(answer).json.object, var paths = document["paths"]?.object else {
            throw CommandFailure("The service has no swagger document.")
        }
        paths["/swagger.json"] = nil
        document["paths"] = .object(paths)
        return .object(document)
    }

    private static func format(_ text: String, isAddress: Bool) throws -> String {
        guard !isAddress else { throw CommandFailure("--format is needed where the description is fetched.") }
        guard let document = try? JSONValue(parsing: text) else { return "openapi" }
        return document["swagger"] != nil ? "swagger-json" : "openapi+json"
    }

    /// The format's name where the value is an address.
    private static func link(_ format: String) -> String {
        format == "swagger-json" ? "swagger-link-json" : format + "-link"
    }
}
