import Assembly
import HTTPServing
import HTTPTypes
import Hummingbird
import Management
import ResourceModel
import Studio
import Testing

/// Who may ask which route of the portal: one table, made of the routes that there are.
@Suite struct PortalRoutesTests {
    /// The answers for each of `askers`, in their order: `-` where the route itself is asked.
    private enum Line: String {
        case everyone = "- - - - - - - -"
        case members = "401 401 403 - - - - -"
        /// Whoever is signed in: tokens are nobody's pages.
        case persons = "401 401 - - - - 401 401"
        case owners = "401 401 403 403 - - - 401"
        case administrators = "401 401 403 403 403 - - 401"
        /// Whoever signs by a key of the direct API; none of the askers does.
        case signers = "401 401 401 401 401 401 401 401"
        /// Whoever has a link that was signed; none of the askers has one.
        case links = "403 403 403 403 403 403 403 403"
    }

    private static let askers = [
        "nobody", "a wrong token", "a developer", "a member", "an owner", "an administrator", "the management token",
        "a workspace token",
    ]

    private static let table: [String: Line] = {
        let management = ["GET", "HEAD", "PUT", "PATCH", "DELETE", "POST"]
        var table: [String: Line] = [
            "GET /health/live": .everyone, "GET /health/ready": .everyone, "GET /metrics": .everyone,
            // Whoever knows the id of a trace may read it.
            "GET /traces/{id}": .everyone, "GET /api/exports/{file}": .links,
            "GET /api/installation": .administrators, "GET /api/types": .administrators,
            "GET /api/openapi.json": .administrators, "GET /api/changes": .administrators,
            "GET /api/configuration": .administrators, "POST /api/configuration": .administrators,
            "POST /api/people/sign-in-links": .administrators, "POST /api/people/invitations": .administrators,
            "POST /api/people/password-resets": .administrators,
        ]
        for method in management {
            table["\(method) /subscriptions/**"] = .administrators
            table["\(method) /direct/**"] = .signers
        }
        let studio = [
            "GET modules", "GET datasets", "POST datasets", "POST datasets/import", "POST datasets/{id}/export",
            "GET datasets/{id}", "GET datasets/{id}/content", "DELETE datasets/{id}", "GET experiments",
            "POST experiments", "GET experiments/{id}", "PUT experiments/{id}", "DELETE experiments/{id}",
            "POST experiments/{id}/webservice", "GET experiments/{id}/outputdata/{node}/{port}",
            "POST experiments/{id}/runs", "GET experiments/{id}/runs", "GET experiments/{id}/runs/{run}",
            "DELETE experiments/{id}/runs/{run}", "GET jobs", "GET jobs/{job}", "DELETE jobs/{job}",
            "GET storageaccounts", "GET storageaccounts/{name}", "POST storageaccounts/{name}/listKeys",
            "POST storageaccounts/{name}/regenerateKey", "POST samples/{name}",
        ]
        let services = [
            "GET", "GET /{service}", "PUT /{service}", "DELETE /{service}", "GET /{service}/endpoints",
            "GET /{service}/endpoints/{endpoint}", "PUT /{service}/endpoints/{endpoint}",
            "PATCH /{service}/endpoints/{endpoint}", "DELETE /{service}/endpoints/{endpoint}",
            "POST /{service}/endpoints/{endpoint}/refresh",
        ]
        for route in studio {
            let words = route.split(separator: " ")
            table["\(words[0]) /api/workspaces/{workspace}/\(words[1])"] = .members
        }
        for route in services {
            let words = route.split(separator: " ")
            table["\(words[0]) /workspaces/{workspace}/webservices\(words.dropFirst().first ?? "")"] = .members
        }
        table["GET /workspaces/{workspace}/webservices/{service}/endpoints/{endpoint}/apidocument"] = .everyone
        table.merge(pages) { $1 }
        return table
    }()

    /// Pages are for GET and HEAD alike.
    private static let pages: [String: Line] = {
        var table: [String: Line] = ["GET /assets/{hash}/**": .everyone, "POST /preferences": .everyone]
        let read: [(String, Line)] = [
            ("/", .everyone), ("/welcome", .persons), ("/studio", .members), ("/studio/settings", .members),
            ("/publisher", .administrators), ("/parts", .administrators), ("/setup", .everyone), ("/signin", .everyone),
            ("/signin/invite", .everyone), ("/signin/reset", .everyone), ("/signin/again", .persons),
            ("/account", .persons),
        ]
        table["GET /signin/link"] = .everyone
        table["POST /welcome/sample"] = .members
        for form in ["setup", "signin", "signin/invite", "signin/reset", "signout"] {
            table["POST /\(form)"] = .everyone
        }
        for form in [
            "signin/again", "account/name", "account/password", "account/sessions/end-others",
            "account/sessions/{id}/end",
        ] { table["POST /\(form)"] = .persons }
        for form in ["name", "token", "members", "members/{name}/role", "members/{name}/remove"] {
            table["POST /studio/settings/\(form)"] = .owners
        }
        for (path, line) in read {
            table["GET \(path)"] = line
            table["HEAD \(path)"] = line
        }
        return table
    }()

