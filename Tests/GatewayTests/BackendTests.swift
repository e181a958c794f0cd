import Gateway
import HTTPWire
import NIOCore
import Policies
import Testing

@Suite struct `Backends by the outcome of calls` {
    private static let second: UInt64 = 1_000_000_000

    private func rule(
        count: Int? = nil,
        percentage: Int? = nil,
        retryAfter: Bool = false,
        reasons: [String] = []
    ) -> CircuitRule {
        CircuitRule(
            count: count,
            percentage: percentage,
            interval: 10,
            tripDuration: 5,
            statuses: [500...599],
            reasons: reasons,
            acceptsRetryAfter: retryAfter
        )
    }

    private func backend(_ id: String, _ state: BackendState = BackendState(rule: nil)) -> (String, ManagedBackend) {
        let kind = ManagedBackend.Kind.single(.unsupported(reason: id))
        return (id, ManagedBackend(id: id, kind: kind, credentials: .init(), state: state))
    }

    @Test func `a circuit opens after so many failures within its interval`() {
        let state = BackendState(rule: rule(count: 3))
        var now = Self.second * 1000
        // Two within the interval, and one that the interval has forgotten.
        for _ in 0..<3 {
            state.answered(503, retryAfter: nil, now: now)
            now += Self.second * 7
        }
        #expect(state.isClosed(now))
        for _ in 0..<2 { state.answered(500, retryAfter: nil, now: now) }
        #expect(!state.isClosed(now))
        #expect(!state.isClosed(now + Self.second * 4) && state.isClosed(now + Self.second * 5))
        now += Self.second * 5
        state.answered(503, retryAfter: nil, now: now)
        #expect(state.isClosed(now), "it begins to count anew")
    }

    @Test func `or after a part of all calls, and for as long as the backend asks`() {
        let state = BackendState(rule: rule(percentage: 50, retryAfter: true))
        let now = Self.second * 1000
        for _ in 0..<5 { state.answered(200, retryAfter: nil, now: now) }
        for _ in 0..<4 { state.answered(503, retryAfter: nil, now: now) }
        #expect(state.isClosed(now))
        state.answered(503, retryAfter: 60, now: now)
        #expect(!state.isClosed(now + Self.second * 59) && state.isClosed(now + Self.second * 60))
    }

    @Test func `connections that fail count by their reason`() {
        let state = BackendState(rule: rule(count: 1, reasons: ["timeout"]))
        state.failed("BackendConnectionFailure", now: Self.second)
        #expect(state.isClosed(Self.second))
        state.failed("Timeout", now: Self.second)
        #expect(!state.isClosed(Self.second))
    }

    @Test func `a pool goes by priority, weight and health`() throws {
        let broken = BackendState(rule: rule(count: 1))
        let shaky = BackendState(rule: nil)
        let members = [("a", 1, 2), ("b", 3, 2), ("c", 1, 1), ("d", 1, 1)].map {
            ManagedBackend.Member(id: $0.0, weight: $0.1, priority: $0.2)
        }
        var all = Dictionary(uniqueKeysWithValues: [
            backend("a"), backend("b"), backend("c", broken), backend("d", shaky),
        ])
        all["p"] = ManagedBackend(id: "p", kind: .pool(members), credentials: .init(), state: BackendState(rule: nil))
        let now = Self.second * 1000
        func drawn(_ draw: UInt64, _ excluded: Set<String> = [], _ now: UInt64 = now) throws -> String {
            try all.choose("P", excluding: excluded, now: now) { draw }.id
        }
        #expect(try [drawn(0), drawn(1), drawn(2)] == ["c", "d", "c"])
        broken.answered(500, retryAfter: nil, now: now)
        #expect(try [drawn(0), drawn(1)] == ["d", "d"])
        for _ in 0..<3 { shaky.failed("BackendConnectionFailure", now: now) }
        #expect(try [drawn(0), drawn(1), drawn(2), drawn(3)] == ["a", "b", "b", "b"])
        #expect(try drawn(0, ["a"]) == "b")
        // What is only suspected is asked where there is nothing better; what is broken is not.
        #expect(try drawn(0, ["a", "b"]) == "d")
        #expect(throws: BackendProblem.unavailable) { try drawn(0, ["a", "b", "d"]) }
        #expect(throws: BackendProblem.unknown) { try all.choose("none", excluding: [], now: now) { 0 } }
        #expect(try drawn(0, [], now + Self.second * 11) == "c")
    }

