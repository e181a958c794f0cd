import Assembly
import HTTPServing
import HTTPTypes
import Hummingbird
import Management
import ResourceModel
import Testing

/// What readers of the developer portal see, by their groups and by what they look for.
@Suite struct DeveloperPageTests {
    private static func put(_ portal: PortalFixture, _ path: String, _ body: String = "{}") async throws {
        let token = PortalFixture.bearer(portal.opened.managementToken)
        let address = "\(portal.opened.installation.current.root)/\(path)?api-version=2022-08-01"
        let answer = try await portal.ask(.put, address, token, body: body)
        #expect(answer.status.code < 300, "\(path)")
    }

    private static func delete(_ portal: PortalFixture, _ path: String) async throws {
        var fields = PortalFixture.bearer(portal.opened.managementToken)
        fields[.ifMatch] = "*"
        let address = "\(portal.opened.installation.current.root)/\(path)?api-version=2022-08-01"
        #expect(try await portal.ask(.delete, address, fields).status.code < 300, "\(path)")
    }

    /// The names of the APIs that a reader is shown.
    private static func shown(
        _ portal: PortalFixture,
        to caller: Caller = .nobody,
        _ query: String = ""
    ) async throws -> [String] {
        let answer = try await portal.ask(.get, "/\(query)", as: caller, [.accept: "text/html"]).json
        return (answer["model"]?["page"]?["apis"]?.array ?? []).compactMap { $0["name"]?.string }
    }

    private static func addAPI(_ portal: PortalFixture, _ name: String, _ description: String) async throws {
        let id = name.lowercased().replacing(" ", with: "-")
        let body =
            #"{"properties":{"displayName":"\#(name)","path":"\#(id)","description":"\#(description)","protocols":["https"]}}"#
        try await put(portal, "apis/\(id)", body)
    }

    @Test func `an API is seen by whoever is of a group that sees one of its published products`() async throws {
        try await PortalFixture.with(showsModels: true) { portal async throws in
            let developer = PortalFixture.person([.developer])
            #expect(try await Self.shown(portal) == ["Echo API"])
            try await Self.addAPI(portal, "Orders", "")
            #expect(try await Self.shown(portal, to: PortalFixture.administrator) == ["Echo API"])
            try await Self.put(
                portal,
                "products/inner",
                #"{"properties":{"displayName":"Inner","state":"notPublished"}}"#
            )
            try await Self.put(portal, "products/inner/apis/orders")
            try await Self.put(portal, "products/inner/groups/developers")
            #expect(try await Self.shown(portal, to: developer) == ["Echo API"])
            try await Self.put(portal, "products/inner", #"{"properties":{"displayName":"Inner","state":"published"}}"#)
            #expect(try await Self.shown(portal, to: developer) == ["Echo API", "Orders"])
            #expect(try await Self.shown(portal) == ["Echo API"])
            for product in ["starter", "unlimited"] {
                try await Self.delete(portal, "products/\(product)/groups/guests")
            }
            #expect(try await Self.shown(portal) == [])
            #expect(try await Self.shown(portal, to: PortalFixture.administrator) == ["Echo API", "Orders"])
        }
    }

    @Test func `all that is published counts and is found, the first rows are shown`() async throws {
        try await PortalFixture.with(showsModels: true) { portal async throws in
            #expect(try await Self.shown(portal) == ["Echo API"])
            for number in 100..<300 {
                try await Self.addAPI(portal, "Zone \(number)", "")
                try await Self.put(portal, "products/starter/apis/zone-\(number)")
            }
            let answer = try await portal.ask(.get, "/", [.accept: "text/html"]).json["model"]?["page"]
            #expect(answer?["apis"]?.array?.count == 200)
            #expect(answer?["lead"]?.string?.hasPrefix("201 APIs") == true)
            #expect(answer?["hasMore"]?.bool == true)
            #expect(try await Self.shown(portal, "?q=299") == ["Zone 299"])
            // What is changed and what is deleted is gone with the next request.
            try await Self.put(portal, "tags/text", #"{"properties":{"displayName":"text"}}"#)
            try await Self.put(portal, "apis/zone-299/tags/text")
            #expect(try await Self.shown(portal, "?tag=text") == ["Zone 299"])
            try await Self.delete(portal, "apis/zone-299")
            #expect(try await Self.shown(portal, "?q=299") == [])
        }
    }

    @Test func `a product is seen by the members of a group that sees it, and by no others`() async throws {
        try await PortalFixture.with(showsModels: true) { portal async throws in
            for name in ["ada", "jun"] {
                let body = #"{"properties":{"email":"\#(name)@example.com","firstName":"A","lastName":"B"}}"#
                try await Self.put(portal, "users/\(name)", body)
            }
            try await Self.put(portal, "groups/inner", #"{"properties":{"displayName":"Inner"}}"#)
            try await Self.put(portal, "groups/inner/users/ada")
            try await Self.addAPI(portal, "Orders", "")
            let body = #"{"properties":{"displayName":"Inner","state":"published"}}"#
            try await Self.put(portal, "products/inner", body)
            try await Self.put(portal, "products/inner/apis/orders")
            try await Self.put(portal, "products/inner/groups/inner")
            let jun = Caller(proof: .session(id: "1"), user: "jun", roles: [.developer])
            #expect(try await Self.shown(portal, to: PortalFixture.person([.developer])) == ["Echo API", "Orders"])
            #expect(try await Self.shown(portal, to: jun) == ["Echo API"])
            #expect(try await Self.shown(portal) == ["Echo API"])
        }
    }

    @Test func `words are found without case and accents, tags and products narrow`() async throws {
        try await PortalFixture.with(showsModels: true) { portal async throws in
            try await Self.addAPI(portal, "Orders", "Pedidos y Envíos")
            try await Self.put(portal, "products/starter/apis/orders")
            try await Self.put(portal, "tags/text", #"{"properties":{"displayName":"text"}}"#)
            try await Self.put(portal, "apis/orders/tags/text")
            for (query, names) in [
                ("?q=ENVIOS+pedidos", ["Orders"]), ("?q=%2Fecho", ["Echo API"]), ("?q=echo", ["Echo API"]),
                ("?tag=text", ["Orders"]),
                ("?tag=text&tag=none", ["Orders"]), ("?product=unlimited", ["Echo API"]),
                ("?product=unlimited&product=starter", ["Echo API", "Orders"]), ("?q=weather", []),
                ("?q=%", ["Echo API", "Orders"]),
            ] {
                #expect(try await Self.shown(portal, query) == names, "\(query)")
            }
        }
    }
}
