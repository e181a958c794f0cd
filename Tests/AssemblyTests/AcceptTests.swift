import HTTPServing
import HTTPTypes
import Hummingbird
import NIOCore
import Testing

@Suite struct AcceptTests {
    @Test(arguments: [
        (["text/html,application/xhtml+xml,*/*;q=0.8"], true), (["application/json"], false), (["*/*"], false),
        (["text/html;q=0"], false), (["application/json", "Text/HTML;q=0.5"], true), (["x-text/htmlx"], false),
        ([], false),
    ])
    func `a page is asked for by the name of HTML with a quality`(fields: [String], isPage: Bool) {
        var head = HTTPRequest(method: .get, scheme: "http", authority: "portal", path: "/")
        head.headerFields[values: .accept] = fields
        #expect(Request(head: head, body: RequestBody(buffer: ByteBuffer())).asksForHTML == isPage)
    }
}