    @Test func `every route answers as its line of the table says`() async throws {
        try await PortalFixture.with { portal async throws in
            var known: Set<String> = []
            for route in portal.router.routes {
                let name = route.description
                known.insert(name)
                guard let line = Self.table[name] else {
                    Issue.record("The route \(name) is new: it needs a line in the table.")
                    continue
                }
                let found = try await Self.answers(portal, route)
                #expect(found == line.rawValue, "\(name), for \(Self.askers.joined(separator: ", "))")
            }
            #expect(Set(Self.table.keys).subtracting(known) == [], "lines of routes that are gone")
        }
    }

    private static func answers(
        _ portal: PortalFixture,
        _ route: Router<ServingContext>.RouteDescription
    ) async throws -> String {
        let tokens = [portal.opened.managementToken, portal.opened.workspaceTokens[1]].map(PortalFixture.bearer)
        let asked: [(Caller, HTTPFields)] = [
            (.nobody, [:]), (.nobody, PortalFixture.bearer("none")),
            (PortalFixture.person([.developer]), [:]), (PortalFixture.person([.developer, .workspaceUser]), [:]),
            (PortalFixture.person([.workspaceOwner]), [:]), (PortalFixture.person([.administrator]), [:]),
            (.nobody, tokens[0]), (.nobody, tokens[1]),
        ]
        var answers: [String] = []
        for (caller, fields) in asked {
            let response = try await portal.ask(route.method, path(portal, route), as: caller, fields)
            let status = response.status.code
            answers.append(status == 401 || status == 403 ? "\(status)" : "-")
        }
        return answers.joined(separator: " ")
    }

    /// A path that means the route, of things that are not there.
    private static func path(_ portal: PortalFixture, _ route: Router<ServingContext>.RouteDescription) -> String {
        let words = route.path.description.split(separator: "/").map { word -> String in
            switch word {
            case "{workspace}": portal.opened.workspace.id
            case "**": "none/none"
            default: word.hasPrefix("{") ? "none" : String(word)
            }
        }
        return "/" + words.joined(separator: "/")
    }

    @Test func `metrics are for administrators where other machines reach the door`() async throws {
        try await PortalFixture.with(["--bind", "0.0.0.0"]) { portal async throws in
            #expect(try await portal.ask(.get, "/metrics").status == .unauthorized)
            let token = PortalFixture.bearer(portal.opened.managementToken)
            #expect(try await portal.ask(.get, "/metrics", token).status == .ok)
        }
    }

    @Test func `another workspace is not found, and nobody is told`() async throws {
        try await PortalFixture.with { portal async throws in
            let path = "/api/workspaces/\(Identifier.hex32())/experiments"
            let token = PortalFixture.bearer(portal.opened.workspaceTokens[0])
            #expect(try await portal.ask(.get, path, token).status == .notFound)
            #expect(try await portal.ask(.get, path).status == .unauthorized)
            let own = "/api/workspaces/\(portal.opened.workspace.id.uppercased())/experiments"
            #expect(try await portal.ask(.get, own, token).status == .ok)
        }
    }

    @Test func `the record of changes names whoever the middleware found`() async throws {
        try await PortalFixture.with { portal async throws in
            let root = portal.opened.installation.current.root
            let callers: [(Caller, HTTPFields)] = [
                (PortalFixture.person([.administrator]), [:]),
                (.nobody, PortalFixture.bearer(portal.opened.managementToken)),
            ]
            for (place, (caller, fields)) in callers.enumerated() {
                let body = #"{"properties":{"displayName":"Tag \#(place)"}}"#
                let path = "\(root)/tags/t\(place)?api-version=2022-08-01"
                #expect(try await portal.ask(.put, path, as: caller, fields, body: body).status == .created)
            }
            let token = PortalFixture.bearer(portal.opened.managementToken)
            let changes = try await portal.ask(.get, "/api/changes", token)
            let entries = try await changes.json["value"]?.array ?? []
            let actors = entries.suffix(2).compactMap { $0["actor"]?.string }
            #expect(actors == ["users/ada", "management token"])
        }
    }
}
