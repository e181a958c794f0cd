import HTTPWire
import NIOCore
import Testing

@Suite struct ConnectionBoundTests {
    private static func share(_ address: String, proxies: Set<[UInt8]> = []) throws -> ClientShare? {
        ClientShare(try SocketAddress(ipAddress: address, port: 1), proxies: proxies)
    }

    @Test(arguments: ["127.0.0.1", "127.9.8.7", "::1", "::ffff:127.0.0.1"])
    func `this machine has no share of its own`(_ address: String) throws {
        #expect(try Self.share(address) == nil)
    }

    @Test func `proxies have none either, and everybody else has`() throws {
        let proxies: Set = [Array("10.0.0.1".utf8), Array("2001:db8::1".utf8)]
        #expect(try Self.share("10.0.0.1", proxies: proxies) == nil)
        #expect(try Self.share("2001:db8::1", proxies: proxies) == nil)
        #expect(try Self.share("10.0.0.2", proxies: proxies) != nil)
    }

    @Test func `an address is one however it is written, and an IPv6 network is one`() throws {
        #expect(try Self.share("10.0.0.1") == Self.share("::ffff:10.0.0.1"))
        #expect(try Self.share("10.0.0.1") != Self.share("10.0.0.2"))
        #expect(try Self.share("2001:db8::1") == Self.share("2001:db8::ffff:1"))
        #expect(try Self.share("2001:db8::1") != Self.share("2001:db8:0:1::1"))
    }

    @Test func `a door counts in all and by address`() throws {
        let counts = ConnectionCounts()
        var limits = WireLimits()
        limits.connectionsMax = 3
        limits.connectionsPerAddressMax = 1
        let (first, second) = (try Self.share("10.0.0.1"), try Self.share("10.0.0.2"))
        #expect(counts.enter(first, limits) == .entered)
        #expect(counts.enter(first, limits) == .addressIsFull)
        #expect(counts.enter(nil, limits) == .entered)
        #expect(counts.enter(nil, limits) == .entered)
        #expect(counts.enter(second, limits) == .doorIsFull)
        counts.hand(from: first, to: second)
        #expect(counts.enter(second, limits) == .addressIsFull)
        counts.leave(second)
        #expect(counts.enter(first, limits) == .entered)
        #expect(counts.enter(second, limits) == .doorIsFull)
    }

    /// Bytes of each second, and after how many of them the body is given up; nil for never.
    private static let bodies: [(seconds: [Int], end: Int?)] = [
        (Array(repeating: 240, count: 600), nil),
        (Array(repeating: 0, count: 60), 11),
        (Array(repeating: 0, count: 10) + Array(repeating: 2400, count: 60), nil),
        // Fast first: what came early buys no more time than the grace.
        ([100_000_000] + Array(repeating: 1, count: 100), 12),
        (Array(repeating: 1_000_000, count: 100) + Array(repeating: 0, count: 100), 111),
        // By turns: nothing for less than the grace, then as much as that.
        ((0..<50).flatMap { _ in Array(repeating: 0, count: 9) + [2400] }, nil),
        (Array(repeating: 120, count: 100), 21),
    ]

    @Test(arguments: bodies) func `a body is judged by its last seconds`(_ seconds: [Int], _ end: Int?) {
        var rate = BodyRate(WireLimits(), received: 500)
        var received = 500
        var found: Int?
        for (index, count) in seconds.enumerated() where found == nil {
            received += count
            if rate.isTooSlow(received: received) { found = index + 1 }
        }
        #expect(found == end)
    }

    @Test func `a client's pace is that of its last whole window`() {
        var pace = ClientPace()
        var now = NIODeadline.now()
        var progress = 1_000_000
        for second in 0..<10 {
            pace.note(progress, at: now)
            #expect(pace.bytes == [nil, 300, 300, 3][second / 3])
            now = now + .seconds(1)
            progress += second < 6 ? 100 : 1
        }
    }

    @Test func `bytes of unfinished bodies are bounded together`() {
        let bytes = CollectedBytes()
        #expect(bytes.take(60, max: 100))
        #expect(!bytes.take(41, max: 100))
        #expect(bytes.take(40, max: 100))
        bytes.give(100)
        #expect(!bytes.take(26, max: 100 / 4))
    }
}
