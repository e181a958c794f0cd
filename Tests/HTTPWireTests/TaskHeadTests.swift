import HTTPWire
import Testing

@Suite struct TaskHeadTests {
    private func head(_ address: String, _ fields: [(String, String)] = [], isTLS: Bool = false) -> TaskHead {
        TaskHead(
            method: "GET",
            target: "/",
            fields: fields.map { (name: $0.0, value: $0.1) },
            clientAddress: address,
            isTLS: isTLS,
            closes: false
        )
    }

    private let proxies: Set<String> = ["10.0.0.1", "10.0.0.2", "127.0.0.1"]

    @Test func `proxies that are trusted say whether a request came over TLS`() {
        let https = [("X-Forwarded-Proto", "https")]
        #expect(head("10.0.0.1", https).isSecure(trusting: proxies))
        #expect(!head("10.0.0.9", https).isSecure(trusting: proxies))
        #expect(head("10.0.0.9", isTLS: true).isSecure(trusting: proxies))
        #expect(!head("10.0.0.1").isSecure(trusting: proxies))
        #expect(!head("10.0.0.1", https + [("x-forwarded-proto", "http")]).isSecure(trusting: proxies))
    }

    @Test(arguments: [
        ("10.0.0.9", ["1.2.3.4"], "10.0.0.9"), ("10.0.0.1", [], "10.0.0.1"), ("10.0.0.1", ["1.2.3.4"], "1.2.3.4"),
        ("10.0.0.1", ["9.9.9.9, 1.2.3.4 ,10.0.0.2"], "1.2.3.4"), ("10.0.0.1", ["9.9.9.9", "::1"], "::1"),
        ("10.0.0.1", ["1.2.3.4, unknown"], "10.0.0.1"), ("10.0.0.1", ["10.0.0.2"], "10.0.0.2"),
        ("10.0.0.1", ["9.9.9.9, ::ffff:1.2.3.4, ::ffff:10.0.0.2"], "1.2.3.4"),
    ])
    func `a caller's address is the last that a trusted proxy saw`(address: String, lines: [String], wanted: String) {
        let fields = lines.map { ("X-Forwarded-For", $0) }
        #expect(head(address, fields).callerAddress(trusting: proxies) == wanted)
    }

    @Test func `connections of this machine are told from others`() {
        for address in ["127.0.0.1", "127.8.0.1", "::1", "::ffff:127.0.0.1"] { #expect(head(address).isLoopback) }
        for address in ["10.0.0.1", "::2", "", "1.127.0.1"] { #expect(!head(address).isLoopback) }
    }
}
