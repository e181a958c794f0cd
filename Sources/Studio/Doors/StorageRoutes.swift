package import Blobs
package import HTTPServing
import HTTPTypes
package import Hummingbird
import ResourceModel
import Store

/// The storage account of a workspace on the portal door: its address and its keys.
package struct StorageRoutes: Sendable {
    private let workspace: Workspace
    private let accounts: StorageAccounts
    private let blobsURL: @Sendable () -> String

    /// - Parameter blobsURL: address of the blobs door, without a closing slash.
    package init(
        workspace: Workspace,
        accounts: StorageAccounts,
        blobsURL: @Sendable @escaping () -> String
    ) {
        self.workspace = workspace
        self.accounts = accounts
        self.blobsURL = blobsURL
    }

    package func addRoutes(to router: Router<ServingContext>) {
        let group = router.group("/api/workspaces/:workspace/storageaccounts")
            .add(middleware: AccessMiddleware(.workspace))
            .add(middleware: WorkspaceMiddleware(workspace.id))
        group.get { _, _ -> Response in
            .json(.array(try await accounts.list(workspace.resource).map(document)))
        }
        group.get(":name") { _, context -> Response in
            .json(document(try await account(context)))
        }
        group.post(":name/listKeys") { _, context -> Response in
            try await keys(try await account(context))
        }
        group.post(":name/regenerateKey") { request, context -> Response in
            let account = try await account(context)
            let word = try await request.jsonObject()["keyName"]?.string
            let number = ["key1": 1, "key2": 2][word?.lowercased() ?? ""] ?? 0
            try await accounts.regenerate(account, key: number)
            return try await keys(account)
        }
    }

    private func account(_ context: ServingContext) async throws -> Resource {
        try await accounts.get(workspace.resource, try context.parameters.require("name"))
    }

    private func document(_ account: Resource) -> JSONValue {
        [
            "Name": .string(account.id.name), "BlobEndpoint": .string("\(blobsURL())/\(account.id.name)"),
            "CreatedDate": account.properties["CreatedDate"] ?? .null,
        ]
    }

    private func keys(_ account: Resource) async throws -> Response {
        let keys = try await accounts.keys(account)
        let endpoint = "\(blobsURL())/\(account.id.name)"
        let scheme = endpoint.hasPrefix("https") ? "https" : "http"
        return .json([
            "keys": .array(keys.enumerated().map { ["keyName": .string("key\($0 + 1)"), "value": .string($1)] }),
            "connectionString": .string(
                "DefaultEndpointsProtocol=\(scheme);AccountName=\(account.id.name);AccountKey=\(keys[0]);BlobEndpoint=\(endpoint);"
            ),
        ])
    }
}
