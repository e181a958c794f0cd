import Policies
import Testing

@Suite struct PolicyDocumentTests {
    private func refusal(
        _ text: String,
        isRaw: Bool = true,
        scope: PolicyScope = .api,
        values: [String: String] = [:]
    ) -> String? {
        do throws(PolicyDiagnostic) {
            _ = try PolicyDocument(
                text,
                isRaw: isRaw,
                scope: scope,
                owner: "o",
                surroundings: PolicySurroundings(namedValues: values)
            )
            return nil
        } catch { return error.description }
    }

    private func inbound(_ text: String) -> String { "<policies>\n  <inbound>\(text)</inbound>\n</policies>" }

    @Test(arguments: [
        ("", "The document must begin with <policies>. (line 1, column 1)"),
        ("<policy/>", "The document must be a <policies> element. (line 1, column 1)"),
        ("<policies>", "The document ends before its elements are closed. (line 1, column 11)"),
        ("<policies></policies>x", "Nothing may follow </policies>. (line 1, column 22)"),
        (
            "<policies><a/></policies>",
            "<policies> may hold inbound, backend, outbound and on-error; policies stand inside them. (line 1, column 11)"
        ),
        ("<policies><inbound/><inbound/></policies>", "The section <inbound> stands twice. (line 1, column 21)"),
        ("<policies><inbound></outbound></policies>", "<inbound> is closed by another name. (line 1, column 22)"),
        ("<!DOCTYPE a><policies/>", "A name is expected here. (line 1, column 2)"),
        (
            "<policies>\n<inbound><base/><base/></inbound></policies>",
            "<base /> may stand once in a section. (line 2, column 17)"
        ),
        ("<policies><inbound>text</inbound></policies>", "<inbound> may not hold text. (line 1, column 20)"),
        ("<policies><!-- x </policies>", "The comment has no end. (line 1, column 11)"),
    ])
    func `what is no document is refused with its place`(_ text: String, _ message: String) {
        #expect(refusal(text) == message)
    }

    @Test(arguments: [
        ("<set-heder/>", "There is no policy <set-heder>. (line 2, column 12)"),
        ("<validate-jwt/>", "The policy <validate-jwt> is not supported yet. (line 2, column 12)"),
        ("<forward-request/>", "<forward-request> may not stand in the section <inbound>. (line 2, column 12)"),
        (
            "<rate-limit calls='0' renewal-period='1'/>",
            "\"calls\" must be a whole number from 1 to 1000000000. (line 2, column 24)"
        ),
        (
            "<rate-limit calls='1' renewal-period='301'/>",
            "\"renewal-period\" must be a whole number from 1 to 300. (line 2, column 34)"
        ),
        ("<rate-limit calls='1'/>", "<rate-limit> needs the attribute \"renewal-period\". (line 2, column 12)"),
        ("<rate-limit calls='@(1)' renewal-period='3'/>", "\"calls\" takes no expression. (line 2, column 24)"),
        (
            "<rate-limit calls='1' renewal-period='1'/><rate-limit calls='1' renewal-period='1'/>",
            "<rate-limit> may stand once in a document. (line 2, column 54)"
        ),
        ("<set-method/>", "<set-method> needs a verb. (line 2, column 12)"),
        (
            "<set-header name='a b'><value>1</value></set-header>",
            "The name is not one of a header. (line 2, column 24)"
        ),
        (
            "<set-header name='Content-Length'><value>1</value></set-header>",
            "This header is set by the gateway itself. (line 2, column 24)"
        ),
        (
            "<set-header name='a' exists-action='maybe'/>",
            "\"exists-action\" must be one of override, skip, append, delete. (line 2, column 33)"
        ),
        ("<set-header name='a' colour='1'/>", "<set-header> has no attribute \"colour\". (line 2, column 33)"),
        ("<set-variable name='a' value='@(1 +)'/>", "The expression ends too early. (line 2, column 47)"),
        (
            "<set-variable name='a' value='@{ return 1; }'/>",
            "Expressions of several statements, \"@{…}\", are not supported yet. (line 2, column 44)"
        ),
        (
            "<choose><when condition='@(1)'/></choose>",
            "\"condition\" must be an expression of type bool. (line 2, column 26)"
        ),
        ("<choose><otherwise/></choose>", "<choose> needs a <when>. (line 2, column 12)"),
        (
            "<choose><when condition='true'><base/></when></choose>",
            "<base /> may stand directly in a section only. (line 2, column 43)"
        ),
        (
            "<ip-filter action='allow'><address>300.1.1.1</address></ip-filter>",
            "An IP address of version 4 or 6 is expected here. (line 2, column 38)"
        ),
        ("<set-body template='liquid'>x</set-body>", "Bodies by template are not supported yet. (line 2, column 22)"),
        ("<include-fragment fragment-id='none'/>", "There is no policy fragment of this id. (line 2, column 12)"),
        ("<set-variable name='a' name='b' value=''/>", "The attribute \"name\" stands twice. (line 2, column 35)"),
        ("<set-variable name=\"a\" value=\"@(\"x\"\"/>", "The expression is not closed. (line 2, column 42)"),
        ("<set-variable name='a' value='{{none}}'/>", "Cannot find a named value \"none\". (line 2, column 42)"),
    ])
    func `a policy that means nothing is refused with its place`(_ text: String, _ message: String) {
        #expect(refusal(inbound(text)) == message)
    }

