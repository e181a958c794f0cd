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

    static func filtersOrdersAndCounts(_ store: any ResourceStore) async throws {
        let writes = (0..<10).map {
            put("/groups/g\($0)", ["displayName": .string("It's \($0)"), "n": .int($0 * 7 % 10)])
        }
        _ = try await store.apply(writes + [put("/groups/g1/users/u1", index: ["u1"])])
        var query = ResourceQuery(parent: .service, type: "groups", limit: 4)
        query.filter = try ODataFilter("contains(displayName,'IT''S') and not (name eq 'G3') and n ge 0")
        query.order = .init(field: ["n"], isDescending: true)
        var names: [String] = []
        while true {
            let page = try await store.list(query)
            names += page.map(\.id.name)
            guard let last = page.last, page.count == 4 else { break }
            query.after = .init(value: try await store.orderValue(query, last.id), key: last.id.key)
        }
        #expect(names == ["g7", "g4", "g1", "g8", "g5", "g2", "g9", "g6", "g0"])
        #expect(try await store.count(query) == 9)
        #expect(try await store.count(ResourceQuery(parent: .service, type: "groups", limit: 1)) == 10)
        _ = try await store.apply([ResourceWrite(ResourceID("/groups/g1"), .delete)])
        #expect(try await store.count(ResourceQuery(parent: .service, type: "groups", limit: 1)) == 9)
        #expect(try await store.count(ResourceQuery(parent: ResourceID("/groups/g1"), type: "users", limit: 1)) == 0)
        // Below another parent names begin elsewhere.
        _ = try await store.apply([
            put("/groups/g2/users/Ann", index: ["ann"]), put("/groups/g2/users/bob", index: ["bob"]),
        ])
        var users = ResourceQuery(parent: ResourceID("/groups/G2"), type: "users", limit: 9)
        users.filter = .match(.startsWith, ["name"], "an")
        let found = try await store.list(users)
        #expect(found.map(\.id.name) == ["Ann"])
        #expect(
            try await store.find(type: "groups/users", value: "bob").map(\.id.description) == ["/groups/g2/users/bob"]
        )
        #expect(try await store.tree(ResourceID("/groups/g2")).map(\.id.name) == ["g2", "Ann", "bob"])
    }

    static func tellsWhoChangedWhat(_ store: any ResourceStore) async throws {
        let before = try await store.lastSequence()
        _ = try await ChangeActor.$current.withValue("somebody") { try await store.apply([put("/tags/a")]) }
        _ = try await store.apply([ResourceWrite(ResourceID("/tags/a"), .delete)])
        let entries = try await store.audit(since: before, limit: 10)
        #expect(entries.map(\.actor) == ["somebody", "system"])
        #expect(entries.map(\.change.isDeletion) == [false, true])
        #expect(entries.allSatisfy { $0.time > 1_700_000_000_000 })
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
