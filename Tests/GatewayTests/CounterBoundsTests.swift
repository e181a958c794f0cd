import Gateway
import Policies
import Synchronization
import Testing

/// A ledger that remembers rows as the disk would.
private final class Rows: QuotaLedger {
    let kept = Mutex<[String: Int64]>([:])

    private func row(_ counter: String, _ subject: String) -> String { "\(counter)|\(subject)" }

    func reserve(_ standing: QuotaStanding) async throws { try await replace(standing) }

    func replace(_ standing: QuotaStanding) async throws {
        kept.withLock { $0[row(standing.counter, standing.subject)] = standing.count }
    }

    func reserved(counter: String, subject: String, period: Int64, end: Int64?) async throws -> Int64 {
        kept.withLock { $0[row(counter, subject)] ?? 0 }
    }

    func standings(subject: String) async throws -> [QuotaStanding] { [] }
}

@Suite struct CounterBoundsTests {
    private final class Time: Sendable {
        let now = Atomic<Int64>(1)
    }

    private func rate(
        _ key: String,
        calls: Int = 1,
        period: Int = 60,
        _ policy: String = "p",
        _ subscription: String = "s"
    ) -> RateWindow {
        RateWindow(
            counter: "by key",
            subject: key,
            calls: calls,
            period: period,
            holder: CounterHolder(policy: policy, subscription: subscription)
        )
    }

    private func quota(_ key: String, calls: Int = 1, period: Int = 300, _ subscription: String = "s") -> QuotaWindow {
        QuotaWindow(
            counter: "by key",
            subject: key,
            calls: calls,
            period: period,
            firstPeriod: 0,
            holder: CounterHolder(policy: "p", subscription: subscription)
        )
    }

    /// Asks as a call does: again after each wait.
    private func passes(_ counters: QuotaCounters, _ window: QuotaWindow) async -> Bool {
        while true {
            let verdict = await withCheckedContinuation { (continuation: CheckedContinuation<QuotaVerdict?, Never>) in
                let verdict = counters.take(window, increment: 1) { { continuation.resume(returning: nil) } }
                if case .pending = verdict { return }
                continuation.resume(returning: verdict)
            }
            switch verdict {
            case .allowed?: return true
            case nil: continue
            default: return false
            }
        }
    }

    @Test func `a long key is kept by its digest, and no key stands for another's`() {
        let long = String(repeating: "x", count: 30_000)
        let digest = CounterKey.kept(long)
        #expect(digest.utf8.count == 71 && digest == CounterKey.kept(long) && digest != CounterKey.kept(long + "y"))
        #expect(CounterKey.kept("short") == "short" && CounterKey.kept(String(repeating: "x", count: 64)).count == 64)
        // Who sends what a digest looks like is counted as somebody else.
        #expect(CounterKey.kept(digest) != digest)
        // On the disk no key lies as it is.
        #expect(CounterKey.stored("short") != "short" && CounterKey.stored(digest) == digest)
        #expect(CounterKey.stored("short") == CounterKey.stored(CounterKey.stored("short")))
    }

