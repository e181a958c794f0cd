import Assembly
import HTTPServing
import HTTPTypes
import Hummingbird
import Management
import ResourceModel
import Studio
import Testing

/// The forms of the workspace's settings, asked of the portal's router; pages answer with their models.
@Suite struct SettingsPageTests {
    private static let form: HTTPFields = [
        .contentType: "application/x-www-form-urlencoded", .accept: "text/html",
    ]

    private static func post(_ portal: PortalFixture, _ path: String, _ body: String) async throws -> Response {
        try await portal.ask(.post, "/studio/settings/\(path)", as: PortalFixture.administrator, form, body: body)
    }

    /// Makes an account, and says its resource's name.
    private static func addUser(_ portal: PortalFixture, _ name: String) async throws {
        let path = "\(portal.opened.installation.current.root)/users/\(name)?api-version=2022-08-01"
        let body = #"{"properties":{"email":"\#(name)@example.com","firstName":"Jun","lastName":"Watanabe"}}"#
        let token = PortalFixture.bearer(portal.opened.managementToken)
        #expect(try await portal.ask(.put, path, token, body: body).status == .created)
    }

    @Test func `a workspace is renamed, and a name that breaks the rule is kept in the form`() async throws {
        try await PortalFixture.with(showsModels: true) { portal async throws in
            let done = try await Self.post(portal, "name", "name=+Reviews++%26+more+")
            #expect(done.headers[.location] == "/studio/settings?done=workspace")
            let long = String(repeating: "a", count: 101)
            for (name, error) in [("", "This field needs a value."), (long, "At most 100 characters fit here.")] {
                let refused = try await Self.post(portal, "name", "name=\(name)")
                #expect(refused.status == .unprocessableContent)
                let page = try await refused.json["model"]?["page"]
                #expect(page?["name"]?["value"]?.string == name)
                #expect(page?["name"]?["error"]?.string == error)
            }
            let fields: HTTPFields = [.accept: "text/html"]
            let shown = try await portal.ask(.get, "/studio/settings", as: PortalFixture.administrator, fields).json
            #expect(shown["model"]?["page"]?["name"]?["value"]?.string == "Reviews & more")
        }
    }

    @Test func `the only owner who may sign in is not blocked`() async throws {
        try await PortalFixture.with { portal async throws in
            try await Self.addUser(portal, "jun")
            let block = { () async throws -> HTTPResponse.Status in
                let path = "\(portal.opened.installation.current.root)/users/jun?api-version=2022-08-01"
                var fields = PortalFixture.bearer(portal.opened.managementToken)
                fields[.ifMatch] = "*"
                return try await portal.ask(.patch, path, fields, body: #"{"properties":{"state":"blocked"}}"#).status
            }
            let status = { (path: String, body: String) in try await Self.post(portal, path, body).status }
            #expect(try await status("members", "email=jun%40example.com&role=owner") == .seeOther)
            #expect(try await status("members/1/role", "role=user") == .seeOther)
            #expect(try await block() == .conflict)
            #expect(try await status("members/1/role", "role=owner") == .seeOther)
            #expect(try await block() == .ok)
            // Whoever is blocked is no owner beside.
            #expect(try await status("members/1/role", "role=user") != .seeOther)
        }
    }

    @Test func `members come, change and go, but for the last owner`() async throws {
        try await PortalFixture.with(showsModels: true) { portal async throws in
            try await Self.addUser(portal, "jun")
            let nobody = try await Self.post(portal, "members", "email=nobody%40example.com&role=user")
            #expect(nobody.status == .unprocessableContent)
            #expect(try await nobody.json["model"]?["page"]?["email"]?["hasError"]?.bool == true)
            let added = try await Self.post(portal, "members", "email=Jun%40example.com&role=user")
            #expect(added.headers[.location] == "/studio/settings?done=added#members")
            #expect(try await Self.post(portal, "members", "email=jun%40example.com&role=user").status.code == 422)
            for (path, body) in [("members/1/role", "role=user"), ("members/1/remove", "")] {
                let refused = try await Self.post(portal, path, body)
                #expect(refused.status == .unprocessableContent)
                let problem = try await refused.json["model"]?["page"]?["problem"]?.string
                #expect(problem == "Cannot remove the last owner of a workspace.")
            }
            let role = try await Self.post(portal, "members/jun/role", "role=owner")
            #expect(role.headers[.location] == "/studio/settings?done=role#members")
            let own = try await Self.post(portal, "members/1/remove", "")
            #expect(own.headers[.location] == "/welcome")
            #expect(try await Self.post(portal, "members/none/remove", "").status == .notFound)
        }
    }

    @Test func `a token is shown and made anew only for whoever has just shown the password`() async throws {
        try await PortalFixture.with(showsModels: true) { portal async throws in
            for action in ["show", "regenerate"] {
                let answer = try await Self.post(portal, "token", "which=primary&action=\(action)")
                #expect(answer.headers[.location] == "/signin/again?next=/studio/settings%23tokens")
            }
            let old = portal.opened.workspaceTokens[0]
            let path = "/api/workspaces/\(portal.opened.workspace.id)/experiments"
            #expect(try await portal.ask(.get, path, PortalFixture.bearer(old)).status == .ok)
            var fields = PortalFixture.bearer(portal.opened.managementToken)
            fields[.contentType] = "application/x-www-form-urlencoded"
            let address = "/studio/settings/token"
            let shown = try await portal.ask(.post, address, fields, body: "which=primary&action=show").json
            #expect(shown["model"]?["page"]?["tokens"]?.array?.first?["value"]?.string == old)
            let made = try await portal.ask(.post, address, fields, body: "which=primary&action=regenerate")
            #expect(made.headers[.location] == "/studio/settings?done=token#tokens")
            #expect(try await portal.ask(.get, path, PortalFixture.bearer(old)).status == .unauthorized)
            let other = PortalFixture.bearer(portal.opened.workspaceTokens[1])
            #expect(try await portal.ask(.get, path, other).status == .ok)
            let again = try await portal.ask(.post, address, fields, body: "which=primary&action=show").json
            let new = try #require(again["model"]?["page"]?["tokens"]?.array?.first?["value"]?.string)
            #expect(try await portal.ask(.get, path, PortalFixture.bearer(new)).status == .ok)
        }
    }

    @Test(arguments: ["which=none&action=show", "which=primary&action=none", "which=primary", ""])
    func `a form that no page of ours sends is refused`(body: String) async throws {
        try await PortalFixture.with(showsModels: true) { portal async throws in
            #expect(try await Self.post(portal, "token", body).status == .badRequest)
        }
    }
}
