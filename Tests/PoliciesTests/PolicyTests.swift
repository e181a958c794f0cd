import Expressions
import Policies
import ResourceModel
import Testing

@Suite struct PolicyTests {
    @Test func `a call without policies is forwarded as it came`() throws {
        let sample = Sample()
        try sample.run([(.global, Sample.global)])
        #expect(sample.effects.log == ["GET /reviews/7?lang=en&details=true"] && sample.status == 200 && sample.isEnded)
        let program = PolicyProgram([
            try PolicyDocument(
                Sample.global,
                isRaw: false,
                scope: .global,
                owner: "o",
                surroundings: PolicySurroundings()
            )
        ])
        #expect(program.onlyForwards && !program.hasErrorPolicies)
    }

    @Test func `base puts the parent's section in its place and without it the parent is skipped`() throws {
        func document(_ name: String, base: Bool) -> String {
            "<policies><inbound><set-variable name='\(name)' value='1'/>\(base ? "<base/>" : "")"
                + "<set-variable name='last' value='\(name)'/></inbound></policies>"
        }
        let sample = Sample()
        let wide =
            "<policies><inbound><set-variable name='wide' value='1'/></inbound><backend><forward-request/></backend></policies>"
        try sample.run([(.global, wide), (.product, document("p", base: true)), (.api, document("a", base: true))])
        #expect(sample.call?.variables["wide"] == .string("1") && sample.call?.variables["last"] == .string("a"))
        try sample.run([(.global, wide), (.product, document("p", base: true)), (.api, document("a", base: false))])
        #expect(sample.call?.variables["wide"] == nil && sample.call?.variables["p"] == nil)
        // A section that is not written passes its parent on: it was forwarded both times.
        #expect(sample.effects.log.count == 2)
        // One that is empty does not: nothing is forwarded, and an empty answer goes out.
        try sample.run(backend: "")
        #expect(sample.effects.log.count == 2 && sample.status == 200 && sample.body == "")
    }

    @Test func `headers are set, skipped, added to and taken out`() throws {
        let sample = Sample()
        try sample.run(
            inbound: """
                <set-header name="X-Many" exists-action="append"><value>c</value></set-header>
                <set-header name="Accept" exists-action="skip"><value>never</value></set-header>
                <set-header name="X-New" exists-action="skip"><value>1</value><value>2</value></set-header>
                <set-header name="X-Call" exists-action="override"><value>@($"{context.Request.Method} {context.Api.Name}")</value></set-header>
                <set-header name="Cookie"><value>a=1</value><value>b=2</value></set-header>
                <set-header name="X-Gone" exists-action="delete" />
                """,
            outbound: """
                <set-header name="X-Seen"><value>@(context.Response.Headers.GetValueOrDefault("x-backend", "no"))</value></set-header>
                """
        )
        let request = try #require(sample.call?.request)
        #expect(request.values("x-many") == ["a,b,c"] && request.values("accept") == ["text/plain"])
        #expect(request.values("X-NEW") == ["1,2"] && request.values("x-call") == ["GET Guide"])
        #expect(request.values("cookie") == ["a=1", "b=2"] && request.headers.edit("x-gone")?.values == [])
        #expect(sample.response?.values("x-seen") == ["yes"])
    }