    @Test func `a redirect goes where it may`() {
        func target(_ location: String, tls: Bool = false) -> RedirectTarget? {
            RedirectTarget(
                location,
                from: .init(host: "a.test", port: tls ? 443 : 80, isTLS: tls),
                path: "/base/items/1"
            )
        }
        #expect(target("/x?y=1#z").map { [$0.base, $0.path, $0.query] } == ["http://a.test", "/x", "y=1"])
        #expect(target("next/2").map(\.path) == "/base/items/next/2")
        #expect(target("../x/./{y}").map(\.path) == "/base/x/%7By%7D")
        #expect(target("/x/..").map(\.path) == "/" && target("/x/%2e%2e/y") == nil)
        #expect(target("//b.test:81/").map { [$0.base, $0.path] } == ["http://b.test:81", "/"])
        #expect(target("//b.test/")?.isElsewhere == true && target("/x")?.isElsewhere == false)
        #expect(target("https://a.test")?.isElsewhere == true)
        #expect(target("http://a.test/", tls: true) == nil, "what was secret does not go in the clear")
        for wrong in ["ftp://a.test/", "http://", "http://a b/", "/a b", "/x\r\nY: 1", "http://u@a.test/"] {
            #expect(target(wrong) == nil, "\(wrong)")
        }
    }

    @Test func `the cache keeps within its bytes, and what is asked for stays`() throws {
        let cache = ResponseCache(bytesMax: 1 << 20)
        let head = ByteBuffer(string: "HTTP/1.1 200 OK\r\n\r\n")
        var parser = HeadParser(limits: WireLimits())
        _ = head.withUnsafeReadableBytes { try? parser.parseResponse($0, isAnswerToHEAD: false) }
        let source = WireResponseSource(head: head, parser: parser)
        let answer = ResponseCache.Answer(source: source, body: [UInt8](repeating: 0, count: 1000))
        func request(_ text: String) throws -> CacheRequest {
            var key = CacheKey()
            key.add(text)
            return try #require(CacheRequest(key: key, source: source))
        }
        func insert(_ text: String, _ answer: ResponseCache.Answer, end: UInt64 = .max) throws {
            let place = try #require(ResponseCache.Place(try request(text), varyingBy: []))
            cache.insert(answer, at: place, end: end, now: 1)
        }
        func holds(_ text: String, now: UInt64 = 1) throws -> Bool {
            cache.find(try request(text), now: now) != nil
        }
        try insert("hot", answer)
        for number in 0..<20_000 {
            try insert("k\(number)", answer)
            _ = try holds("hot")
        }
        #expect(cache.bytes <= 1 << 20 && cache.bytes > 1 << 19)
        #expect(try holds("hot") && !holds("k0") && holds("k19999"))
        try insert("short", answer, end: 10)
        #expect(try holds("short", now: 9) && !holds("short", now: 10))
        let large = ResponseCache.Answer(
            source: source,
            body: [UInt8](repeating: 0, count: ResponseCache.answerBytesMax + 1)
        )
        try insert("large", large)
        #expect(try !holds("large"))
    }

    @Test func `tokens are for one API and one time`() {
        let tokens = DebugTokens(key: [UInt8](repeating: 7, count: 32))
        let token = tokens.make(api: "shop", expires: 100)
        func judged(_ text: String, _ now: Int64 = 0) -> String {
            switch tokens.judge(text, now: now) {
            case .valid(let api): api
            case .expired: "expired"
            case .invalid: "invalid"
            }
        }
        #expect(judged(token) == "shop" && judged(token, 100) == "expired")
        #expect(judged(token.replacing("shop", with: "other")) == "invalid")
        #expect(judged(token.replacing("ex=100", with: "ex=999")) == "invalid")
        #expect(judged("") == "invalid" && judged("&sn=") == "invalid")
        #expect(DebugTokens(key: [UInt8](repeating: 8, count: 32)).make(api: "shop", expires: 100) != token)
    }
}
