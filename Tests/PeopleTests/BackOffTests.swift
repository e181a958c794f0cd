import People
import Testing

/// Who waits, and for how long.
@Suite struct BackOffTests {
    @Test func `guesses at one account wait twice as long each time, and five cost nothing`() {
        var backOff = SignInBackOff()
        var now = 0.0
        var waits: [Double] = []
        for _ in 0..<16 {
            backOff.failed(account: "a", address: "1", now: now)
            let wait = backOff.wait(account: "a", address: "1", now: now) ?? 0
            waits.append(wait)
            now += wait
        }
        #expect(waits == [0, 0, 0, 0, 0, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300, 300])
        // Nobody else waits, at this address or elsewhere.
        backOff.failed(account: "a", address: "1", now: now)
        #expect(backOff.wait(account: "a", address: "1", now: now) != nil)
        #expect(backOff.wait(account: "a", address: "2", now: now) == nil)
        #expect(backOff.wait(account: "b", address: "1", now: now) == nil)
        // An hour without a failure, and all is forgotten.
        now += 3601
        backOff.failed(account: "a", address: "1", now: now)
        #expect(backOff.wait(account: "a", address: "1", now: now) == nil)
    }

    @Test func `an address that guesses at many accounts waits at all of them`() {
        var backOff = SignInBackOff()
        for account in 0..<20 { backOff.failed(account: "\(account)", address: "1", now: 0) }
        #expect(backOff.wait(account: "new", address: "1", now: 0) == nil)
        backOff.failed(account: "20", address: "1", now: 0)
        #expect(backOff.wait(account: "new", address: "1", now: 0) == 2)
        #expect(backOff.wait(account: "new", address: "2", now: 0) == nil)
    }

    @Test func `an owner is not locked out by guesses from elsewhere`() {
        var backOff = SignInBackOff()
        backOff.succeeded(account: "a", address: "home", now: 0)
        for address in 0..<1000 { backOff.failed(account: "a", address: "\(address)", now: 0) }
        let wait = backOff.wait(account: "a", address: "new", now: 0)
        #expect(wait == 8)
        #expect(backOff.wait(account: "a", address: "home", now: 0) == nil)
    }

    @Test func `whoever signs in has mistyped nothing`() {
        var backOff = SignInBackOff()
        for _ in 0..<6 { backOff.failed(account: "a", address: "1", now: 0) }
        #expect(backOff.wait(account: "a", address: "1", now: 0) == 2)
        backOff.succeeded(account: "a", address: "1", now: 3)
        backOff.failed(account: "a", address: "1", now: 3)
        #expect(backOff.wait(account: "a", address: "1", now: 3) == nil)
    }

    @Test func `the table is bounded, and those who wait stay in it`() {
        var backOff = SignInBackOff()
        for _ in 0..<8 { backOff.failed(account: "a", address: "guesser", now: 0) }
        for number in 0..<20_000 { backOff.failed(account: "m\(number)", address: "a\(number)", now: 1) }
        #expect(backOff.count <= SignInBackOff.entriesMax)
        #expect(backOff.wait(account: "a", address: "guesser", now: 1) != nil)
    }

    @Test func `a network of IPv6 is one address`() {
        #expect(SignInBackOff.network(of: "2001:db8:1:2::1") == SignInBackOff.network(of: "2001:db8:1:2:ffff::9"))
        #expect(SignInBackOff.network(of: "2001:db8:1:2::1") != SignInBackOff.network(of: "2001:db8:1:3::1"))
        #expect(SignInBackOff.network(of: "127.0.0.1") == "127.0.0.1")
        // IPv4 as a socket of IPv6 tells it.
        #expect(SignInBackOff.network(of: "::ffff:192.0.2.7") == "192.0.2.7")
        #expect(SignInBackOff.network(of: "::ffff:192.0.2.7") != SignInBackOff.network(of: "::ffff:192.0.2.8"))
    }
}
