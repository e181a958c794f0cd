import Foundation
import ResourceModel
import Store
import Testing

/// What every store must do, written against the protocol; a store's own suite calls each with a fresh instance.
enum ResourceStoreConformance {
    static func put(_ id: String, _ properties: JSONObject = [:], index: [String?] = []) -> ResourceWrite {
        ResourceWrite(ResourceID(id), .put(properties: properties, index: index, secrets: []))
    }

    static func keepsWhatWasPut(_ store: any ResourceStore) async throws {
        let made = try await store.apply([put("/apis/Echo", ["b": 1, "a": ["x": nil]])])
        let found = try await store.get(ResourceID("/APIS/echo"))
        #expect(found == made.first)
        #expect(found?.id.name == "Echo")
        #expect(found?.properties.names == ["b", "a"])
    }

    static func honoursConditions(_ store: any ResourceStore) async throws {
        let etag = try #require(try await store.apply([put("/apis/a")]).first?.etag)
        var write = put("/apis/a", ["n": 2])
        write.condition = .absent
        await #expect(throws: StoreError.alreadyExists(ResourceID("/apis/a"))) { try await store.apply([write]) }
        write.condition = .etag("other")
        await #expect(throws: StoreError.etagMismatch(ResourceID("/apis/a"))) { try await store.apply([write]) }
        write.condition = .etag(etag)
        let next = try #require(try await store.apply([write]).first?.etag)
        #expect(next != etag)
        await #expect(throws: StoreError.etagMismatch(ResourceID("/apis/a"))) { try await store.apply([write]) }
        var missing = put("/apis/b")
        missing.condition = .exists
        await #expect(throws: StoreError.notFound(ResourceID("/apis/b"))) { try await store.apply([missing]) }
    }

    static func appliesAllOrNothing(_ store: any ResourceStore) async throws {
        var second = put("/apis/two")
        second.condition = .exists
        await #expect(throws: StoreError.self) { try await store.apply([put("/apis/one"), second]) }
        #expect(try await store.get(ResourceID("/apis/one")) == nil)
    }

    static func checksRequirements(_ store: any ResourceStore) async throws {
        _ = try await store.apply([put("/apis/a", index: ["same"])])
        var clash = put("/apis/b", index: ["same"])
        clash.requirements = [.unique(type: "apis", column: 0, value: "same", field: "path")]
        await #expect(throws: StoreError.notUnique(field: "path", value: "same")) { try await store.apply([clash]) }
        clash.requirements = [.unique(type: "APIs", column: 0, value: "same", field: "path")]
        await #expect(throws: StoreError.notUnique(field: "path", value: "same")) { try await store.apply([clash]) }
        var orphan = put("/products/p/apis/none")
        orphan.requirements = [.exists(ResourceID("/apis/none"))]
        await #expect(throws: StoreError.missingReference(ResourceID("/apis/none"))) { try await store.apply([orphan]) }
    }

    static func pagesByKey(_ store: any ResourceStore) async throws {
        _ = try await store.apply((0..<25).map { put("/apis/n\($0 + 10)") } + [put("/products/p")])
        var query = ResourceQuery(parent: .service, type: "apis", limit: 10)
        var names: [String] = []
        while true {
            let page = try await store.list(query)
            names += page.map(\.id.name)
            guard let last = page.last, page.count == 10 else { break }
            query.after = ResourceQuery.Place(value: "", key: last.id.key)
        }
        #expect(names == (0..<25).map { "n\($0 + 10)" })
        #expect(try await store.count(query) == 25)
    }

    static func deletesChildrenAndTellsChanges(_ store: any ResourceStore) async throws {
        _ = try await store.apply([put("/apis/a"), put("/apis/a/operations/x"), put("/apis/ab")])
        let before = try await store.lastSequence()
        _ = try await store.apply([ResourceWrite(ResourceID("/apis/a"), .delete)])
        let changes = try await store.changes(since: before, limit: 10)
        #expect(changes.map(\.id.description) == ["/apis/a/operations/x", "/apis/a"])
        #expect(changes.filter(\.isDeletion).count == 2)
        #expect(changes.map(\.sequence) == changes.map(\.sequence).sorted())
        #expect(try await store.get(ResourceID("/apis/ab")) != nil)
        #expect(try await store.get(ResourceID("/apis/a/operations/x")) == nil)
    }

    static func keepsSecretsApart(_ store: any ResourceStore, _ box: SecretBox) async throws {
        let id = ResourceID("/subscriptions/s")
        let secret = try box.secret("the key", key: id.key, slot: "primaryKey", isKey: true)
        _ = try await store.apply([ResourceWrite(id, .put(properties: [:], index: [nil, "/"], secrets: [secret]))])
        let sealed = try #require(try await store.secrets(id)["primaryKey"])
        #expect(!String(decoding: sealed, as: UTF8.self).contains("the key"))
        #expect(try box.open(sealed, key: id.key, slot: "primaryKey") == "the key")
        #expect(throws: (any Error).self) { try box.open(sealed, key: "/subscriptions/t", slot: "primaryKey") }
        #expect(try await store.keyHashes(type: "subscriptions").map(\.hash) == [box.hash("the key")])
        #expect(try await store.index(type: "subscriptions").first?.columns[1] == "/")
        // A write without secrets leaves them.
        _ = try await store.apply([ResourceWrite(id, .put(properties: ["a": 1], index: [], secrets: []))])
        #expect(try await store.secrets(id).count == 1)
        _ = try await store.apply([ResourceWrite(id, .delete)])
        #expect(try await store.keyHashes(type: "subscriptions").isEmpty)
    }

    static func letsOneWriterWin(_ store: any ResourceStore) async throws {
        let etag = try #require(try await store.apply([put("/apis/race")]).first?.etag)
        let wins = await withTaskGroup(of: Bool.self) { group in
            for writer in 0..<50 {
                group.addTask {
                    var write = put("/apis/race", ["writer": .int(writer)])
                    write.condition = .etag(etag)
                    return (try? await store.apply([write])) != nil
                }
            }
            return await group.reduce(0) { $0 + ($1 ? 1 : 0) }
        }
        #expect(wins == 1)
    }
}
