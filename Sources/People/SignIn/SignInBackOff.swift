/// Makes who guesses passwords wait: longer with every failure, by account and by address.
///
/// A plain value; its owner guards it, and asks it before any password is hashed.
package struct SignInBackOff: Sendable {
    /// Failures that cost nothing: people mistype.
    private static let freeFailures = 5
    /// Seconds after the first failure that costs something, doubled by each further one.
    private static let firstWait = 2.0
    /// A person who was locked out by somebody else's guesses waits at most so many seconds.
    private static let longestWait = 300.0
    /// Failures are forgotten after so many seconds without another.
    private static let memory = 3600.0
    /// Accounts and addresses that are remembered: some 100 bytes each.
    private static let entriesMax = 4096

    private struct Entry {
        var failures = 0
        var last = 0.0
        var until = 0.0
    }

    private var entries: [String: Entry] = [:]

    package init() {}

    /// Seconds that somebody has to wait before a try counts; nil where it may be judged now.
    package func wait(account: String, address: String, now: Double) -> Double? {
        let until = max(entries["m" + account]?.until ?? 0, entries["a" + address]?.until ?? 0)
        return until > now ? until - now : nil
    }

    package mutating func failed(account: String, address: String, now: Double) {
        note("m" + account, now)
        note("a" + address, now)
    }

    /// Forgets the account's failures; the address may be guessing at others.
    package mutating func succeeded(account: String) { entries["m" + account] = nil }

    private mutating func note(_ key: String, _ now: Double) {
        var entry = entries[key] ?? Entry()
        if now - entry.last > Self.memory { entry = Entry() }
        entry.failures += 1
        entry.last = now
        let beyond = entry.failures - Self.freeFailures
        // A double holds the power long after the bound is reached.
        if beyond > 0 { entry.until = now + min(Self.longestWait, Self.firstWait * Double(1 << min(beyond - 1, 16))) }
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
