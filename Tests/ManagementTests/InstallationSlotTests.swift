import Foundation
import Management
import ResourceModel
import Store
import Testing

@Suite struct InstallationSlotTests {
    private static func store() async throws -> SQLiteResourceStore {
        let path = FileManager.default.temporaryDirectory.path + "/slot-\(Identifier.hex32()).sqlite"
        let store = try SQLiteResourceStore(path: path)
        let installation = Installation(
            subscriptionID: Identifier.guid(),
            resourceGroup: "gatehouse",
            serviceName: "gatehouse",
            organization: "gatehouse",
            adminEmail: "admin@gatehouse.local",
            createdAt: "2026-01-01T00:00:00Z"
        )
        var properties = installation.properties
        properties["tags"] = ["kept": "yes"]
        _ = try await store.apply([
            ResourceWrite(.service, .put(properties: properties, index: [], secrets: []), condition: .absent)
        ])
        return store
    }

    @Test func `a new name is shown at once, and by the next start`() async throws {
        let store = try await Self.store()
        let slot = try #require(try await InstallationSlot(store))
        try await slot.rename(name: "books", organization: "Books & Co", email: "ada@example.org")
        for shown in [slot.current, try #require(try await InstallationSlot(store)).current] {
            #expect(shown.serviceName == "books")
            #expect(shown.organization == "Books & Co")
            #expect(shown.adminEmail == "ada@example.org")
            #expect(shown.root.hasSuffix("/service/books"))
        }
        #expect(try await store.get(.service)?.properties["tags"] == ["kept": "yes"])
    }

    @Test func `words that break a rule change nothing, and each is named`() async throws {
        let slot = try #require(try await InstallationSlot(try await Self.store()))
        let error = await #expect(throws: APIError.self) {
            try await slot.rename(name: "1 st", organization: "", email: "nobody")
        }
        #expect(error?.details.map(\.target) == ["name", "organization", "email"])
        #expect(slot.current.serviceName == "gatehouse")
    }

    @Test func `an empty store holds no installation`() async throws {
        let path = FileManager.default.temporaryDirectory.path + "/slot-\(Identifier.hex32()).sqlite"
        #expect(try await InstallationSlot(try SQLiteResourceStore(path: path)) == nil)
    }
}
