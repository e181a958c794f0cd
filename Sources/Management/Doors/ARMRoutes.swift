import Foundation
package import HTTPServing
import HTTPTypes
package import Hummingbird
import Policies
import ResourceModel
import Store

/// The ARM-shaped door of the control plane (contracts/api-management.md 4.1): one set of routes for every type.
package struct ARMRoutes: Sendable {
    private static let apiVersions = "2021-08-01"..."2024-05-01"

    private let service: ResourceService
    private let installation: Installation
    private let tokens: TokenGuard
    private let traces: TraceActions
    private let addresses: @Sendable () -> ServiceAddresses

    /// Where the installation's doors are reached.
    package struct ServiceAddresses: Sendable {
        package let gateway: String
        package let portal: String
        package let services: String

        package init(gateway: String, portal: String, services: String) {
            self.gateway = gateway
            self.portal = portal
            self.services = services
        }
    }

    package init(
        service: ResourceService,
        installation: Installation,
        tokens: TokenGuard,
        traces: TraceActions,
        addresses: @Sendable @escaping () -> ServiceAddresses
    ) {
        self.service = service
        self.installation = installation
        self.tokens = tokens
        self.traces = traces
        self.addresses = addresses
    }

    package func addRoutes(to router: Router<ServingContext>) {
        for method in [HTTPRequest.Method.get, .head, .put, .patch, .delete, .post] {
            router.on("/subscriptions/**", method: method) { request, context in
                try await respond(request, context)
            }
        }
    }

    private func respond(_ request: Request, _ context: ServingContext) async throws -> Response {
        try tokens.require(request.bearerToken)
        guard let version = request.query("api-version") else {
            throw APIError(
                status: 400,
                code: "MissingApiVersionParameter",
                message: "The api-version query parameter (?api-version=) is required for all requests."
            )
        }
        guard ARMRoutes.apiVersions.contains(String(version.prefix(10))) else {
            throw APIError(
                status: 400,
                code: "InvalidApiVersionParameter",
                message: "The api-version \"\(version.prefix(40))\" is invalid; supported are 2021-08-01 to 2024-05-01."
            )
        }
        let segments = request.uri.path.split(separator: "/", omittingEmptySubsequences: true)
            .map { String($0).removingPercentEncoding ?? String($0) }
        switch try place(segments) {
        case .serviceList: return try await serviceList(request)
        case .service: return try await serviceDocument(request)
        case .below(let words): return try await resource(request, words)
        }
    }

    // MARK: - The service

    private enum Place {
        case serviceList
        case service
        case below([String])
    }

    private func place(_ segments: [String]) throws(APIError) -> Place {
        let lower = segments.map { $0.lowercased() }
        let unknown = APIError.notFound("The path is not known.")
        guard segments.count >= 2, lower[1] == installation.subscriptionID.lowercased() else {
            throw APIError(
                status: 404,
                code: "SubscriptionNotFound",
                message:
                    "The subscription '\(segments.count > 1 ? String(segments[1].prefix(64)) : "")' could not be found."
            )
        }
        var rest = Array(lower.dropFirst(2))
        var original = Array(segments.dropFirst(2))
        if rest.first == "resourcegroups" {
            guard rest.count >= 2, rest[1] == installation.resourceGroup.lowercased() else {
                throw APIError(
                    status: 404,
                    code: "ResourceGroupNotFound",
                    message:
                        "Resource group '\(original.count > 1 ? String(original[1].prefix(90)) : "")' could not be found."
                )
            }
            rest.removeFirst(2)
            original.removeFirst(2)
        }
        guard rest.count >= 3, rest[0] == "providers", rest[1] == "microsoft.apimanagement", rest[2] == "service" else {
            throw unknown
        }
        guard rest.count > 3 else { return .serviceList }
        guard rest[3] == installation.serviceName.lowercased() else {
            throw .notFound("The Resource 'Microsoft.ApiManagement/service/\(original[3].prefix(64))' was not found.")
        }
        return rest.count == 4 ? .service : .below(Array(original.dropFirst(4)))
    }

    private func serviceList(_ request: Request) async throws -> Response {
        guard request.method == .get else { throw APIError.notFound("The path is not known.") }
        return .json(["value": [serviceJSON(try await service.get(.service))]])
    }

    private func serviceDocument(_ request: Request) async throws -> Response {
        guard request.method == .get || request.method == .head else {
            throw APIError(
                status: 405,
                code: "MethodNotAllowed",
                message: "The service is made by `gatehouse init`; over this door it can be read."
            )
        }
        let resource = try await service.get(.service)
        return .json(serviceJSON(resource), etag: resource.etag)
    }

    private func serviceJSON(_ resource: Resource) -> JSONValue {
        let addresses = addresses()
        return [
            "id": .string(installation.root), "name": .string(installation.serviceName),
            "type": "Microsoft.ApiManagement/service", "tags": [:], "location": "Local",
            "etag": .string(resource.etag), "sku": ["name": "Developer", "capacity": 1],
            "properties": [
                "publisherEmail": .string(installation.adminEmail), "publisherName": .string(installation.organization),
                "notificationSenderEmail": .string(installation.adminEmail), "provisioningState": "Succeeded",
                "targetProvisioningState": "", "createdAtUtc": .string(installation.createdAt),
                "gatewayUrl": .string(addresses.gateway), "portalUrl": .string(addresses.portal),
                "developerPortalUrl": .string(addresses.portal), "managementApiUrl": .string(addresses.portal),
            ],
        ]
    }

    // MARK: - Resources

    private func resource(_ request: Request, _ words: [String]) async throws -> Response {
        if words.count % 2 == 1 {
            let id = ResourceID(Array(words.dropLast()))
            if request.method == .post { return try await action(request, id, words[words.count - 1]) }
            let type = try type(of: ResourceID(words + ["-"]))
            guard request.method == .get else { throw APIError.notFound("The path is not known.") }
            return try await list(request, type, parent: ResourceID(Array(words.dropLast())))
        }
        let id = ResourceID(words)
        let type = try type(of: id)
        switch request.method {
        case .get:
            let resource = try await service.get(id)
            return .json(try await json(resource, type, format: try format(request)), etag: resource.etag)
        case .head:
            let resource = try await service.get(id)
            return .empty(status: type.path == ResourceType.productAPI.path ? 204 : 200, etag: resource.etag)
        case .put:
            let body = try await request.jsonObject()
            let (resource, isNew) = try await service.put(type, id, try properties(body), ifMatch: request.ifMatch)
            return .json(try await json(resource, type), status: isNew ? 201 : 200, etag: resource.etag)
        case .patch:
            let body = try await request.jsonObject()
            let resource = try await service.patch(type, id, try properties(body), ifMatch: request.ifMatch)
            return .json(try await json(resource, type), etag: resource.etag)
        case .delete:
            return try await delete(request, type, id)
        default: throw APIError.notFound("The path is not known.")
        }
    }

    private func delete(_ request: Request, _ type: ResourceType, _ id: ResourceID) async throws -> Response {
        // A place in a product has no version of its own, and its SDK call sends no If-Match.
        let ifMatch = type.path == ResourceType.productAPI.path ? request.ifMatch ?? "*" : request.ifMatch
        let deletion = DeletionRequest(takesSubscriptions: request.query("deleteSubscriptions")?.lowercased() == "true")
        do {
            try await service.delete(type, id, ifMatch: ifMatch, request: deletion)
        } catch let error as APIError where error.status == 404 {
            return .empty(status: 204)
        }
        // The SDK takes only 202 or 204 for APIs and users, 200 or 204 for the rest.
        return .empty(status: [ResourceType.api.path, ResourceType.user.path].contains(type.path) ? 204 : 200)
    }

    /// In which of its formats a policy document is asked for.
    private func format(_ request: Request) throws(APIError) -> String? {
        guard let format = request.query("format") else { return nil }
        guard ["xml", "rawxml"].contains(format) else {
            throw .validation("format", "The format must be xml or rawxml.")
        }
        return format
    }

    private func action(_ request: Request, _ id: ResourceID, _ word: String) async throws -> Response {
        if id.key == "/gateways/managed" {
            switch word.lowercased() {
            case "listdebugcredentials":
                return try await traces.credentials(try await request.jsonObject()) { api in
                    try await service.exists(api)
                }
            case "listtrace": return try traces.trace(try await request.jsonObject())
            default: throw APIError.notFound("The path is not known.")
            }
        }
        let type = try type(of: id)
        if type.path == ResourceType.namedValue.path, word.lowercased() == "listvalue" {
            let resource = try await service.get(id)
            let secret = try await service.secret(id, "value")
            let isSecret = resource.properties["secret"]?.bool ?? false
            return .json(
                ["value": JSONValue(isSecret ? secret : resource.properties["value"]?.string)],
                etag: resource.etag
            )
        }
        guard type.path == ResourceType.subscription.path else { throw APIError.notFound("The path is not known.") }
        let resource = try await service.get(id)
        switch word.lowercased() {
        case "listsecrets":
            return .json(
                [
                    "primaryKey": JSONValue(try await service.secret(resource.id, "primaryKey")),
                    "secondaryKey": JSONValue(try await service.secret(resource.id, "secondaryKey")),
                ],
                etag: resource.etag
            )
        case "regenerateprimarykey":
            try await service.setSecret(type, resource.id, "primaryKey", Identifier.hex32())
            return .empty(status: 204)
        case "regeneratesecondarykey":
            try await service.setSecret(type, resource.id, "secondaryKey", Identifier.hex32())
            return .empty(status: 204)
        default: throw APIError.notFound("The path is not known.")
        }
    }

    private func list(_ request: Request, _ type: ResourceType, parent: ResourceID) async throws -> Response {
        let top = try number(request, "$top", ResourceService.pageDefault, 1...ResourceService.pageMax)
        let skip = try number(request, "$skip", 0, 0...10_000_000)
        if let filter = request.query("$filter") {
            throw APIError.validation("$filter", "The filter \"\(filter.prefix(80))\" is not supported yet.")
        }
        let after = request.query("$skiptoken").flatMap { Data(base64Encoded: $0) }.map {
            String(decoding: $0, as: UTF8.self)
        }
        let page = try await service.list(
            type,
            parent: parent,
            top: top,
            skip: skip,
            after: after,
            contains: nil
        )
        var values: [JSONValue] = []
        for resource in page.resources { values.append(try await json(resource, type)) }
        var document: JSONObject = ["value": .array(values), "count": .int(page.count)]
        if let next = page.next {
            let token = Data(next.utf8).base64EncodedString()
            let escaped = token.addingPercentEncoding(withAllowedCharacters: .alphanumerics) ?? ""
            let version = request.query("api-version") ?? ""
            document["nextLink"] = .string(
                "\(addresses().portal)\(request.uri.path)?api-version=\(version)&$top=\(top)&$skiptoken=\(escaped)"
            )
        }
        return .json(.object(document))
    }

    private func number(
        _ request: Request,
        _ name: String,
        _ fallback: Int,
        _ range: ClosedRange<Int>
    ) throws(APIError) -> Int {
        guard let text = request.query(name) else { return fallback }
        guard let value = Int(text), range.contains(value) else {
            throw .validation(name, "The value must be a whole number from \(range.lowerBound) to \(range.upperBound).")
        }
        return value
    }

    private func type(of id: ResourceID) throws(APIError) -> ResourceType {
        guard let type = ResourceTypes.type(path: id.type) else { throw .notFound("The path is not known.") }
        return type
    }

    private func properties(_ body: JSONObject) throws(APIError) -> JSONObject {
        guard let value = body["properties"], !value.isNull else { return JSONObject() }
        guard let object = value.object else { throw .validation("properties", "The value must be an object.") }
        return object
    }

    /// - Parameter format: of a policy document; nil for that of escaped XML.
    private func json(_ resource: Resource, _ type: ResourceType, format: String? = nil) async throws -> JSONValue {
        var properties = resource.properties
        if let text = properties["value"]?.string, let stored = properties["format"]?.string {
            let wanted = format ?? "xml"
            if wanted != stored {
                properties["value"] = .string(wanted == "xml" ? PolicyFormat.escaped(text) : PolicyFormat.raw(text))
            }
            properties["format"] = .string(wanted)
        }
        if type.path == ResourceType.backend.path, properties["credentials"] == BackendRules.sealed {
            let text = try await service.secret(resource.id, BackendRules.credentialsSlot)
            properties["credentials"] = try text.map { try JSONValue(parsing: $0) }
        }
        if type.path == ResourceType.productAPI.path {
            // The place of an API in a product is shown as the API.
            properties = ResourceType.api.present(
                try await service.get(ResourceID(["apis", resource.id.name])).properties,
                presentation
            )
        } else {
            properties = type.present(properties, presentation)
        }
        return [
            "id": .string(installation.root + resource.id.description),
            "type": .string("Microsoft.ApiManagement/service/" + type.path),
            "name": .string(resource.id.name),
            "properties": .object(properties),
        ]
    }

    private var presentation: PresentationContext {
        PresentationContext(servicesURL: addresses().services, root: installation.root)
    }
}
