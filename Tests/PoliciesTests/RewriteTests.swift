import Policies
import ResourceModel
import Testing

@Suite struct RewriteTests {
    private func rewritten(
        _ template: String,
        query: String = "",
        _ prepare: (SampleRequest) -> Void = { _ in }
    ) throws
        -> String?
    {
        let sample = Sample()
        sample.request.query = query
        prepare(sample.request)
        try sample.run(inbound: "<rewrite-uri template=\(template) />")
        return sample.effects.log.first.map { String($0.dropFirst("GET ".count)) }
    }

    /// What an expression returns is a finished path and query, whatever a caller wrote into it.
    @Test(arguments: [
        ("plain/x", "/q/plain/x?"), ("a b", "/q/a%20b?"), (" end ", "/q/%20end%20?"), ("año", "/q/a%C3%B1o?"),
        ("a#b", "/q/a%23b?"), ("100%", "/q/100%25?"), ("%", "/q/%25?"), ("%4", "/q/%254?"), ("%zz", "/q/%25zz?"),
        ("%41%e9", "/q/%41%e9?"), ("{other}", "/q/%7Bother%7D?"), ("{id}", "/q/%7Bid%7D?"), ("}{", "/q/%7D%7B?"),
        ("a?b=c d&e=[f]", "/q/a?b=c%20d&e=%5Bf%5D"), ("a??b=?", "/q/a??b=?"), ("a?x#y", "/q/a?x%23y"),
        ("a\\\"<>^`|", "/q/a%5C%22%3C%3E%5E%60%7C?"), ("a\r\nX: 1", "/q/a%0D%0AX:%201?"), ("\u{7F}\u{0}", "/q/%7F%00?"),
        ("-._~!$&'()*+,;=:@", "/q/-._~!$&'()*+,;=:@?"), ("👍", "/q/%F0%9F%91%8D?"),
    ])
    func `an expression's path and query are finished`(_ value: String, _ expected: String) throws {
        let found = try rewritten(#""@("/q/" + context.Request.Headers["v"][0])""#) { $0.headers = [("v", value)] }
        #expect(found == expected)
    }

    @Test func `an expression is no template, even one that is known`() throws {
        #expect(try rewritten(#""@("/x/{id}?a={lang}")""#) == "/x/%7Bid%7D?a=%7Blang%7D")
        #expect(try rewritten(#""@("no-slash")""#) == "/no-slash?")
        #expect(try rewritten(#""@("?only=query")""#, query: "more=1&lang=en") == "/?only=query&more=1")
    }

    @Test(arguments: ["..", "a/../b", ".", "%2e%2e", "..%2Fb", "..\\b", "a/..;x/b"])
    func `an expression leads nowhere up`(_ value: String) throws {
        let sample = Sample()
        sample.request.headers = [("v", value)]
        try sample.run(inbound: #"<rewrite-uri template="@("/q/" + context.Request.Headers["v"][0])" />"#)
        #expect(sample.status == 500 && sample.effects.log.isEmpty)
    }

    @Test func `a constant template is read once and filled`() throws {
        #expect(try rewritten(#""/items/{ID}/{*lang}?from={id}&amp;to=x y""#) == "/items/7/en?from=7&to=x%20y")
        #expect(try rewritten("\"/\u{F1}/a#b/}\"") == "/%C3%B1/a%23b/%7D?")
        #expect(try rewritten("\"/%41/%zz\"") == "/%41/%25zz?")
        // A value that looks like a template is none.
        #expect(try rewritten("\"/{id}\"") { $0.matchedParameters = [("id", "{lang}?x")] } == "/%7Blang%7D%3Fx?")
    }

    private func refusal(_ template: String, scope: PolicyScope, isStrict: Bool = true) -> String? {
        var surroundings = PolicySurroundings(namedValues: ["hush": "topsecret"], secretNames: ["hush"])
        surroundings.operation = PolicySurroundings.Operation(
            template: ["id", "rest"],
            query: ["page"],
            refusesOthers: isStrict
        )
        do throws(PolicyDiagnostic) {
            _ = try PolicyDocument(
                "<policies><inbound><rewrite-uri template=\"\(template)\" /></inbound></policies>",
                isRaw: true,
                scope: scope,
                owner: "o",
                surroundings: surroundings
            )
            return nil
        } catch { return error.description }
    }

    @Test func `a constant template is checked where its operation is known`() {
        let place = "(line 1, column 33)"
        #expect(refusal("/x/{id}/{*REST}?p={Page}", scope: .operation) == nil)
        #expect(refusal("/x/{other}", scope: .operation) == "The operation has no parameter \"other\". \(place)")
        #expect(refusal("/x?a={other}", scope: .operation) == "The operation has no parameter \"other\". \(place)")
        #expect(refusal("/x/{}", scope: .operation) == "The operation has no parameter \"\". \(place)")
        #expect(refusal("/x/{{{hush}}}", scope: .operation) == "The operation has no parameter \"…\". \(place)")
        // One that is in force goes on.
        #expect(refusal("/x/{other}", scope: .operation, isStrict: false) == nil)
        #expect(refusal("/x/{other}", scope: .api) == nil && refusal("/x/{other}", scope: .product) == nil)
        #expect(refusal("/x/{open", scope: .api) == "A \"{\" of the template is not closed. \(place)")
        #expect(refusal("@(\"/x/{other}\")", scope: .operation) == nil)
    }

    @Test func `at wider scopes the call fails, and says by which name`() throws {
        let sample = Sample()
        sample.tracing = true
        sample.request.query = "other=1"
        try sample.run(inbound: #"<rewrite-uri template="/x/{other}" />"#)
        #expect(sample.status == 500 && sample.effects.log.isEmpty)
        #expect(sample.call?.lastError?.source == "rewrite-uri")
        #expect(sample.call?.lastError?.message.contains("\"other\"") == true)
        let entries = sample.call?.trace?.document["inbound"]?.array ?? []
        #expect(entries.last?["data"]?["error"]?["message"]?.string?.contains("\"other\"") == true)
    }

    @Test func `a parameter that the operation declares for its query is the caller's, or empty`() throws {
        var surroundings = PolicySurroundings()
        surroundings.operation = PolicySurroundings.Operation(template: ["id"], query: ["page"], refusesOthers: true)
        let document = try PolicyDocument(
            #"<policies><inbound><rewrite-uri template="/x/{id}/{page}" /></inbound></policies>"#,
            isRaw: true,
            scope: .operation,
            owner: "o",
            surroundings: surroundings
        )
        let global = try PolicyDocument(
            Sample.global,
            isRaw: true,
            scope: .global,
            owner: "o",
            surroundings: PolicySurroundings()
        )
        for (query, path) in [("page=a/b", "/x/7/a%2Fb?page=a/b"), ("", "/x/7/?")] {
            let sample = Sample()
            sample.request.query = query
            try sample.run(PolicyProgram([global, document]))
            #expect(sample.effects.log == ["GET \(path)"])
        }
    }

    @Test func `bytes that are no text stay apart`() {
        #expect(PercentText.decoded("caf%E9/%C3%A9+", plusIsBlank: true) == "caf%E9/é ")
        #expect(PercentText.decoded("%E9%") == "%E9%" && PercentText.decoded("%f0%9f%91") == "%F0%9F%91")
        #expect(PercentText.decoded("%E8") != PercentText.decoded("%E9"))
    }
}
