#if canImport(Glibc)
import Glibc
#endif

/// Makes who guesses passwords wait: longer with every failure, by address and by account at an address.
///
/// An account alone waits little, so that nobody locks its owner out from elsewhere; and not at all where its owner has been before.
/// A plain value; its owner guards it, and asks it before any password is hashed.
package struct SignInBackOff: Sendable {
    /// Failures that cost nothing, and the longest wait.
    private struct Rule {
        let freeFailures: Int
        /// Seconds.
        let longestWait: Double

        /// People mistype.
        static let accountHere = Rule(freeFailures: 5, longestWait: 300)
        /// Many people may share an address.
        static let address = Rule(freeFailures: 20, longestWait: 300)
        /// Guesses from many addresses: some ten thousand a day are left to them.
        static let account = Rule(freeFailures: 30, longestWait: 8)
    }

    /// Seconds after the first failure that costs something, doubled by each further one.
    private static let firstWait = 2.0
    /// Failures are forgotten after so many seconds without another.
    private static let memory = 3600.0
    /// Accounts and addresses that are remembered: some 100 bytes each.
    package static let entriesMax = 4096

    private struct Entry {
        var failures = 0
        var last = 0.0
        var until = 0.0
        /// Whether the account's owner was signed in from this address.
        var isKnown = false
    }

    private var entries: [String: Entry] = [:]

    package init() {}

    package var count: Int { entries.count }

    /// Seconds that somebody has to wait before a try counts; nil where it may be judged now.
    package func wait(account: String, address: String, now: Double) -> Double? {
        let keys = Keys(account, address)
        let here = entries[keys.here]
        var until = max(here?.until ?? 0, entries[keys.address]?.until ?? 0)
        if here?.isKnown != true { until = max(until, entries[keys.account]?.until ?? 0) }
        return until > now ? until - now : nil
    }

    package mutating func failed(account: String, address: String, now: Double) {
        let keys = Keys(account, address)
        note(keys.here, .accountHere, now)
        note(keys.address, .address, now)
        note(keys.account, .account, now)
    }

    /// Forgets the account's failures at this address; the address may be guessing at others.
    package mutating func succeeded(account: String, address: String, now: Double) {
        let keys = Keys(account, address)
        if entries[keys.here] == nil, entries.count >= Self.entriesMax { makeRoom(now) }
        entries[keys.here] = Entry(last: now, isKnown: true)
    }

    private struct Keys {
        let here: String
        let address: String
        let account: String

        init(_ account: String, _ address: String) {
            let network = SignInBackOff.network(of: address)
            here = "h\(network) \(account)"
            self.address = "a\(network)"
            self.account = "m\(account)"
        }
    }

    /// Whoever has one address of IPv6 has 2^64 of them: those count as one.
    ///
    /// An IPv4 address within IPv6 is itself.
    package static func network(of address: String) -> String {
        var bytes = in6_addr()
        guard address.contains(":"), inet_pton(AF_INET6, address, &bytes) == 1 else { return address }
        return withUnsafeBytes(of: &bytes) { bytes in
            let isMapped = bytes[..<10].allSatisfy { $0 == 0 } && bytes[10] == 0xFF && bytes[11] == 0xFF
            if isMapped { return bytes[12...].map(String.init).joined(separator: ".") }
            return bytes.prefix(8).map { String($0, radix: 16) }.joined(separator: ".")
        }
    }

    private mutating func note(_ key: String, _ rule: Rule, _ now: Double) {
        var entry = entries[key] ?? Entry()
        if now - entry.last > Self.memory { entry = Entry(isKnown: entry.isKnown) }
        entry.failures += 1
        entry.last = now
        let beyond = entry.failures - rule.freeFailures
        // A double holds the power long after the bound is reached.
        if beyond > 0 {
            entry.until = now + min(rule.longestWait, Self.firstWait * Double(1 << min(beyond - 1, 16)))
        }
        if entries[key] == nil, entries.count >= Self.entriesMax { makeRoom(now) }
        entries[key] = entry
    }

    /// Those who need not wait go first, then whoever failed longest ago: a sixteenth at once, so that a flood sorts seldom.
    private mutating func makeRoom(_ now: Double) {
        let order = entries.sorted {
            ($0.value.until > now ? 1 : 0, $0.value.last) < ($1.value.until > now ? 1 : 0, $1.value.last)
        }
        for (key, _) in order.prefix(Self.entriesMax / 16) { entries[key] = nil }
    }
}
