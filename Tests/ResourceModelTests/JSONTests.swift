import ResourceModel
import Testing

@Suite struct JSONTests {
    @Test func `members keep their order`() throws {
        let text = #"{"z":1,"a":[true,null,"x"],"m":{"b":1.5,"a":-2}}"#
        #expect(try JSONValue(parsing: text).text == text)
    }

    @Test(arguments: [
        "", "{", "[1,]", "{\"a\":}", "01", "1.", "+1", "nul", "\"\\x\"", "\"\u{1}\"", "{\"a\":1}x", "[1 2]", "NaN",
        "\"\\u12\"",
        "\"\\ud800\"", "\"\\udc00\\ud800\"", "1e999", "{'a':1}", "\"",
    ])
    func `what is no JSON is refused`(_ text: String) {
        #expect(throws: JSONError.self) { try JSONValue(parsing: text) }
    }

    @Test func `depth is bounded`() {
        let text = String(repeating: "[", count: 100_000)
        #expect(throws: JSONError.self) { try JSONValue(parsing: text) }
    }

    @Test func `bytes that are not UTF-8 are refused`() {
        #expect(throws: JSONError.self) { try JSONValue(parsing: [0x22, 0xFF, 0x22]) }
    }

    @Test func `escapes are read and written`() throws {
        let value = try JSONValue(parsing: #""\u0041\ud83d\ude00\n\"\\\/""#)
        #expect(value.string == "A😀\n\"\\/")
        #expect(JSONValue.string("a\u{1}\"").text == #""a\u0001\"""#)
    }

    @Test func `many members cost no more than their number`() throws {
        let text = "{" + (0..<50_000).map { "\"k\($0)\":1" }.joined(separator: ",") + "}"
        #expect(try JSONValue(parsing: text).object?.members.count == 50_000)
    }
}

@Suite struct URLTemplateTests {
    @Test func `the guide's template`() throws {
        let template = try URLTemplate(
            "/workspaces/{workspace}/services/{service}/execute?api-version={apiversion}&details={details}"
        )
        #expect(template.parameterNames == ["workspace", "service", "apiversion", "details"])
        #expect(template.query.map(\.name) == ["api-version", "details"])
    }

    @Test(arguments: ["/{a", "/a}", "/{}", "/{a}/{A}", "/*/x", "/{*}/", "/{a}{b}", "/x?={a}"])
    func `broken templates are refused`(_ text: String) {
        #expect(throws: URLTemplate.ParseError.self) { try URLTemplate(text) }
    }
}
