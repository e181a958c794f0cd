import BlobClient
import NIOHTTP1
import ResourceModel

/// The guide's example, step by step.
struct GuideExample {
    static let experimentName = "SimpleFeatureHashingExperiment"
    static let apiID = "azureml-demo-api"
    static let apiPath = "azureml-demo"
    /// The guide's five operations.
    static let operations: [(id: String, name: String, method: String, template: String, parameters: [String])] = [
        ("rrs-execute", "RRS Execute", "POST", "/execute?api-version={apiversion}&details={details}", ["details"]),
        ("bes-submit", "BES Submit", "POST", "/jobs?api-version={apiversion}", []),
        ("bes-start", "BES Start", "POST", "/jobs/{jobid}/start?api-version={apiversion}", ["jobid"]),
        ("bes-status", "BES Status", "GET", "/jobs/{jobid}?api-version={apiversion}", ["jobid"]),
        ("bes-delete", "BES Delete", "DELETE", "/jobs/{jobid}?api-version={apiversion}", ["jobid"]),
    ].map { id, name, method, path, parameters in
        (
            id, name, method, "/workspaces/{workspace}/services/{service}" + path,
            ["workspace", "service", "apiversion"] + parameters
        )
    }
    static let requestBody =
        #"{"Inputs": {"input1": {"ColumnNames": ["Col2"], "Values": [["This is a good day"]]}}, "GlobalParameters": {}}"#

    let client: ServerClient

    /// Builds what is missing.
    ///
    /// - Returns: addresses, ids and keys; later versions add members and rename none.
    func build() async throws -> JSONValue {
        let experiment = try await buildExperiment()
        let endpoint = try await publish(experiment)
        try await buildAPI()
        let unlimited = try await key("azureml-demo-unlimited", "AzureML demo, unlimited", product: "unlimited")
        let starter = try await key("azureml-demo-starter", "AzureML demo, starter", product: "starter")
        let installation = client.installation
        var result = JSONObject()
        for name in ["gateway", "portal", "services", "blobs", "workspace"] { result[name] = installation[name] }
        result["service"] = endpoint["EndpointId"]
        result["apiKey"] = endpoint["PrimaryKey"]
        result["apiPath"] = .string(Self.apiPath)
        result["subscriptionKey"] = .string(unlimited)
        result["starterKey"] = .string(starter)
        result["storage"] = try await storage()
        result["managementToken"] = .string(client.token)
        result["management"] = installation["management"]
        result["admin"] = installation["admin"]
        return .object(result)
    }

    /// The container that the guide's batch example reads from and writes to.
    static let container = "guide"

    private func storage() async throws -> JSONValue {
        let account = try await StorageAccess.connect(client, account: nil)
        let location = BlobLocation(account.connection, container: Self.container)
        let made = try await account.blobs.call(.PUT, location, query: [("restype", "container")])
        guard made.status == 201 || made.status == 409 else { throw RemoteBlobs.refusal(made, location) }
        return [
            "account": .string(account.connection.account), "key": .string(account.key),
            "container": .string(Self.container), "connectionString": .string(account.connectionString),
        ]
    }

    /// Path and query of the guide's call at the gateway.
    func target(_ result: JSONValue) -> String {
        "/\(Self.apiPath)/workspaces/\(result["workspace"]?.string ?? "")/services/\(result["service"]?.string ?? "")"
            + "/execute?api-version=2.0&details=true"
    }

    /// Makes the guide's call through the gateway.
    func call(_ result: JSONValue) async throws -> (status: Int, body: String) {
        let answer = try await client.call(
            .POST,
            target(result),
            body: Array(Self.requestBody.utf8),
            headers: [
                ("Ocp-Apim-Subscription-Key", result["subscriptionKey"]?.string ?? ""),
                ("Authorization", "Bearer \(result["apiKey"]?.string ?? "")"),
            ],
            base: result["gateway"]?.string ?? ""
        )
        return (answer.status, String(decoding: answer.bytes, as: UTF8.self))
    }

    // MARK: - Studio

    /// Has the server make its sample, unless it is there already.
    private func buildExperiment() async throws -> String {
        let made = try await client.json(.POST, client.studio("/samples/\(ServerClient.escaped(Self.experimentName))"))
        return made["ExperimentId"]?.string ?? ""
    }

    /// Runs and publishes, unless that was done before.
    private func publish(_ experiment: String) async throws -> JSONValue {
        var service = try await ServiceCommand.all(client).first { $0["ExperimentId"]?.string == experiment }?["Id"]?
            .string
        if service == nil {
            var run = try await client.json(.POST, client.studio("/experiments/\(experiment)/runs"))
            run = try await ExperimentCommand.watch(client, run, showsProgress: false)
            guard run["State"]?.string == "Finished" else {
                throw CommandFailure(run["Error"]?.string ?? "The guide's experiment did not run.")
            }
            service = try await ExperimentCommand.publish(client, experiment, overwriting: false)["WebServiceGroupId"]?
                .string
        }
        return try await client.json(.GET, ServiceCommand.path(client, service ?? "") + "/endpoints/default")
    }

    // MARK: - Management

    private func buildAPI() async throws {
        try await buildIfMissing(
            "/apis/\(Self.apiID)",
            [
                "displayName": "AzureML Demo API", "path": .string(Self.apiPath), "protocols": ["http", "https"],
                "serviceUrl": client.installation["services"] ?? "",
            ]
        )
        for operation in Self.operations {
            let parameters = operation.parameters.map { name -> JSONValue in
                ["name": .string(name), "type": "string", "required": true]
            }
            try await buildIfMissing(
                "/apis/\(Self.apiID)/operations/\(operation.id)",
                [
                    "displayName": .string(operation.name), "method": .string(operation.method),
                    "urlTemplate": .string(operation.template), "templateParameters": .array(parameters),
                    "responses": [["statusCode": 200, "description": "OK"]],
                ]
            )
        }
        for product in ["starter", "unlimited"] {
            try await buildIfMissing("/products/\(product)/apis/\(Self.apiID)", nil)
        }
    }

    /// The primary key of a subscription of the demo's own.
    private func key(_ id: String, _ name: String, product: String) async throws -> String {
        try await buildIfMissing(
            "/subscriptions/\(id)",
            [
                "displayName": .string(name), "scope": .string("/products/\(product)"), "ownerId": "/users/1",
                "state": "active",
            ]
        )
        let keys = try await client.json(.POST, client.arm("/subscriptions/\(id)/listSecrets"))
        return keys["primaryKey"]?.string ?? ""
    }

    private func buildIfMissing(_ path: String, _ properties: JSONValue?) async throws {
        let answer = try await client.call(.HEAD, client.arm(path))
        guard answer.status == 404 else {
            _ = try ServerClient.checked(answer)
            return
        }
        try await client.json(.PUT, client.arm(path), properties.map { ["properties": $0] })
    }
}