    @Test func `new keys beyond the bound share one counter with the limit of one key`() {
        let counters = LimitCounters(keysMax: 100) { 1 }
        for key in 0..<100 { #expect(counters.take(rate("k\(key)", calls: 3), increment: 1).isAllowed) }
        // Three calls for all that come later.
        let passed = (0..<500).count { counters.take(rate("n\($0)", calls: 3), increment: 1).isAllowed }
        #expect(passed == 3 && counters.windowCount == 101)
        #expect(!counters.take(rate("asks", calls: 3), increment: 0).isAllowed, "who only asks is told the same")
        // Known keys go on by themselves, and so do other subscriptions and policies.
        #expect(counters.take(rate("k7", calls: 3), increment: 1).remaining == 1)
        #expect(counters.take(rate("n1", calls: 3, "p", "other"), increment: 1).remaining == 2)
        #expect(counters.take(rate("n2", calls: 3, "q", "s"), increment: 1).remaining == 2)
        // A key of a policy that counts anew where it is known already.
        #expect(counters.take(rate("k7", calls: 3, "q", "s"), increment: 1).remaining == 0)
        #expect(counters.sweep() == [CounterHolder(policy: "p", subscription: "s")] && counters.sweep().isEmpty)
    }

    @Test func `what is over makes room, and leaves the memory`() {
        let time = Time()
        let counters = LimitCounters(keysMax: 1000) { time.now.load(ordering: .relaxed) }
        for key in 0..<1500 { _ = counters.take(rate("a\(key)"), increment: 1) }
        #expect(counters.windowCount == 1001)
        time.now.add(61_000_000_000, ordering: .relaxed)
        // Nobody swept: who finds no room looks for what is over.
        let passed = (0..<5000).count { counters.take(rate("b\($0)"), increment: 1).isAllowed }
        #expect(passed > 900 && passed <= 1001)
        time.now.add(61_000_000_000, ordering: .relaxed)
        _ = counters.sweep()
        #expect(counters.windowCount == 0)
        for key in 0..<1000 { #expect(counters.take(rate("c\(key)"), increment: 1).isAllowed) }
    }

    @Test func `who only asks leaves nothing behind`() {
        let counters = LimitCounters { 1 }
        for key in 0..<1000 { #expect(counters.take(rate("k\(key)", calls: 5), increment: 0).remaining == 5) }
        #expect(counters.windowCount == 0)
    }

    @Test func `quotas by key are bounded in memory and on the disk`() async {
        let rows = Rows()
        let time = Time()
        let counters = QuotaCounters(ledger: rows, keysMax: 50) { time.now.load(ordering: .relaxed) }
        let long = String(repeating: "k", count: 30_000)
        for key in 0..<50 { #expect(await passes(counters, quota("\(long)\(key)", calls: 2))) }
        var passed = 0
        for key in 0..<200 where await passes(counters, quota("\(long)new\(key)", calls: 2)) { passed += 1 }
        #expect(passed == 2 && counters.counterCount == 51)
        #expect(rows.kept.withLock { $0.count } == 51)
        #expect(rows.kept.withLock { $0.keys.allSatisfy { $0.utf8.count < 120 } })
        #expect(await passes(counters, quota("\(long)7", calls: 2)), "known keys go on by themselves")
        #expect(await passes(counters, quota("new", calls: 2, "other")))
        #expect(counters.sweep() == [CounterHolder(policy: "p", subscription: "s")])
        // The next period.
        time.now.store(301, ordering: .relaxed)
        passed = 0
        for key in 0..<100 where await passes(counters, quota("next\(key)")) { passed += 1 }
        // Who finds no room looks for what is over, in its own part of the counters once a second.
        #expect(passed > 20)
        time.now.store(900, ordering: .relaxed)
        _ = counters.sweep()
        #expect(counters.counterCount == 0)
    }

    @Test func `a quota of a long key is found by the key`() async throws {
        let rows = Rows()
        let counters = QuotaCounters(ledger: rows) { 10 }
        let long = String(repeating: "k", count: 100)
        for _ in 0..<3 { #expect(await passes(counters, quota(long, calls: 5))) }
        let standing = try #require(try await counters.standings(subject: long).first)
        #expect(standing.count == 3 && standing.subject == long)
        try await counters.replace(
            QuotaStanding(counter: "by key", subject: long, period: standing.period, end: standing.end, count: 5)
        )
        let isOpen = await passes(counters, quota(long, calls: 5))
        #expect(!isOpen)
    }

    @Test func `places of long keys are given back`() {
        let counters = LimitCounters()
        let key = String(repeating: "k", count: 10_000)
        #expect(counters.acquire(key, max: 1) && !counters.acquire(key, max: 1))
        counters.release(key)
        #expect(counters.acquire(key, max: 1))
    }
}
