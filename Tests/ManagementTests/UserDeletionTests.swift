import Foundation
import Management
import ResourceModel
import Store
import Testing

/// Users who are deleted while others change the workspace.
@Suite struct UserDeletionTests {
    private static let workspace = ResourceID(["workspaces", "w"])

    private static func service() async throws -> (service: ResourceService, store: SQLiteResourceStore) {
        let path = FileManager.default.temporaryDirectory.path + "/users-\(Identifier.hex32()).sqlite"
        let store = try SQLiteResourceStore(path: path)
        let installation = Installation(
            subscriptionID: Identifier.guid(),
            resourceGroup: "gatehouse",
            serviceName: "gatehouse",
            organization: "gatehouse",
            adminEmail: "admin@gatehouse.local",
            createdAt: "2026-01-01T00:00:00Z"
        )
        _ = try await store.apply([
            ResourceWrite(.service, .put(properties: installation.properties, index: [], secrets: [])),
            ResourceWrite(workspace, .put(properties: [:], index: [], secrets: [])),
        ])
        let service = ResourceService(
            store: store,
            box: SecretBox(masterKey: Array(repeating: 7, count: 32)),
            installation: try #require(try await InstallationSlot(store)),
            servicesURL: { "" },
            portalURL: { "" },
            fetch: { _, _ throws(APIError) in throw .inside },
            readCertificate: { _, _ in throw APIError.inside },
            hashPassword: { password throws(APIError) in password },
            afterCommit: { _, _ in }
        )
        return (service, store)
    }

    private static func user(_ name: String) -> ResourceWrite {
        ResourceWrite(
            ResourceID(["users", name]),
            .put(properties: ["email": .string("\(name)@example.com")], index: [], secrets: [])
        )
    }

    @Test func `nobody becomes a member beside the own deletion`() async throws {
        let (service, store) = try await Self.service()
        for _ in 0..<50 {
            _ = try await store.apply([Self.user("ada")])
            async let deletion: ()? = try? service.delete(.user, ResourceID(["users", "ada"]), ifMatch: "*")
            async let addition = try? store.apply([WorkspaceMembership.write("ada", .user, in: Self.workspace)])
            _ = await (deletion, addition)
            #expect(try await !service.exists(ResourceID(["users", "ada"])))
            #expect(try await store.index(type: WorkspaceMembership.type).isEmpty)
        }
    }

    @Test func `another etag is refused, the right one deletes`() async throws {
        let (service, store) = try await Self.service()
        let user = try #require(try await store.apply([Self.user("ada")]).first)
        let error = await #expect(throws: APIError.self) {
            try await service.delete(.user, user.id, ifMatch: "\"another\"")
        }
        #expect(error?.status == 412)
        try await service.delete(.user, user.id, ifMatch: user.etag)
        #expect(try await !service.exists(user.id))
    }
}
