import Gateway
import Policies
import Testing

@Suite struct PolicyBookTests {
    private func document(_ inbound: String, _ scope: PolicyScope = .api) throws -> PolicyDocument {
        let fragment = "<fragment><set-method>GET</set-method></fragment>"
        return try PolicyDocument(
            "<policies><inbound>\(inbound)</inbound></policies>",
            isRaw: true,
            scope: scope,
            owner: "",
            surroundings: PolicySurroundings(
                namedValues: ["n": "1"],
                fragments: ["f": PolicySurroundings.Fragment(text: fragment, isRaw: true)]
            )
        )
    }

    @Test func `documents are found from the widest scope to the narrowest, and go with their owners`() throws {
        var book = PolicyBook()
        let plain = try document("<base />")
        func found(_ api: String?, _ operation: String? = nil, _ product: String? = nil) -> [Bool] {
            book.documents(api: api, operation: operation, product: product).map { $0 === plain }
        }
        #expect(found("a", "o", "p") == [false], "what forwards stands where nobody put a document")
        for owner: PolicyBook.Owner in [.product("p"), .api("a"), .operation(api: "a", "o"), .operation(api: "a", "q")]
        {
            book[owner] = plain
            #expect(book[owner] === plain)
        }
        #expect(found("a", "O", "p") == [false, true, true, true])
        #expect(found("b", "o", nil) == [false] && found(nil, nil, "p") == [false, true])
        book[.service] = plain
        book.forget(api: "a", keeping: ["q"])
        #expect(found("a", "o") == [true, true] && found("a", "q") == [true, true, true])
        book.forget(api: "a", keeping: nil)
        #expect(found("a", "q") == [true] && book[.operation(api: "a", "q")] == nil)
    }

    @Test func `it is known whose calls may be answered with samples`() throws {
        var book = PolicyBook()
        let mock = try document("<mock-response />")
        book[.api("a")] = try document("<base />")
        book[.operation(api: "b", "o")] = mock
        #expect(book.sampledAPIs == ["b"] && book.usesSamples(api: "b") && !book.usesSamples(api: "a"))
        book[.product("p")] = mock
        #expect(book.samplesAll && book.usesSamples(api: "a"))
        book[.product("p")] = nil
        book.forget(api: "b", keeping: [])
        #expect(!book.samplesAll && book.sampledAPIs.isEmpty)
    }

    @Test func `a document that names others follows them`() throws {
        #expect(try !document("<base />").followsOthers && PolicyDocument.unusable(scope: .api).followsOthers)
        #expect(try document("<set-header name=\"X\"><value>{{n}}</value></set-header>").followsOthers)
        #expect(try document("<include-fragment fragment-id=\"f\" />").followsOthers)
    }
}
