import Gateway
import HTTPWire
import NIOCore
import Policies
import ResourceModel
import Testing

@Suite struct PolicySourceTests {
    private func text(
        _ template: String,
        _ name: String,
        _ path: String,
        query: String = "",
        isQuery: Bool = false
    ) throws
        -> String?
    {
        let table = OperationTable([
            APIOperation(
                facts: PolicyFacts.Operation(id: "o", name: "", method: "GET", urlTemplate: template),
                template: try URLTemplate(template)
            )
        ])
        let entry = try #require(table.entries.first)
        return Array(path.utf8).withUnsafeBytes { path in
            Array(query.utf8).withUnsafeBytes { query in
                entry.addressText(name, isQuery: isQuery, path: path, query: query)
            }
        }
    }

    @Test func `no byte and no escape of a parameter is lost`() throws {
        #expect(try text("/q/{x}", "X", "/q/caf%E9%2Fb") == "caf%E9%2Fb")
        #expect(try text("/q/{x}", "x", "/q/a{b}%25%zz") == "a%7Bb%7D%25%25zz")
        #expect(try text("/q/{x}", "x", "/q/a:b;c=d+e&f") == "a:b;c=d+e&f")
        #expect(try text("/q/{x}", "x", "/q/a+b&c=d", isQuery: true) == "a%2Bb%26c%3Dd")
        #expect(try text("/q/{x}", "y", "/q/a") == nil)
        #expect(try text("/f/{*rest}", "rest", "/f/a%2Fb/c%20d//e") == "a%2Fb/c%20d//e")
        #expect(try text("/f/{*rest}", "rest", "/f/a%2Fb/c&d", isQuery: true) == "a%2Fb/c%26d")
        #expect(try text("/f/{*rest}", "rest", "/f/") == "")
        #expect(try text("/c/{a}...{b}", "b", "/c/1...%E9%2f") == "%E9%2F")
        #expect(try text("/q?v={v}", "v", "/q", query: "v=a+b%2Bc/%E9&w=1") == "a%20b%2Bc%2F%E9")
    }

    @Test func `answers are kept apart by what their Vary names`() throws {
        let cache = ResponseCache(bytesMax: 1 << 20)
        func source(_ head: String) throws -> WireResponseSource {
            let bytes = ByteBuffer(string: head)
            var parser = HeadParser(limits: WireLimits())
            _ = try bytes.withUnsafeReadableBytes { try parser.parseResponse($0, isAnswerToHEAD: false) }
            return WireResponseSource(head: bytes, parser: parser)
        }
        // Requests stand in for heads: only their fields are asked for.
        func request(_ kind: String) throws -> CacheRequest {
            var key = CacheKey()
            key.add("same")
            return try #require(
                CacheRequest(key: key, source: try source("HTTP/1.1 200 OK\r\nx-kind: \(kind)\r\n\r\n"))
            )
        }
        let head = try source("HTTP/1.1 200 OK\r\n\r\n")
        func insert(_ kind: String, varyingBy names: [String], end: UInt64) throws {
            let answer = ResponseCache.Answer(source: head, body: Array(kind.utf8))
            let place = try #require(ResponseCache.Place(try request(kind), varyingBy: names))
            cache.insert(answer, at: place, end: end, now: 1_000_000_000)
        }
        func found(_ kind: String, _ now: UInt64 = 1_000_000_001) throws -> String? {
            cache.find(try request(kind), now: now).map { String(decoding: $0.answer.body, as: UTF8.self) }
        }
        try insert("a", varyingBy: ["x-kind"], end: 90_000_000_000)
        #expect(try found("a") == "a" && found("b") == nil)
        try insert("b", varyingBy: ["x-kind"], end: 10_000_000_000)
        #expect(try found("a") == "a" && found("b") == "b")
        // One that is good for longer is found for as long.
        #expect(try found("a", 50_000_000_000) == "a" && found("b", 50_000_000_000) == nil)
        let times = try #require(cache.find(try request("a"), now: 5_500_000_000))
        #expect(times.secondsKept == 4 && times.secondsLeft == 84)
        // The last answer says by what they are told apart.
        try insert("c", varyingBy: [], end: .max)
        #expect(try found("a") == "c" && found("z") == "c")
    }

    @Test func `secrets are hidden however they are written`() {
        let secrets = TraceSecrets(["s p/c+t==", "key", "ümlaut"])
        #expect(secrets.hidden("a s p/c+t== b") == "a [redacted] b")
        #expect(secrets.hidden("x=s%20p%2Fc%2Bt%3D%3D&y=s+p%2Fc%2Bt%3D%3D") == "x=[redacted]&y=[redacted]")
        #expect(secrets.hidden("/s%20p/c+t==/%C3%BCmlaut") == "/[redacted]/[redacted]")
        #expect(secrets.hidden("key") == "key", "what is so short stands in every text")
        #expect(secrets.isIn("s p/c+t==") && !secrets.isIn("nothing"))
        #expect(TraceSecrets.isSecret(name: "X-Functions-Key") && !TraceSecrets.isSecret(name: "Accept"))
    }
}
