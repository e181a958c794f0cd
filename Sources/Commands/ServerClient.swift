import ArgumentParser
import AsyncHTTPClient
import Foundation
import NIOCore
import NIOHTTP1
import NIOPosix
import ResourceModel

/// Which server a command speaks to, and how it shows what it hears.
struct ServerOptions: ParsableArguments {
    @Option(help: "Address of the portal door (default: GATEHOUSE_SERVER, else that of the server on the data folder).")
    var server: String?

    @Option(help: "Data folder of the server (default: GATEHOUSE_DATA, else .gatehouse).")
    var data: String?

    @Flag(help: "Print JSON.")
    var json = false
}

/// What went wrong, for people; the process ends with a code that is not zero.
struct CommandFailure: Error, CustomStringConvertible {
    let description: String
    init(_ description: String) { self.description = description }
}

/// Calls the server's public API.
struct ServerClient: Sendable {
    /// Answers are read whole, up to this.
    private static let answerBytesMax = 1 << 30
    private static let timeout = TimeAmount.minutes(10)
    static let apiVersion = "2022-08-01"

    /// Address of the portal door, without a closing slash.
    let server: String
    let token: String
    /// Addresses and names of the installation.
    let installation: JSONValue

    /// Finds the server by flags, environment and data folder, and asks it for its names.
    static func connect(_ options: ServerOptions) async throws -> ServerClient {
        let environment = ProcessInfo.processInfo.environment
        let folder = options.data ?? environment["GATEHOUSE_DATA"] ?? ".gatehouse"
        var address = options.server ?? environment["GATEHOUSE_SERVER"]
        if address == nil, let text = try? String(contentsOfFile: "\(folder)/server.json", encoding: .utf8) {
            address = (try? JSONValue(parsing: text))?["portal"]?.string
        }
        guard var server = address else {
            throw CommandFailure("No server is known: start `gatehouse serve`, or give --server or --data.")
        }
        if server.hasSuffix("/") { server.removeLast() }
        let file = try? String(contentsOfFile: "\(folder)/secrets/management-token", encoding: .utf8)
        let token = environment["GATEHOUSE_TOKEN"] ?? file?.trimmingCharacters(in: .whitespacesAndNewlines)
        guard let token, !token.isEmpty else {
            throw CommandFailure("The management token is missing: give --data, or set GATEHOUSE_TOKEN.")
        }
        let probe = ServerClient(server: server, token: token, installation: .null)
        let installation = try await probe.json(.GET, "/api/installation")
        return ServerClient(server: server, token: token, installation: installation)
    }

    var workspace: String { installation["workspace"]?.string ?? "" }

    /// The path of a resource below the service.
    func arm(_ path: String) -> String {
        let names = installation["management"]
        let root = ["subscriptionId", "resourceGroup", "serviceName"].map { names?[$0]?.string ?? "" }
        return
            "/subscriptions/\(root[0])/resourceGroups/\(root[1])/providers/Microsoft.ApiManagement/service/\(root[2])"
            + path + (path.contains("?") ? "&" : "?") + "api-version=\(Self.apiVersion)"
    }

    func studio(_ path: String) -> String { "/api/workspaces/\(workspace)\(path)" }

    struct Answer {
        let status: Int
        let bytes: [UInt8]
        var json: JSONValue { (try? JSONValue(parsing: bytes)) ?? .null }
    }

    /// Calls and takes any status.
    func call(
        _ method: HTTPMethod,
        _ path: String,
        body: [UInt8]? = nil,
        headers: [(String, String)] = [],
        base: String? = nil
    ) async throws -> Answer {
        var request = HTTPClientRequest(url: (base ?? server) + path)
        request.method = method
        if base == nil { request.headers.add(name: "Authorization", value: "Bearer \(token)") }
        if body != nil, !headers.contains(where: { $0.0.lowercased() == "content-type" }) {
            request.headers.add(name: "Content-Type", value: "application/json")
        }
        for (name, value) in headers { request.headers.add(name: name, value: value) }
        if let body { request.body = .bytes(body) }
        do {
            let response = try await HTTPClient.shared.execute(request, timeout: Self.timeout)
            let buffer = try await response.body.collect(upTo: Self.answerBytesMax)
            return Answer(status: Int(response.status.code), bytes: Array(buffer.readableBytesView))
        } catch let error as HTTPClientError {
            throw CommandFailure("\(base ?? server) did not answer: \(error.shortDescription)")
        } catch is NIOConnectionError {
            throw CommandFailure("\(base ?? server) cannot be reached.")
        }
    }

    /// Calls and gives the document of an answer that says well.
    @discardableResult
    func json(
        _ method: HTTPMethod,
        _ path: String,
        _ body: JSONValue? = nil,
        ifMatch: String? = nil
    ) async throws -> JSONValue {
        let headers = ifMatch.map { [("If-Match", $0)] } ?? []
        return try Self.checked(try await call(method, path, body: body?.bytes, headers: headers)).json
    }

    /// - Throws: the server's own words where the answer is an error.
    static func checked(_ answer: Answer) throws -> Answer {
        guard answer.status < 400 else {
            let error = answer.json["error"]
            var lines = [error?["message"]?.string ?? String(decoding: answer.bytes.prefix(500), as: UTF8.self)]
            for detail in error?["details"]?.array ?? [] {
                let target = detail["target"]?.string.map { "\($0): " } ?? ""
                lines.append("  \(target)\(detail["message"]?.string ?? "")")
            }
            throw CommandFailure("\(lines.joined(separator: "\n")) [\(answer.status) \(error?["code"]?.string ?? "")]")
        }
        return answer
    }

    static func escaped(_ segment: String) -> String {
        var allowed = CharacterSet.alphanumerics
        allowed.insert(charactersIn: "-._~;")
        return segment.addingPercentEncoding(withAllowedCharacters: allowed) ?? segment
    }
}
