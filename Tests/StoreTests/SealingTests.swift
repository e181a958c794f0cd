import Foundation
import ResourceModel
import Store
import Testing

@Suite struct SealingTests {
    private static let members = ["policies": Set(["value"]), "apis/policies": Set(["value"])]
    private static let secret = "s3cret-in-a-policy"
    private let box = SecretBox(masterKey: [UInt8](repeating: 7, count: 32))
    private let id = ResourceID("/policies/policy")
    private let properties: JSONObject = ["format": "xml", "value": .string("<a b=\"\(secret)\" />")]

    private func withFile(_ body: (String) async throws -> Void) async throws {
        let path = FileManager.default.temporaryDirectory.path + "/gatehouse-\(UUID().uuidString).sqlite"
        defer { for end in ["", "-wal", "-shm"] { try? FileManager.default.removeItem(atPath: path + end) } }
        try await body(path)
    }

    /// Whether the file or its log holds a text.
    private func holds(_ path: String, _ text: String = secret) -> Bool {
        ["", "-wal"].contains { end in
            FileManager.default.contents(atPath: path + end)?.range(of: Data(text.utf8)) != nil
        }
    }

    private func put(_ store: some ResourceStore, _ id: ResourceID) async throws -> Resource? {
        try await store.apply([ResourceWrite(id, .put(properties: properties, index: [], secrets: []))]).first
    }

    @Test func `a sealed property is plain to its readers only`() async throws {
        try await withFile { path in
            let store = try SQLiteResourceStore(path: path, sealedMembers: Self.members).sealing(by: box)
            #expect(try await put(store, id)?.properties == properties)
            #expect(try await store.get(id)?.properties == properties)
            #expect(try await store.tree(id).map(\.properties) == [properties])
            #expect(
                try await store.list(ResourceQuery(parent: .service, type: "policies", limit: 9)).map(\.properties) == [
                    properties
                ]
            )
            #expect(try await store.documents(types: ["policies"]).map(\.resource.properties) == [properties])
            #expect(try await store.copy().get(id)?.properties == properties)
            #expect(!holds(path) && holds(path, "format"))
            // Of another type, or moved to where it does not belong, it is another's.
            let other = ResourceID("/products/a")
            _ = try await put(store, other)
            #expect(holds(path))
            try store.file.close()
        }
    }

    @Test func `what was plain is sealed once, and the file written anew`() async throws {
        try await withFile { path in
            let plain = try SQLiteResourceStore(path: path, sealedMembers: Self.members)
            for number in 0..<20 { _ = try await put(plain, ResourceID("/apis/a\(number)/policies/policy")) }
            _ = try await put(plain, id)
            #expect(holds(path))
            let store = plain.sealing(by: box)
            #expect(try await store.get(id)?.properties == properties)
            #expect(try await store.sealDocuments() == 21)
            #expect(!holds(path))
            #expect(try await store.sealDocuments() == 0)
            #expect(try await store.get(id)?.properties == properties)
            try store.file.close()
        }
    }

    @Test func `a rotation seals documents anew`() async throws {
        try await withFile { path in
            let bare = try SQLiteResourceStore(path: path, sealedMembers: Self.members)
            _ = try await put(bare.sealing(by: box), id)
            let next = SecretBox(masterKey: [UInt8](repeating: 8, count: 32))
            #expect(try await bare.reseal(from: box, to: next) == 1)
            // Once more, as after a rotation that was cut off.
            #expect(try await bare.reseal(from: box, to: next) == 1)
            #expect(try await bare.sealing(by: next).get(id)?.properties == properties)
            await #expect(throws: StoreError.unreadable(id)) { try await bare.sealing(by: box).get(id) }
            #expect(!holds(path))
            try bare.file.close()
        }
    }
}
