import Policies
import Testing

@Suite struct LimitTests {
    private func asked(_ quota: String, api: String = "guide") throws -> [String] {
        let sample = Sample()
        try sample.run([
            (.global, Sample.global),
            (.product, "<policies><inbound>\(quota)<base/></inbound></policies>"),
        ])
        return sample.effects.log.filter { $0.hasPrefix("quota") }.map {
            String($0.dropFirst("quota o quota[1] ".count))
        }
    }

    @Test func `children of a quota leave out what is their parent's`() throws {
        let whole = #"<quota calls="9" bandwidth="40" renewal-period="3600">"#
        // Numbers of its own, then the parent's period; the parent's own limits count beside them.
        #expect(
            try asked(whole + #"<api name="Guide" calls="5" /></quota>"#) == ["0 sub 1", "0 bytes sub 0", "1 sub 1"]
        )
        #expect(
            try asked(whole + #"<api id="guide" bandwidth="5" renewal-period="60" /></quota>"#)
                == ["0 sub 1", "0 bytes sub 0", "1 bytes sub 0"]
        )
        // A period of its own for the parent's numbers.
        #expect(
            try asked(whole + #"<api id="guide" renewal-period="86400" /></quota>"#)
                == ["0 sub 1", "0 bytes sub 0", "1 sub 1", "1 bytes sub 0"]
        )
        // Nothing but a place for operations, which have what is the outer ones'.
        #expect(
            try asked(
                whole
                    + #"<api id="guide"><operation id="read" calls="2" /><operation id="write" calls="2" /></api></quota>"#
            ) == ["0 sub 1", "0 bytes sub 0", "2 sub 1"]
        )
        // All counting left to those inside.
        #expect(try asked(#"<quota renewal-period="300"><api id="guide" calls="5" /></quota>"#) == ["1 sub 1"])
        #expect(
            try asked(#"<quota><api id="guide" calls="5" renewal-period="0" bandwidth="1" /></quota>"#)
                == ["1 sub 1", "1 bytes sub 0"]
        )
    }

    @Test func `children of a rate limit leave out what is their parent's`() throws {
        let sample = Sample()
        let limit = """
            <rate-limit calls="3" renewal-period="60"><api id="guide" calls="2"><operation id="read" calls="1" />
            <operation id="write" renewal-period="9" /></api></rate-limit>
            """
        try sample.run(inbound: limit)
        #expect(sample.status == 200 && sample.effects.counts.count == 3)
        try sample.run(inbound: limit)
        #expect(sample.status == 429)
    }

    @Test(arguments: [
        (#"<quota calls="1"><api name="a" calls="1" /></quota>"#, "<quota> needs the attribute \"renewal-period\"."),
        (#"<quota><api name="a" calls="1" /></quota>"#, "<api> needs the attribute \"renewal-period\"."),
        (
            #"<quota renewal-period="0"><api name="a" renewal-period="9" /></quota>"#,
            "<api> needs the attribute \"calls\"."
        ),
        (#"<quota renewal-period="0"><api name="a" /></quota>"#, "<quota> needs the attribute \"calls\"."),
        (#"<quota renewal-period="0" />"#, "<quota> needs the attribute \"calls\"."),
        (
            #"<quota calls="1" renewal-period="0"><api calls="1" /></quota>"#,
            "<api> needs the attribute \"id\" or \"name\"."
        ),
        (
            #"<quota calls="1" renewal-period="0"><api name="a" calls="0" /></quota>"#,
            "\"calls\" must be a whole number from 1 to 1000000000."
        ),
    ])
    func `what limits nothing is refused`(_ quota: String, _ message: String) {
        do throws(PolicyDiagnostic) {
            _ = try PolicyDocument(
                "<policies><inbound>\(quota)</inbound></policies>",
                isRaw: true,
                scope: .product,
                owner: "o",
                surroundings: PolicySurroundings()
            )
            Issue.record("\(quota) should be refused")
        } catch { #expect(error.message == message) }
    }

    @Test func `what deletes may hold values, which nobody computes`() throws {
        let sample = Sample()
        sample.request.query = "a=1&b=2"
        try sample.run(
            inbound: """
                <set-header name="X-Many" exists-action="delete"><value>never</value></set-header>
                <set-header name="Accept" exists-action="delete"><value>@(context.Variables["none"].ToString())</value></set-header>
                <set-query-parameter name="a" exists-action="delete"><value>9</value></set-query-parameter>
                """.replacing(".ToString()", with: "")
        )
        #expect(
            sample.call?.request.values("x-many").isEmpty == true
                && sample.call?.request.values("accept").isEmpty == true
        )
        #expect(sample.effects.log == ["GET /reviews/7?b=2"])
    }

    @Test func `forward-request takes what newer documents say`() throws {
        let sample = Sample()
        for version in ["1", "2", "2or1"] {
            try sample.run(
                backend: #"<forward-request http-version="\#(version)" continue-timeout="30" timeout="5" />"#
            )
        }
        #expect(sample.effects.log.allSatisfy { $0.hasSuffix(" within 5") } && sample.effects.log.count == 3)
        try sample.run(backend: #"<forward-request continue-timeout="@(1 == 1 ? 5 : 6)" />"#)
        for wrong in [#"http-version="3""#, #"continue-timeout="soon""#, #"continue-timeout="-1""#] {
            #expect(throws: PolicyDiagnostic.self) { try sample.run(backend: "<forward-request \(wrong) />") }
        }
    }

    @Test func `one call counts a key once, whatever keys look like`() throws {
        let sample = Sample()
        try sample.run(
            inbound: """
                <quota-by-key bandwidth="10" renewal-period="300" counter-key="k" />
                <quota-by-key calls="10" renewal-period="300" counter-key="bytes k" />
                <quota-by-key calls="10" renewal-period="300" counter-key="bytes k" />
                """
        )
        #expect(sample.effects.log.filter { $0.hasSuffix("bytes k 1") }.count == 1)
        #expect(sample.call?.bandwidth.count == 1)
    }
}
