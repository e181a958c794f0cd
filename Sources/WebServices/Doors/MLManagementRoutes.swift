import Foundation
package import HTTPServing
import HTTPTypes
package import Hummingbird
import ResourceModel
package import Store

/// The management calls of web services and endpoints (contracts/ml-web-services.md 4.4).
package struct MLManagementRoutes: Sendable {
    private static let pageMax = 1000

    private let store: any ResourceStore
    private let publisher: ServicePublisher
    private let box: SecretBox
    private let host: @Sendable () -> ServiceHost

    package init(
        store: any ResourceStore,
        publisher: ServicePublisher,
        box: SecretBox,
        host: @Sendable @escaping () -> ServiceHost
    ) {
        self.store = store
        self.publisher = publisher
        self.box = box
        self.host = host
    }

    package func addRoutes(to router: Router<ServingContext>) {
        let services = router.group("/workspaces/:workspace/webservices")
        let members = services.group().add(middleware: AccessMiddleware(.workspace, as: .studio))
        members.get { try await list($0, $1) }
        members.get(":service") { _, context -> Response in .json(try await service(context).document) }
        members.put(":service") { _, _ -> Response in
            throw APIError.badRequest("Services are published from experiments; publishing code is not supported.")
        }
        members.delete(":service") { try await delete($0, $1) }
        members.get(":service/endpoints") { try await endpointList($0, $1) }
        members.put(":service/endpoints/:endpoint") { try await putEndpoint($0, $1) }
        let endpoints = services.group(":service/endpoints/:endpoint")
        let keyed = endpoints.group().add(middleware: EndpointAccessMiddleware(store: store, box: box))
        keyed.get { _, context -> Response in .json(try await endpointJSON(try await endpoint(context))) }
        keyed.patch { try await patchEndpoint($0, $1) }
        keyed.delete { try await deleteEndpoint($0, $1) }
        keyed.post("refresh") { try await refresh($0, $1) }
        // As at the services door, the swagger document needs no key.
        endpoints.get("apidocument") { try await document($0, $1) }
    }

    // MARK: - Services

    private struct FoundService {
        let resource: Resource
        let document: JSONValue
    }

    private func list(_ request: Request, _ context: ServingContext) async throws -> Response {
        let workspace = try workspace(context)
        var documents: [JSONValue] = []
        let query = ResourceQuery(
            parent: ServicePublisher.services(workspace),
            type: "webservices",
            limit: Self.pageMax
        )
        for resource in try await store.list(query) { documents.append(try await json(resource)) }
        return .json(.array(documents))
    }

    private func service(_ context: ServingContext) async throws -> FoundService {
        let id = ServicePublisher.service(try workspace(context), try context.parameters.require("service"))
        guard let resource = try await store.get(id) else {
            throw APIError.notFound("The web service \(id.name) was not found.")
        }
        return FoundService(resource: resource, document: try await json(resource))
    }

    private func json(_ resource: Resource) async throws -> JSONValue {
        let count = try await store.count(ResourceQuery(parent: resource.id, type: "endpoints", limit: 1))
        return [
            "Id": .string(resource.id.name), "Name": resource.properties["Name"] ?? "",
            "Description": resource.properties["Description"] ?? "",
            "CreationTime": resource.properties["CreationTime"] ?? .null,
            "WorkspaceId": .string(resource.id.segments[1]), "DefaultEndpointName": "default",
            "EndpointCount": .int(count), "ExperimentId": resource.properties["ExperimentId"] ?? .null,
        ]
    }

    private func delete(_ request: Request, _ context: ServingContext) async throws -> Response {
        try await publisher.delete(try await service(context).resource.id)
        return .empty(status: 204)
    }

    // MARK: - Endpoints

    private func endpointList(_ request: Request, _ context: ServingContext) async throws -> Response {
        let service = try await service(context).resource.id
        var documents: [JSONValue] = []
        for endpoint in try await store.list(ResourceQuery(parent: service, type: "endpoints", limit: Self.pageMax)) {
            documents.append(try await endpointJSON(endpoint.id))
        }
        return .json(.array(documents))
    }

    private func endpoint(_ context: ServingContext) async throws -> ResourceID {
        guard let found = try await context.endpoint(in: store) else {
            throw APIError.notFound(
                "The endpoint \(try context.parameters.require("endpoint").prefix(64)) was not found."
            )
        }
        return found
    }

    private func endpointJSON(_ id: ResourceID) async throws -> JSONValue {
        guard let endpoint = try await store.get(id), let endpointID = endpoint.properties["EndpointId"]?.string else {
            throw APIError.notFound("The endpoint \(id.name) was not found.")
        }
        let keys = try await publisher.keys(endpoint.id)
        let workspace = id.segments[1]
        let service = id.segments[3]
        let host = host()
        let properties = endpoint.properties
        return [
            "Name": .string(endpoint.id.name), "Description": properties["Description"] ?? "",
            "CreationTime": properties["CreationTime"] ?? .null, "WorkspaceId": .string(workspace),
            "WebServiceId": .string(service),
            "HelpLocation": .string(
                "\(host.portalURL)/apihelp/workspaces/\(workspace)/webservices/\(service)/endpoints/\(endpointID)/"
            ),
            "PrimaryKey": .string(keys.primary), "SecondaryKey": .string(keys.secondary),
            "ApiLocation": .string("\(host.servicesURL)/workspaces/\(workspace)/services/\(endpointID)"),
            "Version": "2.0", "PreventUpdate": properties["PreventUpdate"] ?? false, "SampleDataEnabled": false,
            "ExperimentLocation": .null,
            "MaxConcurrentCalls": properties["MaxConcurrentCalls"] ?? .int(ServicePublisher.concurrentCallsDefault),
            "DiagnosticsTraceLevel": "None", "ThrottleLevel": properties["ThrottleLevel"] ?? "High", "Resources": [],
            "EndpointId": .string(endpointID),
        ]
    }

    private func putEndpoint(_ request: Request, _ context: ServingContext) async throws -> Response {
        let service = try await service(context).resource.id
        let name = try context.parameters.require("endpoint")
        let isValid =
            (1...24).contains(name.count)
            && name.utf8.allSatisfy { (0x61...0x7A).contains($0) || (0x30...0x39).contains($0) }
        guard isValid else {
            throw APIError.validation("EndpointName", "The name must be 1 to 24 lower-case letters and digits.")
        }
        let id = service.child("endpoints", name)
        try await publisher.putEndpoint(id, try settings(try await request.jsonObject()))
        return .json(try await endpointJSON(id))
    }

    private func patchEndpoint(_ request: Request, _ context: ServingContext) async throws -> Response {
        let id = try await endpoint(context)
        let body = try await request.jsonObject()
        guard body["Resources"] == nil else {
            throw APIError.badRequest("Retraining by new Resources is not supported yet; only settings can be changed.")
        }
        var merged = try await store.get(id)?.properties ?? JSONObject()
        for member in body.members { merged[member.name] = member.value }
        try await publisher.putEndpoint(id, try settings(merged))
        return .json(try await endpointJSON(id))
    }

    private func settings(_ body: JSONObject) throws(APIError) -> JSONObject {
        var result: JSONObject = ["Description": .string(body["Description"]?.string ?? "")]
        let level = body["ThrottleLevel"]?.string ?? "High"
        guard level == "Low" || level == "High" else {
            throw .validation("ThrottleLevel", "The value must be one of Low, High.")
        }
        result["ThrottleLevel"] = .string(level)
        if let value = body["MaxConcurrentCalls"], !value.isNull {
            guard let calls = value.int, (1...ServicePublisher.concurrentCallsMax).contains(calls) else {
                throw .validation(
                    "MaxConcurrentCalls",
                    "The value must be a whole number from 1 to \(ServicePublisher.concurrentCallsMax)."
                )
            }
            result["MaxConcurrentCalls"] = .int(calls)
        } else if level == "Low" {
            result["MaxConcurrentCalls"] = 4
        }
        result["PreventUpdate"] = .bool(body["PreventUpdate"]?.bool ?? false)
        return result
    }

    private func deleteEndpoint(_ request: Request, _ context: ServingContext) async throws -> Response {
        let id = try await endpoint(context)
        let count = try await store.count(ResourceQuery(parent: id.parent, type: "endpoints", limit: 1))
        guard id.name.lowercased() != "default" || count == 1 else {
            throw APIError.conflict("The default endpoint cannot be deleted while there are others.")
        }
        try await publisher.delete(id)
        return .empty(status: 204)
    }

    private func refresh(_ request: Request, _ context: ServingContext) async throws -> Response {
        let id = try await endpoint(context)
        guard id.name.lowercased() != "default" else {
            throw APIError.badRequest("The default endpoint cannot be refreshed.")
        }
        // Endpoints share their service's definition, so that there is never anything to bring over.
        return .empty(status: 304)
    }

    /// The swagger document.
    private func document(_ request: Request, _ context: ServingContext) async throws -> Response {
        let service = ServicePublisher.service(try workspace(context), try context.parameters.require("service"))
        let word = try context.parameters.require("endpoint").lowercased()
        for endpoint in try await store.list(ResourceQuery(parent: service, type: "endpoints", limit: Self.pageMax)) {
            guard let endpointID = endpoint.properties["EndpointId"]?.string,
                endpointID == word || endpoint.id.name.lowercased() == word,
                let scoring = publisher.registry.endpoint(endpointID)
            else { continue }
            return .json(SwaggerDocument(endpoint: scoring, host: host()).json)
        }
        throw APIError.notFound("The endpoint \(word.prefix(64)) was not found.")
    }

    private func workspace(_ context: ServingContext) throws -> String { try context.parameters.require("workspace") }
}
