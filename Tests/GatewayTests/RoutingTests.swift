import HTTPWire
import Policies
import ResourceModel
import Testing

@testable import Gateway

@Suite struct RoutingTests {
    private func api(_ id: String, _ path: String, _ operations: [(String, String)] = []) throws -> APIRoute {
        APIRoute(
            id: id,
            path: path,
            backend: .local(pathPrefix: ""),
            protocols: ["http"],
            requiresKey: true,
            keyHeader: "Ocp-Apim-Subscription-Key",
            keyQuery: "subscription-key",
            facts: PolicyFacts.API(id: id, name: id, path: path),
            operations: try operations.enumerated().map { place, item in
                APIOperation(
                    facts: PolicyFacts.Operation(id: "\(place)", name: "", method: item.0, urlTemplate: item.1),
                    template: try URLTemplate(item.1)
                )
            }
        )
    }

    private func find(_ tree: RouteTree, _ path: String) -> (String, Int)? {
        Array(path.utf8).withUnsafeBytes { tree.find($0) }.map { ($0.api.id, $0.length) }
    }

    @Test func `the longest path wins, without case`() throws {
        let tree = RouteTree([try api("a", "echo"), try api("b", "echo/deep")])
        #expect(find(tree, "/Echo/x")?.0 == "a")
        #expect(find(tree, "/echo/DEEP/x")?.0 == "b")
        #expect(find(tree, "/echo/deep/x")?.1 == 10)
        #expect(find(tree, "/ech%6f/x")?.0 == "a")
        #expect(find(tree, "/echoes") == nil)
        #expect(find(tree, "/") == nil)
        #expect(find(RouteTree([try api("root", "")]), "/any")?.1 == 0)
    }

    @Test(arguments: [
        ("POST", "/w/1/s/2/execute", "api-version=2.0&details=true", "0"),
        ("POST", "/w/1/s/2/EXECUTE/", "Details=x&more=1&API-Version=", "0"),
        ("POST", "/w/1/s/2/execute", "api-version=2.0", nil),
        ("GET", "/w/1/s/2/execute", "api-version=2.0&details=true", nil),
        ("POST", "/w/1%2F2/s/2/execute", "api-version=2.0&details=true", "0"),
        ("POST", "/w/1/2/s/2/execute", "api-version=2.0&details=true", nil),
        ("GET", "/items/special", "", "2"), ("GET", "/items/7", "", "1"), ("GET", "/files/a/b/c", "", "3"),
        ("GET", "/kind", "type=b", "5"), ("GET", "/kind", "type=a", "4"), ("GET", "/kind", "", "6"),
        ("GET", "/none", "", nil),
    ])
    func `operations match by template`(_ method: String, _ path: String, _ query: String, _ expected: String?) throws {
        let table = try api(
            "x",
            "x",
            [
                ("POST", "/w/{w}/s/{s}/execute?api-version={v}&details={d}"), ("GET", "/items/{id}"),
                ("GET", "/items/special"),
                ("GET", "/files/*"), ("GET", "/kind?type=a"), ("GET", "/kind?type=b"), ("GET", "/kind"),
            ]
        ).operations
        let found = Array(method.utf8).withUnsafeBytes { method in
            Array(path.utf8).withUnsafeBytes { path in
                Array(query.utf8).withUnsafeBytes { query in table.match(method: method, path: path, query: query)?.id }
            }
        }
        #expect(found == expected)
    }

    @Test func `parameters of a template are taken out, decoded`() throws {
        let table = try api("x", "x", [("GET", "/a/{one}/v{two}.json/{*rest}?q={three}")]).operations
        let found = Array("/a/x%2Fy/v2.json/b/c%20d".utf8).withUnsafeBytes { path in
            Array("z=1&Q=a+b%21".utf8).withUnsafeBytes { query in table.entries[0].parameters(path: path, query: query)
            }
        }
        #expect(found.map(\.name) == ["one", "two", "rest", "three"])
        #expect(found.map(\.value) == ["x/y", "2", "b/c d", "a b!"])
    }

    @Test func `scopes cover what they say`() {
        let snapshot = GatewaySnapshot(
            sequence: 1,
            routes: RouteTree([]),
            keys: KeyShards(),
            productAPIs: ["starter": ["a"]],
            openProducts: []
        )
        let covers = { (scope: SubscriptionEntry.Scope, api: String) in
            snapshot.covers(SubscriptionEntry(id: "s", scope: scope, isActive: true), api: api)
        }
        #expect(covers(.product("starter"), "a") && !covers(.product("starter"), "b"))
        #expect(covers(.api("b"), "b") && !covers(.api("b"), "a"))
        #expect(covers(.allAPIs, "a") && covers(.service, "z"))
    }

    @Test func `keys are found in their shard and go when they are taken out`() throws {
        var keys = KeyShards()
        let digest = try #require(KeyDigest([UInt8](repeating: 9, count: 32)))
        keys[digest] = SubscriptionEntry(id: "s", scope: .allAPIs, isActive: true)
        #expect(keys[digest]?.id == "s")
        keys[digest] = nil
        #expect(keys[digest] == nil)
        #expect(KeyDigest([1, 2, 3]) == nil)
    }
}
