import Expressions
import Policies
import ResourceModel
import Testing

@Suite struct RetryTests {
    @Test func `retry repeats, waits and ends`() throws {
        let sample = Sample()
        let retry = #"""
            <retry condition="@((int)context.Variables.GetValueOrDefault("never", 1) == 1)" count="3" interval="2" delta="1" first-fast-retry="true">
              <set-variable name="seen" value="@(context.Variables.GetValueOrDefault("seen", "") + "x")"/>
            </retry>
            """#
        try sample.run(inbound: retry)
        for wait in ["wait 3000", "wait 4000"] {
            #expect(!sample.isEnded && sample.effects.log.last == wait)
            sample.effects.waiting.removeFirst().resume()
        }
        #expect(sample.isEnded && sample.status == 200 && sample.call?.variables["seen"] == .string("xxxx"))
    }

    @Test func `a backend is asked again while its answer is not wanted`() throws {
        let sample = Sample()
        sample.effects.backend = [.success(503), .success(502), .success(200)]
        try sample.run(
            backend: """
                <retry condition="@(context.Response.StatusCode >= 500)" count="5" interval="0">
                  <set-variable name="seen" value="@(context.Variables.GetValueOrDefault("seen", "") + "x")"/>
                  <forward-request buffer-request-body="true"/>
                </retry>
                """
        )
        #expect(sample.status == 200 && sample.effects.log.count == 3)
        #expect(sample.call?.variables["seen"] == .string("xxx"))
    }

    private static let refused = PolicyFailure.inside("BackendConnectionFailure", "connection refused")

    @Test(
        arguments: [
            // Condition, what the backend does in turn, the status of the call, attempts.
            ("@(context.Response.StatusCode == 500)", [nil, nil, 200], 200, 3),
            ("@(context.Response == null || context.Response.StatusCode == 429)", [nil, 429, 200], 200, 3),
            ("@(context.Response != null && context.Response.StatusCode >= 500)", [nil, 503, 204], 204, 3),
            (#"@(context.LastError?.Reason == "BackendConnectionFailure")"#, [nil, 503], 503, 2),
            ("true", [nil, 200, 200, 200], 200, 4),
            ("@(context.Response.StatusCode == 429)", [nil, 200], 500, 1),
            (#"@((int)context.Variables["none"] == 1)"#, [nil, 200], 500, 1),
            ("@(true)", [nil, nil, nil, nil, 200], 500, 4),
        ] as [(String, [Int?], Int, Int)]
    )
    func `retry asks again where a connection failed`(
        _ condition: String,
        _ answers: [Int?],
        _ status: Int,
        _ attempts: Int
    ) throws {
        let sample = Sample()
        sample.effects.backend = answers.map { $0.map { .success($0) } ?? .failure(Self.refused) }
        try sample.run(
            backend: """
                <retry condition="\(condition)" count="3" interval="0">
                  <limit-concurrency key="k" max-count="1"><forward-request buffer-request-body="true"/></limit-concurrency>
                </retry>
                """,
            outbound: """
                <set-header name="X-Error"><value>@(context.LastError == null ? "none" : "some")</value></set-header>
                """,
            onError: """
                <set-header name="X-Error"><value>@($"{context.LastError.Source}:{context.LastError.Reason}:{context.LastError.Section}")</value></set-header>
                """
        )
        #expect(sample.status == status && sample.effects.log.filter { $0.hasPrefix("GET") }.count == attempts)
        let hasFailed = status == 500
        let error = hasFailed ? "forward-request:BackendConnectionFailure:backend" : "none"
        #expect(sample.response?.values("x-error") == [error])
        #expect(sample.effects.permits["k"] == 0)
    }

    @Test func `an attempt that a loop gives up is the next one's`() throws {
        let sample = Sample()
        sample.effects.backend = [
            .failure(Self.refused), .failure(Self.refused), .failure(Self.refused), .success(200),
        ]
        let loops = """
            <retry condition="true" count="1" interval="0"><set-variable name="seen" value="@(context.Variables.GetValueOrDefault("seen", "") + "x")"/>
              <retry condition="@(context.LastError != null)" count="1" interval="0"><forward-request/></retry>
            </retry>
            """
        try sample.run(backend: loops)
        #expect(
            sample.status == 200 && sample.effects.log.count == 4 && sample.call?.variables["seen"] == .string("xx")
        )
        sample.effects.backend = [
            .failure(Self.refused), .failure(Self.refused), .failure(Self.refused), .failure(Self.refused),
        ]
        try sample.run(backend: loops)
        #expect(sample.status == 500 && sample.call?.lastError?.source == "forward-request")
        // With a pause between, and with an answer that is an error by the policy's wish.
        sample.effects.log = []
        sample.effects.backend = [.failure(Self.refused), .success(502), .success(201)]
        try sample.run(
            backend: """
                <retry condition="@(context.Response.StatusCode >= 500)" count="9" interval="2"><forward-request fail-on-error-status-code="true"/></retry>
                """
        )
        for _ in 0..<2 { sample.effects.waiting.removeFirst().resume() }
        #expect(sample.status == 201 && sample.effects.log.filter { $0 == "wait 2000" }.count == 2)
    }
}