    @Test func `a value that would end its line is refused`() throws {
        let sample = Sample()
        sample.request.query = "x=a%0d%0aEvil:%201"
        try sample.run(
            inbound:
                #"<set-header name="X"><value>@(context.Request.Url.Query.GetValueOrDefault("x"))</value></set-header>"#
        )
        #expect(sample.status == 500 && sample.effects.log.isEmpty)
        #expect(
            sample.body == #"{ "statusCode": 500, "message": "Internal server error", "activityId": "5c1f" }"#
        )
        #expect(sample.call?.lastError?.reason == "ExpressionValueEvaluationFailure")
    }

    @Test func `the query, the address, the verb and the body of a request are changed`() throws {
        let sample = Sample()
        try sample.run(
            inbound: """
                <set-query-parameter name="details" exists-action="delete" />
                <set-query-parameter name="q"><value>a b&c</value></set-query-parameter>
                <rewrite-uri template="/items/{id}?from={lang}" />
                <set-method>POST</set-method>
                <set-backend-service base-url="http://other:81/v2" />
                <set-body>{"id": 1}</set-body>
                <authentication-basic username="{{user}}" password="p:w" />
                """,
            backend: "<forward-request timeout='5'/>",
            surroundings: PolicySurroundings(namedValues: ["user": "ada"])
        )
        #expect(sample.effects.log == ["POST http://other:81/v2/items/7?from=en&q=a%20b%26c within 5"])
        #expect(sample.call?.request.values("authorization") == ["Basic YWRhOnA6dw=="])
        guard case .replaced(let bytes)? = sample.call?.request.body else {
            Issue.record("the body was not replaced")
            return
        }
        #expect(String(decoding: bytes, as: UTF8.self) == #"{"id": 1}"#)
    }

    @Test func `unmatched parameters are copied unless told otherwise`() throws {
        for (flag, expected) in [("true", "/put?details=true"), ("false", "/put?")] {
            let sample = Sample()
            try sample.run(inbound: "<rewrite-uri template='/put' copy-unmatched-params='\(flag)'/>")
            #expect(sample.effects.log == ["GET \(expected)"])
        }
    }

    @Test func `choose takes the first branch that holds`() throws {
        let choose = """
            <choose>
              <when condition="@(context.Request.IpAddress == "10.1.2.4")"><set-variable name="v" value="1"/></when>
              <when condition="@(context.Request.Headers["X-Many"][0] == "a" && 1 < 2)">
                <!-- a comment -->
                <choose><when condition="false"/><otherwise><set-variable name="v" value="2"/></otherwise></choose>
                <set-variable name="w" value="@((string)context.Variables["v"] + "!")"/>
              </when>
              <otherwise><set-variable name="v" value="3"/></otherwise>
            </choose>
            <set-variable name="after" value="@(true)"/>
            """
        let sample = Sample()
        try sample.run(inbound: choose)
        #expect(sample.call?.variables["v"] == .string("2") && sample.call?.variables["w"] == .string("2!"))
        #expect(sample.call?.variables["after"] == .bool(true))
        sample.request.headers = [("x-many", "z")]
        try sample.run(inbound: choose)
        #expect(sample.call?.variables["v"] == .string("3") && sample.call?.variables["after"] == .bool(true))
        sample.request.clientAddress = "10.1.2.4"
        try sample.run(inbound: choose)
        #expect(sample.call?.variables["v"] == .string("1") && sample.call?.variables["after"] == .bool(true))
    }

    @Test func `return-response ends the call`() throws {
        let sample = Sample()
        try sample.run(
            inbound: """
                <return-response>
                  <set-status code="418" reason="Teapot"/>
                  <set-header name="Content-Type"><value>text/xml</value></set-header>
                  <set-body><a b="1">text</a></set-body>
                </return-response>
                """,
            outbound: "<set-status code='200'/>"
        )
        #expect(sample.status == 418 && sample.response?.reason == "Teapot" && sample.effects.log.isEmpty)
        #expect(sample.body == #"<a b="1">text</a>"# && sample.response?.values("content-type") == ["text/xml"])
    }

    @Test func `check-header refuses with its own words`() throws {
        let check = { (name: String, values: String) in
            """
            <check-header name="\(name)" failed-check-httpcode="401" failed-check-error-message="Not &quot;ok&quot;" ignore-case="true">\(values)</check-header>
            """
        }
        let sample = Sample()
        try sample.run(inbound: check("Accept", "<value>TEXT/plain</value>"))
        #expect(sample.status == 200)
        try sample.run(inbound: check("Accept", ""))
        #expect(sample.status == 200)
        try sample.run(inbound: check("None", ""))
        #expect(sample.status == 401 && sample.body == #"{ "statusCode": 401, "message": "Not \"ok\"" }"#)
        #expect(sample.call?.lastError?.reason == "HeaderNotFound" && sample.call?.lastError?.source == "check-header")
        try sample.run(inbound: check("Accept", "<value>a</value><value>b</value>"))
        #expect(sample.status == 401 && sample.call?.lastError?.reason == "HeaderValueNotAllowed")
    }

    @Test(arguments: [
        ("allow", "<address>10.1.2.3</address>", true), ("allow", "<address>10.1.2.4</address>", false),
        ("forbid", "<address>10.1.2.3</address>", false),
        ("forbid", "<address-range from='10.1.2.4' to='10.1.2.9'/>", true),
        ("allow", "<address-range from='10.1.0.0' to='10.1.255.255'/>", true),
        ("allow", "<address>::ffff:10.1.2.3</address>", true),
        ("allow", "<address-range from='::' to='ffff::'/>", false),
    ])
    func `ip-filter goes by the peer`(_ action: String, _ inside: String, _ passes: Bool) throws {
        let sample = Sample()
        try sample.run(inbound: "<ip-filter action='\(action)'>\(inside)</ip-filter>")
        #expect(sample.status == (passes ? 200 : 403))
        if !passes { #expect(sample.body == #"{ "statusCode": 403, "message": "Forbidden" }"#) }
    }

    @Test func `rate-limit refuses as the contract says`() throws {
        let sample = Sample()
        let limit = """
            <rate-limit calls="2" renewal-period="60" remaining-calls-header-name="X-Left" total-calls-header-name="X-All"
              remaining-calls-variable-name="left"><api name="Other" calls="1" renewal-period="60"/></rate-limit>
            """
        for left in [1, 0] {
            try sample.run(inbound: limit)
            #expect(sample.status == 200 && sample.response?.values("x-left") == ["\(left)"])
            #expect(sample.response?.values("x-all") == ["2"] && sample.call?.variables["left"] == .int(Int64(left)))
        }
        try sample.run(inbound: limit)
        #expect(sample.status == 429 && sample.response?.values("retry-after") == ["57"])
        #expect(sample.body == #"{ "statusCode": 429, "message": "Rate limit is exceeded. Try again in 57 seconds." }"#)
        #expect(sample.call?.lastError?.reason == "RateLimitExceeded")
        // Another subscription has a window of its own, and a call without one none.
        try sample.run(inbound: limit, subscription: "other")
        #expect(sample.status == 200)
        let asked = sample.effects.log.count
        try sample.run(inbound: limit, subscription: nil)
        #expect(sample.status == 200 && sample.effects.log.count == asked + 1)
    }

    @Test func `rate-limit-by-key counts after the answer where its condition asks for it`() throws {
        let limit = #"""
            <rate-limit-by-key calls="1" renewal-period="60" counter-key="@(context.Request.IpAddress)"
              increment-condition="@(context.Response.StatusCode == 401)" increment-count="1"/>
            """#
        let sample = Sample()
        sample.effects.backend = [.success(200), .success(401)]
        try sample.run(inbound: limit)
        try sample.run(inbound: limit)
        #expect(sample.status == 401 && sample.effects.counts["by key 10.1.2.3"] == 1)
        try sample.run(inbound: limit)
        #expect(sample.status == 429)
    }

    @Test func `quota refuses as the contract says, and waits for its ledger`() throws {
        let product = "<policies><inbound><quota calls='100' renewal-period='604800'/><base/></inbound></policies>"
        let sample = Sample()
        sample.effects.quotas = [.pending, .allowed]
        try sample.run([(.global, Sample.global), (.product, product)])
        #expect(!sample.isEnded && sample.effects.log == ["quota o quota[1] 0 sub 1"])
        sample.call?.tryAgain()
        #expect(sample.isEnded && sample.status == 200)
        for (verdict, body, wait) in [
            (
                QuotaVerdict.refused(22 * 86_400 + 14 * 3600 + 18 * 60 + 12),
                " Quota will be replenished in 22.14:18:12.", "1952292"
            ),
            (.refused(59), " Quota will be replenished in 00:00:59.", "59"), (.refused(nil), "", nil),
        ] {
            sample.effects.quotas = [verdict]
            try sample.run([(.global, Sample.global), (.product, product)])
            #expect(sample.status == 403 && sample.response?.values("retry-after") == (wait.map { [$0] } ?? []))
            #expect(sample.body == #"{ "statusCode": 403, "message": "Out of call volume quota.\#(body)" }"#)
            #expect(sample.call?.lastError?.reason == "QuotaExceeded")
        }
        sample.effects.quotas = [.unavailable]
        try sample.run([(.global, Sample.global), (.product, product)])
        #expect(sample.status == 500)
    }

    @Test func `quota-by-key counts a key once a call`() throws {
        let quota = """
            <quota-by-key calls="10" renewal-period="0" counter-key="k" increment-count="2"/>
            <quota-by-key calls="10" renewal-period="0" counter-key="k"/>
            <quota-by-key calls="10" renewal-period="300" counter-key="k"/>
            <quota-by-key calls="10" renewal-period="0" counter-key="late" first-period-start="2026-01-31T00:00:00Z"
              increment-condition="@(context.Response.StatusCode == 200)"/>
            """
        let sample = Sample()
        try sample.run(inbound: quota)
        let counter = "quota quota by key"
        #expect(
            sample.effects.log.filter { !$0.hasPrefix("GET") } == [
                "\(counter) 0 \(TimeText.yearOne) k 2", "\(counter) 0 \(TimeText.yearOne) k 0",
                "\(counter) 300 \(TimeText.yearOne) k 1", "\(counter) 0 1769817600 late 0", "add late 1",
            ]
        )
    }

    @Test func `a document that cannot be used lets nothing through`() throws {
        let sample = Sample()
        let global = try PolicyDocument(
            Sample.global,
            isRaw: true,
            scope: .global,
            owner: "o",
            surroundings: PolicySurroundings()
        )
        try sample.run(PolicyProgram([global, .unusable(scope: .api)]))
        #expect(sample.status == 500 && sample.effects.log.isEmpty)
        #expect(sample.call?.lastError?.reason == "PolicyConfigurationFailure")
    }

    @Test(
        arguments: [
            ("1970-01-01T00:00:00Z", 0), ("2026-11-25T20:05:12Z", 1_795_637_112), ("0001-01-01", -62_135_596_800),
            ("2000-02-29T23:59:59.5Z", 951_868_799), ("2026-13-01", nil), ("2026-01-01T25:00:00Z", nil), ("soon", nil),
            ("2026-01-01T00:00:00+01:00", nil),
            ("2026-01-01T12:00:.Z", nil), ("2026-01-01T::Z", nil), ("T", nil), ("", nil), ("-", nil),
        ] as [(String, Int64?)]
    )
    func `times of policies are read`(_ text: String, _ seconds: Int64?) {
        #expect(TimeText.seconds(text) == seconds)
    }

    @Test func `limit-concurrency holds its place while the call is inside`() throws {
        let sample = Sample()
        let backend = "<limit-concurrency key='a' max-count='1'><forward-request/></limit-concurrency>"
        try sample.run(backend: backend)
        #expect(sample.status == 200 && sample.effects.permits["a"] == 0)
        sample.effects.backend = [.failure(.inside("BackendConnectionFailure", "gone"))]
        try sample.run(backend: backend)
        #expect(sample.status == 500 && sample.effects.permits["a"] == 0)
        sample.effects.permits["a"] = 1
        try sample.run(backend: backend)
        #expect(sample.status == 429 && sample.effects.permits["a"] == 1)
    }

    @Test(arguments: [
        "http://h:99999", "http://h:x/", "http://a b/", "http://h/?q=1", "http://bücher.example/", "ftp://h", "h:80",
    ])
    func `a base URL that leads nowhere is refused where it is put`(_ url: String) {
        let sample = Sample()
        let problem = #expect(throws: PolicyDiagnostic.self) {
            try sample.run(inbound: "<set-backend-service base-url=\"\(url)\"/>")
        }
        #expect(problem?.message.hasPrefix("\"base-url\" ") == true)
    }

    @Test func `errors go to on-error, which may answer`() throws {
        let sample = Sample()
        sample.effects.backend = [.failure(.inside("BackendConnectionFailure", "connection refused"))]
        try sample.run(
            onError: """
                <set-header name="X-Error"><value>@($"{context.LastError.Source}:{context.LastError.Reason}:{context.LastError.Section}")</value></set-header>
                <set-status code="503" reason="Later"/>
                """
        )
        #expect(
            sample.status == 503
                && sample.response?.values("x-error") == ["forward-request:BackendConnectionFailure:backend"]
        )
        sample.effects.backend = [.success(502)]
        try sample.run(backend: "<forward-request fail-on-error-status-code='true'/>")
        #expect(sample.status == 500 && sample.call?.lastError?.reason == "BackendStatusFailure")
        // An error in on-error ends the call.
        try sample.run(
            inbound: #"<set-variable name="a" value="@(context.Variables["none"])"/>"#,
            onError: #"<set-variable name="a" value="@(context.Variables["none"])"/>"#
        )
        #expect(sample.isEnded && sample.status == 500 && sample.call?.lastError?.section == "on-error")
    }

    @Test func `fragments stand in the place of what includes them`() throws {
        let sample = Sample()
        let surroundings = PolicySurroundings(
            namedValues: ["who": "ada"],
            fragments: [
                "greet": .init(
                    text:
                        "<fragment><set-variable name='hi' value='{{who}}'/><include-fragment fragment-id='more'/></fragment>",
                    isRaw: true
                ),
                "more": .init(
                    text: "<fragment><set-variable name='more' value='@(1 &lt; 2)'/></fragment>",
                    isRaw: false
                ),
                "loop": .init(text: "<fragment><include-fragment fragment-id='loop'/></fragment>", isRaw: true),
            ]
        )
        try sample.run(inbound: "<include-fragment fragment-id='Greet'/>", surroundings: surroundings)
        #expect(sample.call?.variables == ["hi": .string("ada"), "more": .bool(true)])
        #expect(throws: PolicyDiagnostic.self) {
            try sample.run(inbound: "<include-fragment fragment-id='loop'/>", surroundings: surroundings)
        }
    }

    @Test func `a call whose caller went away does nothing more`() throws {
        let sample = Sample()
        try sample.run(
            inbound: "<retry condition='true' count='9' interval='1'><set-variable name='a' value='b'/></retry>"
        )
        sample.call?.cancel()
        sample.effects.waiting.removeFirst().resume()
        #expect(!sample.isEnded && sample.effects.log == ["wait 1000"])
    }

    @Test func `an answer that was stored is given again, and outbound goes on behind the store`() throws {
        let sample = Sample()
        func run() throws {
            try sample.run(
                inbound: """
                    <base/><cache-lookup vary-by-developer="false" vary-by-developer-groups="false"
                      downstream-caching-type="public"><vary-by-query-parameter>lang; x</vary-by-query-parameter></cache-lookup>
                    """,
                outbound: """
                    <set-header name="X-Before"><value>1</value></set-header><cache-store duration="60" />
                    <set-header name="X-After"><value>1</value></set-header>
                    """
            )
        }
        try run()
        #expect(sample.effects.kept == [60] && sample.call?.wasCached == false)
        #expect(sample.response?.values("cache-control") == ["public, max-age=60, must-revalidate"])
        sample.effects.log = []
        sample.request.query = "details=other&lang=en"
        try run()
        #expect(sample.effects.log.isEmpty && sample.call?.wasCached == true)
        #expect(sample.response?.values("x-after") == ["1"] && sample.response?.values("x-before") == ["1"])
        // What caches on the way have left is what `max-age` says less `Age`.
        #expect(sample.response?.values("cache-control") == ["public, max-age=60, must-revalidate"])
        #expect(sample.response?.values("age") == ["51"])
        sample.request.query = "lang=es"
        try run()
        #expect(sample.effects.log.count == 1 && sample.call?.wasCached == false)
    }

    @Test func `what is not to be shared is neither looked up nor stored`() throws {
        let lookup = #"<cache-lookup vary-by-developer="false" vary-by-developer-groups="false" />"#
        for (method, header) in [("POST", nil), ("GET", ("authorization", "Bearer x"))] {
            let sample = Sample()
            sample.request.method = method
            if let header { sample.request.headers.append(header) }
            try sample.run(inbound: lookup, outbound: #"<cache-store duration="60" />"#)
            #expect(sample.effects.kept.isEmpty && sample.call?.wasCached == nil)
        }
        let sample = Sample()
        sample.effects.backend = [.success(404), .success(404)]
        try sample.run(inbound: lookup, outbound: #"<cache-store duration="60" />"#)
        #expect(sample.effects.kept.isEmpty)
        try sample.run(
            inbound: lookup,
            outbound: #"<cache-store duration="5" cache-response="@(context.Response.StatusCode == 404)" />"#
        )
        #expect(sample.effects.kept == [5])
        sample.request.headers.append(("if-none-match", "\"1\""))
        sample.effects.cache = [:]
        try sample.run(inbound: lookup)
        #expect(sample.call?.request.values("if-none-match").isEmpty == true)
    }

    @Test func `a developer has answers of its own where the policy says so`() throws {
        let sample = Sample()
        for subscription in ["one", "two"] {
            try sample.run(
                inbound: #"<cache-lookup vary-by-developer="true" vary-by-developer-groups="false" />"#,
                outbound: #"<cache-store duration="60" />"#,
                subscription: subscription
            )
        }
        #expect(sample.effects.kept == [60, 60])
    }

    @Test func `metrics are emitted with their dimensions`() throws {
        let sample = Sample()
        try sample.run(
            inbound: """
                <emit-metric name="calls" namespace="shop" value="2.5">
                  <dimension name="API ID" /><dimension name="User ID" />
                  <dimension name="Client" value="@(context.Request.Headers.GetValueOrDefault("accept", "none"))" />
                </emit-metric>
                """
        )
        let metric = try #require(sample.effects.metrics.first)
        #expect(metric.name == "calls" && metric.namespace == "shop" && metric.value == 2.5)
        #expect(metric.dimensions.map(\.name) == ["API ID", "User ID", "Client"])
        #expect(metric.dimensions.map(\.value) == ["guide", "N/A", "text/plain"])
        for wrong in [
            #"<emit-metric name="a" />"#, #"<emit-metric name="a" value="x"><dimension name="API ID" /></emit-metric>"#,
            #"<emit-metric name="a"><dimension name="Mine" /></emit-metric>"#,
        ] {
            #expect(throws: PolicyDiagnostic.self) { try sample.run(inbound: wrong) }
        }
    }

    @Test func `bytes are counted in a quota of their own`() throws {
        let sample = Sample()
        let product = "<policies><inbound><quota bandwidth='10' renewal-period='3600' calls='5' /></inbound></policies>"
        try sample.run([(.global, Sample.global), (.product, product)])
        #expect(sample.effects.log.filter { $0.hasPrefix("quota") }.count == 2)
        #expect(sample.call?.bandwidth.map(\.calls) == [10_240])
        sample.effects.quotas = [.allowed, .refused(90_061)]
        try sample.run([(.global, Sample.global), (.product, product)])
        #expect(
            sample.body
                == #"{ "statusCode": 403, "message": "Out of bandwidth quota. Quota will be replenished in 1.01:01:01." }"#
        )
        try sample.run(
            inbound:
                #"<quota-by-key bandwidth="1" renewal-period="300" counter-key="k" increment-condition="@(context.Response.StatusCode == 200)" />"#
        )
        #expect(sample.call?.bandwidth.map(\.calls) == [1024])
    }

    @Test func `a trace tells each step with what it changed, and what was said in it`() throws {
        let sample = Sample()
        sample.tracing = true
        try sample.run(
            inbound: """
                <set-variable name="v" value="@(2)" />
                <choose><when condition="@(context.Variables["v"] == null)"><set-header name="X"><value>1</value></set-header></when></choose>
                <set-header name="X-T" id="mine"><value>t</value></set-header>
                <trace source="author" severity="information"><message>@("seen " + context.Request.Method)</message>
                  <metadata name="m" value="1" /></trace>
                """,
            outbound: "<set-status code='299' />"
        )
        let trace = try #require(sample.call?.trace)
        let inbound = try #require(trace.document["inbound"]?.array)
        #expect(inbound.compactMap { $0["source"]?.string } == ["set-variable", "choose", "set-header", "author"])
        #expect(inbound[0]["data"]?["variables"]?["v"]?.string == "2")
        #expect(inbound[1]["data"]?["flow"]?.string == "skipped")
        #expect(
            inbound[2]["data"]?["request"]?["header X-T"]?.string == "t"
                && inbound[2]["data"]?["policyId"]?.string == "mine"
        )
        #expect(inbound[3]["data"]?["message"]?.string == "seen GET" && inbound[3]["data"]?["m"]?.string == "1")
        #expect(trace.document["outbound"]?.array?.first?["data"]?["response"]?["status"]?.string == "299")
        #expect(inbound[0]["elapsed"]?.string == "00:00:00.0000100")
    }

    @Test func `a mocked answer is the operation's own`() throws {
        let sample = Sample()
        sample.samples = [
            PolicyFacts.Sample(status: 200, contentType: "application/json", body: #"{"a":1}"#),
            PolicyFacts.Sample(status: 200, contentType: "text/xml", body: "<a/>"),
        ]
        try sample.run(inbound: "<mock-response />")
        #expect(sample.body == #"{"a":1}"# && sample.response?.values("content-type") == ["application/json"])
        try sample.run(inbound: #"<mock-response content-type="text/xml" />"#)
        #expect(sample.body == "<a/>" && sample.effects.log.isEmpty)
        try sample.run(inbound: #"<mock-response status-code="404" />"#)
        #expect(sample.status == 404 && sample.body == "")
    }
}
