import Assembly
import Foundation
import HTTPServing
import HTTPTypes
import Hummingbird
import ResourceModel
import Studio
import Testing

/// What pages give their templates has the shape of the examples that the templates were made by.
@Suite struct PageModelsTests {
    private static let pages: [(path: String, page: String)] = [
        ("/", "developer"), ("/welcome", "welcome"), ("/studio", "studio"), ("/studio/settings", "settings"),
        ("/publisher", "publisher"), ("/parts", "parts"), ("/nothing", "error"),
        ("/account", "account"), ("/signin/again", "again"),
    ]
    /// Shown to whoever is not signed in.
    private static let guestPages: [(path: String, page: String)] = [
        ("/signin", "signin"), ("/setup", "setup"), ("/signin/invite", "choose-password"),
        ("/signin/reset", "choose-password"),
    ]

    @Test func `each page's model has the shape of its example`() async throws {
        try await PortalFixture.with(showsModels: true) { portal async throws in
            try await Self.fill(portal)
            for (path, page) in Self.pages + Self.guestPages {
                let isGuest = Self.guestPages.contains { $0.path == path }
                let caller = isGuest ? Caller.nobody : PortalFixture.administrator
                let answer = try await portal.ask(.get, path, as: caller, [.accept: "text/html"]).json
                #expect(answer["template"]?.string == page)
                let examples = try Self.example("Pages/\(page)/\(page)")
                let example = try #require(examples.array.map { $0.first?["page"] } ?? examples)
                let differences = Self.differences(answer["model"]?["page"] ?? .null, example, page)
                #expect(differences == [], "\(path)")
                let frame = try Self.example("Shared/templates/frame")
                // These two are not of the example: the words and the addresses are too many.
                var shared = answer["model"]?.object ?? JSONObject()
                for name in ["t", "assets", "page"] { shared[name] = nil }
                #expect(Self.differences(.object(shared), frame, "frame") == [], "\(path)")
            }
        }
    }

    /// Puts an experiment where lists of experiments look.
    private static func fill(_ portal: PortalFixture) async throws {
        let token = PortalFixture.bearer(portal.opened.managementToken)
        let path = "/api/workspaces/\(portal.opened.workspace.id)/experiments"
        let body = #"{"Name":"One","Description":"First","Nodes":[],"Edges":[]}"#
        let made = try await portal.ask(.post, path, token, body: body)
        #expect(made.status.code < 300)
    }

    private static func example(_ name: String) throws -> JSONValue {
        let room = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent().appending(path: "Sources/Portals")
        return try JSONValue(parsing: Array(try Data(contentsOf: room.appending(path: "\(name).example.json"))))
    }

    /// Names that stand in one of two models only, and values of another kind.
    private static func differences(_ model: JSONValue, _ example: JSONValue, _ place: String) -> [String] {
        switch (model, example) {
        case (.object(let left), .object(let right)):
            let names = [Set(left.names), Set(right.names)].map { names in names.filter { !$0.hasPrefix("_") } }
            let alone = names[0].symmetricDifference(names[1]).sorted().map { "\(place).\($0)" }
            return alone
                + names[0].intersection(names[1]).flatMap {
                    differences(left[$0] ?? .null, right[$0] ?? .null, "\(place).\($0)")
                }
        case (.array(let left), .array(let right)):
            guard let one = left.first, let other = right.first else { return [] }
            return differences(one, other, "\(place)[]")
        default:
            // Where nobody is signed in there is no person, and nothing has happened to be told.
            let isSame = model.kind == example.kind || model.isNull
            return isSame ? [] : ["\(place) is \(model.kind), not \(example.kind)"]
        }
    }
}
