import Crypto
import Foundation
package import HTTPServing
import HTTPTypes
package import Hummingbird
import ResourceModel
import Store

/// Descriptions of APIs, by a link that is good for a while, or at once (contracts/api-management.md 7).
package struct APIExport: Sendable {
    enum Format: String, CaseIterable {
        case swagger = "swagger-link"
        case openAPI = "openapi-link"
        case openAPIJSON = "openapi+json-link"
        case wadl = "wadl-link"

        /// What the answer with the link calls it.
        var resultName: String {
            switch self {
            case .swagger: "swagger-link-json"
            case .wadl: "wadl-link-json"
            case .openAPI, .openAPIJSON: rawValue
            }
        }

        var contentType: String {
            switch self {
            case .swagger: "application/vnd.swagger.doc+json"
            case .openAPI: "application/vnd.oai.openapi"
            case .openAPIJSON: "application/vnd.oai.openapi+json"
            case .wadl: "application/vnd.sun.wadl+xml"
            }
        }

        /// As a file is called that holds it.
        var fileEnd: String {
            switch self {
            case .openAPI: "yaml"
            case .swagger, .openAPIJSON: "json"
            case .wadl: "wadl"
            }
        }
    }

    /// How long a link is good: as long as the service's are.
    private static let linkSeconds = 300.0
    private static let path = "/api/exports"
    /// Children of one API that a description tells of: as many as an import takes.
    private static let childrenMax = OpenAPIImport.operationsMax

    private let service: ResourceService
    private let addresses: @Sendable () -> ARMRoutes.ServiceAddresses

    package init(service: ResourceService, addresses: @Sendable @escaping () -> ARMRoutes.ServiceAddresses) {
        self.service = service
        self.addresses = addresses
    }

    /// Answers a GET of an API with `export=true`.
    func answer(_ request: Request, _ id: ResourceID, root: String) async throws -> Response {
        let api = try await service.get(id)
        guard let word = request.query("format") else {
            let accepted = request.headers[.accept] ?? ""
            guard let format = Format.allCases.first(where: { accepted == $0.contentType }) else {
                throw APIError.validation("format", "The format must be one of \(Self.words).")
            }
            return try await document(api, format)
        }
        // A plus that is not escaped comes as a blank from some clients.
        let name = word.lowercased().replacing(" ", with: "+")
        guard let format = Format.allCases.first(where: { $0.rawValue == name }) else {
            throw APIError.validation("format", "The format must be one of \(Self.words); only SOAP APIs have a WSDL.")
        }
        return .json([
            "id": .string(root + api.id.description), "format": .string(format.resultName),
            "value": ["link": .string(link(api.id, format))],
        ])
    }

    /// The link carries what it is for, until when, and our signature; whoever has it needs no token.
    package func addRoutes(to router: Router<ServingContext>) {
        router.get("\(Self.path)/:file") { request, context -> Response in
            let gone = APIError(
                status: 403,
                code: "LinkExpired",
                message: "The link is over or was changed; ask for the export again."
            )
            guard let name = request.query("api"), let word = request.query("format"),
                let format = Format(rawValue: word),
                let end = request.query("end"), let time = Double(end), time > Date().timeIntervalSince1970,
                let given = request.query("signature"),
                ConstantTime.equal(Array(signature(name, word, end).utf8), Array(given.utf8))
            else { throw gone }
            return try await document(try await service.get(ResourceID(["apis", name])), format)
        }
    }

    private static var words: String { Format.allCases.map(\.rawValue).joined(separator: ", ") }

    private func link(_ id: ResourceID, _ format: Format) -> String {
        let end = String(Int(Date().timeIntervalSince1970 + Self.linkSeconds))
        let items = [
            ("api", id.name), ("format", format.rawValue), ("end", end),
            ("signature", signature(id.name, format.rawValue, end)),
        ]
        let query = items.map { "\($0.0)=\($0.1.addingPercentEncoding(withAllowedCharacters: .alphanumerics) ?? "")" }
        return "\(addresses().portal)\(Self.path)/api.\(format.fileEnd)?\(query.joined(separator: "&"))"
    }

    private func signature(_ name: String, _ format: String, _ end: String) -> String {
        let key = SymmetricKey(data: service.key(for: "gatehouse export links v1"))
        let code = HMAC<SHA256>.authenticationCode(for: Data("\(name)\n\(format)\n\(end)".utf8), using: key)
        return Identifier.hex(Array(code))
    }

    private func document(_ api: Resource, _ format: Format) async throws -> Response {
        let described = try await describe(api)
        let text: String
        switch format {
        case .swagger: text = OpenAPIExport.document(described, isSwagger: true).indented
        case .openAPI: text = YAMLText.of(OpenAPIExport.document(described, isSwagger: false))
        case .openAPIJSON: text = OpenAPIExport.document(described, isSwagger: false).indented
        case .wadl: text = WADLExport.text(described)
        }
        return .bytes(Array(text.utf8), contentType: format.contentType)
    }

    private func describe(_ api: Resource) async throws -> DescribedAPI {
        let children = { @Sendable (word: String) async throws in
            try await service.store.list(ResourceQuery(parent: api.id, type: word, limit: Self.childrenMax))
        }
        let doors = addresses()
        let path = api.properties["path"]?.string ?? ""
        let protocols = (api.properties["protocols"]?.array ?? []).compactMap(\.string)
        let bases = [("https", doors.secureGateway), ("http", doors.gateway)].filter { protocols.contains($0.0) }
        return DescribedAPI(
            api: api,
            operations: try await children("operations"),
            schemas: try await children("schemas"),
            addresses: bases.compactMap { base in base.1.map { path.isEmpty ? $0 : "\($0)/\(path)" } }
        )
    }
}
