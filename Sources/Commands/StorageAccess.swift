import BlobClient
import NIOHTTP1
import ResourceModel

/// A storage account of the server, opened with its key for the time of a command.
struct StorageAccess {
    let connection: ConnectionString
    /// The primary key, base64.
    let key: String
    let connectionString: String
    let blobs: RemoteBlobs

    /// One client for the process: a command makes one connection, not one a call.
    private static let shared = RemoteBlobs(hosts: .any)

    /// - Parameter account: its name; the workspace's only one where there is none.
    static func connect(_ client: ServerClient, account: String?) async throws -> StorageAccess {
        var name = account
        if name == nil {
            name = try await client.json(.GET, client.studio("/storageaccounts")).array?.first?["Name"]?.string
        }
        guard let name else { throw CommandFailure("The workspace has no storage account.") }
        let path = client.studio("/storageaccounts/\(ServerClient.escaped(name))/listKeys")
        let answer = try await client.json(.POST, path)
        let text = answer["connectionString"]?.string ?? ""
        return StorageAccess(
            connection: try ConnectionString(text),
            key: answer["keys"]?.array?.first?["value"]?.string ?? "",
            connectionString: text,
            blobs: shared
        )
    }

    /// Ends the connections; a client must not be dropped while it has some.
    static func close() async { await shared.shutdown() }
}
