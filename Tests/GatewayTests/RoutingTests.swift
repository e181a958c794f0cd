import Gateway
import HTTPWire
import Policies
import ResourceModel
import Testing

@Suite struct RoutingTests {
    private func api(
        _ id: String,
        _ path: String,
        _ operations: [(String, String)] = [],
        revision: String = "1",
        isCurrent: Bool = true,
        version: (VersionScheme, String)? = nil
    ) throws -> APIRoute {
        APIRoute(
            resource: id,
            revision: revision,
            isCurrent: isCurrent,
            version: version.map { ($0.0, $0.1) },
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

    private func find(
        _ tree: RouteTree,
        _ path: String,
        query: String = "",
        field: String? = nil
    ) -> (String, Int)? {
        guard let place = Array(path.utf8).withUnsafeBytes({ tree.find($0) }) else { return nil }
        return Array(query.utf8).withUnsafeBytes { query in
            Array((field ?? "").utf8).withUnsafeBytes { value in
                place.entry.find(place.revision, query: query) { _ in field == nil ? nil : value }
                    .map { ($0.resource, place.length) }
            }
        }
    }

    @Test func `revisions are asked for behind the path`() throws {
        let tree = RouteTree([
            try api("a", "deep/echo", revision: "3"),
            try api("a;rev=2", "deep/echo", revision: "2", isCurrent: false),
            try api("b", "", revision: "1"),
        ])
        #expect(find(tree, "/deep/echo/x")?.0 == "a")
        #expect(find(tree, "/deep/Echo;REV=2/x")?.0 == "a;rev=2" && find(tree, "/deep/echo;rev=2/x")?.1 == 16)
        #expect(find(tree, "/deep/echo;rev=3/x")?.0 == "a")
        #expect(find(tree, "/deep/echo;rev=9/x") == nil)
        #expect(find(tree, "/deep;rev=2/echo/x")?.0 == "b")
        #expect(find(tree, "/;rev=1/x")?.1 == 7 && find(tree, "/;rev=4/x") == nil)
        #expect(find(tree, "/deep/echo;x=2/y")?.0 == "b")
    }

    @Test func `versions are asked for by segment, query or field`() throws {
        let query = VersionScheme.query(Array("v".utf8))
        let tree = RouteTree([
            try api("original", "a"), try api("q1", "a", version: (query, "One")),
            try api("q2", "a", version: (query, "2")),
            try api("q2;rev=5", "a", revision: "5", isCurrent: false, version: (query, "2")),
            try api("s1", "b", version: (.segment, "V1")),
            try api("h1", "c", version: (.header(Array("x-v".utf8)), "1")),
        ])
        #expect(find(tree, "/a/x")?.0 == "original")
        #expect(find(tree, "/a/x", query: "z=1&V=oNe")?.0 == "q1" && find(tree, "/a/x", query: "v=2")?.0 == "q2")
        #expect(find(tree, "/a;rev=5/x", query: "v=2")?.0 == "q2;rev=5" && find(tree, "/a/x", query: "v=3") == nil)
        #expect(find(tree, "/b/v1/x")?.0 == "s1" && find(tree, "/b/x") == nil && find(tree, "/b/v2/x") == nil)
        #expect(find(tree, "/c/x", field: "1")?.0 == "h1" && find(tree, "/c/x") == nil)
        #expect(find(tree, "/c/x", field: "2") == nil)
    }

    @Test func `a tree that was changed bit by bit finds what one made at once finds`() throws {
        let places = ["", "a", "a/b", "a/b/c", "b", "b/c"]
        let ids = ["one", "one;rev=2", "two", "two;rev=2", "three", "four", "five"]
        let asked = places.flatMap { ["/\($0)", "/\($0)/x", "/\($0);rev=2/x", "/\($0)/c/d"] }
        var there: [String: APIRoute] = [:]
        var tree = RouteTree([])
        for _ in 0..<2000 {
            let id = try #require(ids.randomElement())
            let isCurrent = !id.contains(";")
            let new =
                Int.random(in: 0..<4) == 0
                ? nil
                : try api(
                    id,
                    try #require(places.randomElement()),
                    revision: isCurrent ? "1" : "2",
                    isCurrent: isCurrent,
                    version: Int.random(in: 0..<4) == 0 ? (.query(Array("v".utf8)), "1") : nil
                )
            tree.replace(there[id], with: new)
            there[id] = new
            let fresh = RouteTree(there.values)
            for path in asked {
                for query in ["", "v=1"] {
                    let (found, expected) = (find(tree, path, query: query), find(fresh, path, query: query))
                    #expect(found?.0 == expected?.0 && found?.1 == expected?.1, "\(path)?\(query) of \(there.keys)")
                }
            }
        }
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
        ("GET", "/compare/Main...next", "", "7"), ("GET", "/compare/main", "", "8"),
        ("GET", "/compare/main...", "", "8"),
        ("GET", "/orders(A=1,b=2)", "", "9"), ("GET", "/orders(a=,b=2)", "", nil),
    ])
    func `operations match by template`(_ method: String, _ path: String, _ query: String, _ expected: String?) throws {
        let table = try api(
            "x",
            "x",
            [
                ("POST", "/w/{w}/s/{s}/execute?api-version={v}&details={d}"), ("GET", "/items/{id}"),
                ("GET", "/items/special"),
                ("GET", "/files/*"), ("GET", "/kind?type=a"), ("GET", "/kind?type=b"), ("GET", "/kind"),
                ("GET", "/compare/{base}...{head}"), ("GET", "/compare/{name}"), ("GET", "/orders(a={a},b={b})"),
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

    @Test(arguments: [
        ("/{one}-{two}", "/1-2-3", ["1", "2-3"]), ("/{one}...{two}", "/a%2Fb...c", ["a/b", "c"]),
        ("/x{one}y{two}z", "/X1Y2Z", ["1", "2"]), ("/{one}--{two}", "/---1", ["-", "1"]),
    ])
    func `parameters of one segment end at the text between them`(
        _ template: String,
        _ path: String,
        _ expected: [String]
    ) throws {
        let table = try api("x", "x", [("GET", template)]).operations
        let found = Array(path.utf8).withUnsafeBytes { path in
            Array("".utf8).withUnsafeBytes { query in table.entries[0].parameters(path: path, query: query) }
        }
        #expect(found.map(\.name) == ["one", "two"] && found.map(\.value) == expected)
    }

    @Test(arguments: ["/{a}{b}", "/{a}-{*b}", "/x{*b}", "/{a}-{", "/a}{b}", "/{}", "/{a}-{}", "/{a}-{A}", "/{*}"])
    func `segments that could not be told apart are refused`(_ template: String) {
        #expect(throws: URLTemplate.ParseError.self) { try URLTemplate(template) }
    }

    @Test(arguments: [
        ("/..", true), ("/a/../b", true), ("/a/./b", true), ("/a/.", true), ("/%2e%2E/a", true), ("/a%2F..%2fb", true),
        ("/a/..;x/b", true),
        ("/..%5Ca", true), ("/.%2e", true), ("/...", false), ("/.well-known/a", false), ("/a..b/c.", false),
        ("/", false), ("", false),
        ("/a;..", false), ("/a/..%", false), ("/%2", false),
    ])
    func `segments of dots are seen however they are written`(_ path: String, _ expected: Bool) {
        #expect(Array(path.utf8).withUnsafeBytes { PercentText.hasDotSegments($0) } == expected)
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
