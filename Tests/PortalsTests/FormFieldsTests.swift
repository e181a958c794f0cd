import Portals
import ResourceModel
import Testing

@Suite struct FormFieldsTests {
    private func form(_ text: String) throws -> FormFields { try FormFields(parsing: Array(text.utf8)) }

    @Test func `blanks, escapes and line ends are read as browsers write them`() throws {
        let form = try form("name=Ana+Mar%C3%ADa&note=a%0D%0Ab%2Bc%26d&empty=&flag")
        #expect(form["name"] == "Ana María")
        #expect(form["note"] == "a\r\nb+c&d")
        #expect(form["empty"] == "")
        #expect(form["flag"] == "")
        #expect(form["absent"] == nil)
        #expect(form.line("note") == "a b+c&d")
    }

    @Test(arguments: [
        ("role=user&role=owner", "'role' stands twice in the form."),
        ("name=%F0%28", "'name' is not valid percent-encoded UTF-8."),
        ("name=%4", "'name' is not valid percent-encoded UTF-8."),
    ])
    func `what is wrong with a field names it`(text: String, message: String) {
        let error = #expect(throws: APIError.self) { try form(text) }
        #expect(error?.status == 400)
        #expect(error?.details.first?.message == message)
    }

    @Test func `a form has so many fields and no more`() throws {
        let fields = (0..<100).map { "f\($0)=1" }
        _ = try form(fields.joined(separator: "&"))
        #expect(throws: APIError.self) { try form((fields + ["more=1"]).joined(separator: "&")) }
    }

    @Test func `a field that is missing is named`() throws {
        let form = try form("a=1")
        #expect(try form.require("a") == "1")
        let error = #expect(throws: APIError.self) { try form.require("email") }
        #expect(error?.details.first?.target == "email")
    }

    @Test(arguments: [
        ("/studio?a=1", true), ("//evil.example", false), ("/\\evil.example", false), ("/\t/evil.example", false),
        ("https://evil.example", false), ("", false), ("studio", false), ("/a b", false), ("/é", false),
    ])
    func `only an address of ours is gone on to`(path: String, isOurs: Bool) {
        #expect(PageVisit.ownPath(path) == (isOurs ? path : nil))
    }
}
