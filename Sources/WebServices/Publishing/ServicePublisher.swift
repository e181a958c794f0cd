package import Blobs
import DataTables
import Foundation
package import ResourceModel
package import Store
package import StudioModules

/// Makes services of publications, keeps them, and brings them to the registry.
package struct ServicePublisher: Sendable {
    package struct Published: Sendable {
        package let serviceID: String
        package let endpointID: String
    }

    /// Calls of an endpoint side by side, by default and at most.
    package static let concurrentCallsDefault = 20
    package static let concurrentCallsMax = 200

    let store: any ResourceStore
    private let content: ContentStore
    private let box: SecretBox
    package let registry: ServiceRegistry

    package init(store: any ResourceStore, content: ContentStore, box: SecretBox, registry: ServiceRegistry) {
        self.store = store
        self.content = content
        self.box = box
        self.registry = registry
    }

    package static func services(_ workspace: String) -> ResourceID { ResourceID(["workspaces", workspace]) }

    package static func service(_ workspace: String, _ id: String) -> ResourceID {
        services(workspace).child("webservices", id)
    }

    /// The service that was published from an experiment.
    package func serviceID(of experiment: String, in workspace: String) async throws -> String? {
        var query = ResourceQuery(parent: Self.services(workspace), type: "webservices", limit: 1)
        query.matches = [(1, experiment)]
        return try await store.list(query).first?.id.name
    }

    /// Publishes, or with a service id overwrites: its endpoints keep their ids and keys.
    package func publish(
        _ publication: ScoringPlan.Publication,
        name: String,
        experiment: String,
        workspace: String,
        over serviceID: String?
    ) async throws -> Published {
        for input in publication.inputs where input.schema.columnCount > ServiceDefinition.inputColumnsMax {
            throw APIError.badRequest(
                "The input \"\(input.name)\" has \(input.schema.columnCount) columns; "
                    + "\(ServiceDefinition.inputColumnsMax) are the most."
            )
        }
        var frozen: [JSONValue] = []
        for value in publication.frozen {
            frozen.append(.string(try await content.write(PortValueCodec.encode(value))))
        }
        let id = Self.service(workspace, serviceID ?? Identifier.hex32())
        let before = try await store.get(id)
        let now = Date().formatted(.iso8601)
        let properties: JSONObject = [
            "Name": .string(name), "Description": before?.properties["Description"] ?? "",
            "CreationTime": before?.properties["CreationTime"] ?? .string(now), "PublishedTime": .string(now),
            "ExperimentId": .string(experiment), "definition": publication.definition, "frozen": .array(frozen),
            "inputs": Self.ports(publication.inputs), "outputs": Self.ports(publication.outputs),
        ]
        var writes = [
            ResourceWrite(id, .put(properties: properties, index: [name.lowercased(), experiment], secrets: []))
        ]
        let endpoint = id.child("endpoints", "default")
        let endpointID: String
        if let known = try await store.get(endpoint)?.properties["EndpointId"]?.string {
            endpointID = known
        } else {
            endpointID = Identifier.hex32()
            writes.append(try endpointWrite(endpoint, endpointID, ["Description": ""]))
        }
        try await apply(writes)
        try await load(id)
        return Published(serviceID: id.name, endpointID: endpointID)
    }

    /// Puts an endpoint: a new one gets its id and its keys.
    package func putEndpoint(_ id: ResourceID, _ settings: JSONObject) async throws {
        let before = try await store.get(id)
        if let endpointID = before?.properties["EndpointId"]?.string {
            var properties = settings
            properties["EndpointId"] = .string(endpointID)
            properties["CreationTime"] = before?.properties["CreationTime"]
            try await apply([ResourceWrite(id, .put(properties: properties, index: [endpointID], secrets: []))])
        } else {
            var write = try endpointWrite(id, Identifier.hex32(), settings)
            write.requirements = [.exists(id.parent)]
            try await apply([write])
        }
        try await load(id.parent)
    }

    package func delete(_ id: ResourceID) async throws {
        let endpoints = try await endpointIDs(id)
        try await apply([ResourceWrite(id, .delete, condition: .exists)])
        registry.update { known in for endpoint in endpoints { known[endpoint] = nil } }
    }

    /// The two keys of an endpoint in plain text.
    package func keys(_ endpoint: ResourceID) async throws -> (primary: String, secondary: String) {
        let secrets = try await store.secrets(endpoint)
        guard let primary = secrets["primaryKey"], let secondary = secrets["secondaryKey"] else {
            throw APIError.notFound("The endpoint \(endpoint.name) was not found.")
        }
        return (
            try box.open(primary, key: endpoint.key, slot: "primaryKey"),
            try box.open(secondary, key: endpoint.key, slot: "secondaryKey")
        )
    }

    /// Brings every service of the store to the registry.
    package func loadAll() async throws {
        for entry in try await store.index(type: "workspaces/webservices") { try await load(entry.id) }
    }

    /// Brings one service's endpoints to the registry.
    package func load(_ id: ResourceID) async throws {
        guard let resource = try await store.get(id) else { return }
        let definition = try await definition(resource)
        var loaded: [ScoringEndpoint] = []
        for endpoint in try await store.list(ResourceQuery(parent: id, type: "endpoints", limit: 10_000)) {
            guard let endpointID = endpoint.properties["EndpointId"]?.string else { continue }
            loaded.append(
                ScoringEndpoint(
                    id: endpointID,
                    name: endpoint.id.name,
                    definition: definition,
                    maxConcurrentCalls: endpoint.properties["MaxConcurrentCalls"]?.int ?? Self.concurrentCallsDefault,
                    keyHashes: try await store.keyHashes(endpoint.id).map(\.hash)
                )
            )
        }
        let ready = loaded
        registry.update { known in for endpoint in ready { known[endpoint.id] = endpoint } }
    }

    // MARK: - Inside

    private func endpointIDs(_ id: ResourceID) async throws -> [String] {
        if let own = try await store.get(id)?.properties["EndpointId"]?.string { return [own] }
        return try await store.list(ResourceQuery(parent: id, type: "endpoints", limit: 10_000))
            .compactMap { $0.properties["EndpointId"]?.string }
    }

    private func definition(_ resource: Resource) async throws -> ServiceDefinition {
        let properties = resource.properties
        var frozen: [PortValue] = []
        for name in (properties["frozen"]?.array ?? []).compactMap(\.string) {
            frozen.append(try PortValueCodec.decode(try await content.load(name)))
        }
        let inputs = (properties["inputs"]?.array ?? []).map { port -> ServiceDefinition.Port in
            var columns: [ColumnSchema] = []
            TableSchema(json: port["schema"] ?? .null).forEachColumn(limit: ServiceDefinition.inputColumnsMax) {
                columns.append($0)
            }
            return ServiceDefinition.Port(name: port["name"]?.string ?? "", columns: columns)
        }
        return ServiceDefinition(
            workspace: resource.id.segments[1].lowercased(),
            serviceID: resource.id.name,
            name: properties["Name"]?.string ?? resource.id.name,
            description: properties["Description"]?.string ?? "",
            plan: try ScoringPlan(definition: properties["definition"] ?? .null, frozen: frozen),
            inputs: inputs,
            outputs: (properties["outputs"]?.array ?? []).map {
                ($0["name"]?.string ?? "", TableSchema(json: $0["schema"] ?? .null))
            }
        )
    }

    private func endpointWrite(_ id: ResourceID, _ endpointID: String, _ settings: JSONObject) throws -> ResourceWrite {
        var properties = settings
        properties["EndpointId"] = .string(endpointID)
        properties["CreationTime"] = .string(Date().formatted(.iso8601))
        let secrets = try ["primaryKey", "secondaryKey"].map { slot in
            let key = Data(Identifier.randomBytes(64)).base64EncodedString()
            return try box.secret(key, key: id.key, slot: slot, isKey: true)
        }
        return ResourceWrite(id, .put(properties: properties, index: [endpointID], secrets: secrets))
    }

    private func apply(_ writes: [ResourceWrite]) async throws {
        do { _ = try await store.apply(writes) } catch StoreError.notFound(let id), StoreError.missingReference(let id)
        {
            throw APIError.notFound("\(id.name) was not found.")
        }
    }

    private static func ports(_ ports: [(name: String, schema: TableSchema)]) -> JSONValue {
        .array(ports.map { ["name": .string($0.name), "schema": $0.schema.json] })
    }
}
