import Assembly
import HTTPServing
import HTTPTypes
import Hummingbird
import Management
import ResourceModel
import Testing

@Suite struct PublisherPageTests {
    private static func put(_ portal: PortalFixture, _ path: String, _ body: String) async throws {
        let token = PortalFixture.bearer(portal.opened.managementToken)
        let address = "\(portal.opened.installation.current.root)/\(path)?api-version=2022-08-01"
        #expect(try await portal.ask(.put, address, token, body: body).status.code < 300, "\(path)")
    }

    @Test func `revisions that are not current are neither shown nor counted`() async throws {
        try await PortalFixture.with(showsModels: true) { portal async throws in
            let source = "\(portal.opened.installation.current.root)/apis/echo-api"
            let body = #"{"properties":{"displayName":"Echo API","path":"echo","sourceApiId":"\#(source)"}}"#
            try await Self.put(portal, "apis/echo-api;rev=2", body)
            let fields: HTTPFields = [.accept: "text/html"]
            let answer = try await portal.ask(.get, "/publisher", as: PortalFixture.administrator, fields).json
            let page = answer["model"]?["page"]
            #expect(page?["apis"]?.array?.count == 1)
            #expect(page?["apis"]?.array?.first?["products"]?.string == "Starter, Unlimited")
            #expect(page?["apis"]?.array?.first?["operations"]?.string == "6")
            #expect(page?["apisCount"]?.string == "1 API")
            #expect(page?["products"]?.array?.map { $0["apis"]?.string } == ["1", "1"])
        }
    }
}