    @Test func `scopes are checked`() {
        let limit = "<rate-limit calls='1' renewal-period='1'/>"
        #expect(
            refusal(inbound(limit), scope: .global)
                == "<rate-limit> may not stand at the scope global. (line 2, column 12)"
        )
        #expect(refusal(inbound(limit), scope: .product) == nil)
    }

    @Test func `raw documents may hold what XML may not`() {
        let text = inbound(
            #"<set-variable name="a" value="@("x" == "<y>" && 1 < 2 ? "&" : @"\")" /> <set-body>@("a" + "</set-body>")</set-body>"#
        )
        #expect(refusal(text) == nil)
        #expect(refusal(text, isRaw: false) != nil)
        #expect(refusal(PolicyFormat.escaped(text), isRaw: false) == nil)
        #expect(PolicyFormat.raw(PolicyFormat.escaped(text)) == text)
        let escaped =
            #"<policies><inbound><set-variable name="a" value="@(&quot;x&quot; == &quot;&lt;&quot;)" /></inbound></policies>"#
        #expect(refusal(escaped, isRaw: false) == nil)
        #expect(PolicyFormat.escaped(PolicyFormat.raw(escaped)) == escaped)
        // What stands in a comment is nobody's.
        let comment = "<policies><!-- <set-body>@(\"</set-body> --></policies>"
        #expect(PolicyFormat.escaped(comment) == comment && refusal(comment) == nil)
    }

    @Test func `places stay those of the document that was sent`() {
        let text = inbound("<set-variable name='{{long}}' value='@(1 +)'/>")
        #expect(
            refusal(text, values: ["long": String(repeating: "x", count: 500)])?.hasSuffix("(line 2, column 54)")
                == true
        )
    }

    @Test func `a secret is not quoted`() {
        for text in ["<{{s}}/>", "<set-header {{s}}='1'/>", "<set-header name='a'><{{s}}/></set-header>"] {
            let message = refusal(inbound(text), values: ["s": "topsecret"])
            #expect(message != nil && message?.contains("topsecret") == false, "\(message ?? "")")
        }
    }

    @Test func `hostile documents end`() {
        let deep = String(repeating: "<choose><when condition='true'>", count: 5000)
        #expect(refusal(inbound(deep))?.hasPrefix("The elements are nested too deeply.") == true)
        #expect(
            refusal(String(repeating: " ", count: 300 << 10))?.hasPrefix("A policy document may have 256 KiB.") == true
        )
        let many = String(repeating: "{{a}}", count: 10_000)
        #expect(
            refusal(inbound(many), values: ["a": String(repeating: "x", count: 4096)])?.hasPrefix(
                "The document is too long"
            ) == true
        )
        #expect(refusal(inbound(String(repeating: "<set-method>GET</set-method>", count: 9000))) == nil)
    }

    @Test func `references are found`() {
        let text = "<a b='{{one}}'>{{two}}{{one}} {{ no }} $\"{{x}}\" <include-fragment fragment-id=\"F1\"/></a>"
        #expect(PolicyDocument.namedValues(in: text) == ["one", "two", "x"])
        #expect(PolicyDocument.fragments(in: text) == ["F1"])
    }

    /// Documents with a byte changed, taken out or doubled are read or refused; they never stop the process.
    @Test func `mutated documents never trap`() throws {
        var generator = SystemRandomNumberGenerator()
        let seeds = [
            inbound(
                #"<choose><when condition="@(context.Request.Headers["a"][0] == $"{1}" || false)"><set-body>@("x")</set-body></when></choose>"#
            ),
            inbound(
                "<rate-limit-by-key calls='5' renewal-period='60' counter-key='@(context.Subscription?.Id ?? \"none\")'/><!-- c -->"
            ),
            inbound(
                "<set-header name='a'><value><![CDATA[b]]></value></set-header><rewrite-uri template=\"/x/{y}?z={w}\"/>"
            ),
        ].map { Array($0.utf8) }
        let alphabet = Array("<>\"'@(){}[]&;/\\=$ \n\u{E9}".utf8)
        for _ in 0..<4000 {
            var bytes = seeds.randomElement(using: &generator) ?? []
            for _ in 0..<Int.random(in: 1...4, using: &generator) {
                let place = Int.random(in: 0..<bytes.count, using: &generator)
                switch Int.random(in: 0..<3, using: &generator) {
                case 0: bytes[place] = alphabet.randomElement(using: &generator) ?? 0
                case 1: bytes.remove(at: place)
                default: bytes.insert(bytes[place], at: place)
                }
            }
            let text = String(decoding: bytes, as: UTF8.self)
            _ = refusal(text)
            _ = refusal(text, isRaw: false)
            _ = PolicyFormat.escaped(text)
            _ = PolicyFormat.raw(text)
        }
    }
}
