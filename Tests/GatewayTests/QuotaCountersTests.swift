import Gateway
import Policies
import Synchronization
import Testing

/// A ledger whose answers come when the test wants them, and which can fail.
private final class SampleLedger: QuotaLedger {
    private let kept = Mutex<[String: Int64]>([:])
    private let failures = Atomic<Int>(0)
    let writes = Atomic<Int>(0)

    private func place(_ subject: String, _ period: Int64, _ end: Int64?) -> String {
        "\(subject) \(period) \(end ?? -1)"
    }

    func fail(times: Int) { failures.store(times, ordering: .relaxed) }

    private func mayFail() throws {
        guard failures.load(ordering: .relaxed) > 0 else { return }
        failures.subtract(1, ordering: .relaxed)
        throw CancellationError()
    }

    func reserve(_ standing: QuotaStanding) async throws {
        try mayFail()
        writes.add(1, ordering: .relaxed)
        let place = place(standing.subject, standing.period, standing.end)
        kept.withLock { $0[place] = max($0[place] ?? 0, standing.count) }
    }

    func replace(_ standing: QuotaStanding) async throws {
        kept.withLock { $0[place(standing.subject, standing.period, standing.end)] = standing.count }
    }

    func standings(subject: String) async throws -> [QuotaStanding] { [] }

    func reserved(counter: String, subject: String, period: Int64, end: Int64?) async throws -> Int64 {
        try mayFail()
        return kept.withLock { $0[place(subject, period, end)] ?? 0 }
    }
}

@Suite struct QuotaCountersTests {
    private func window(_ calls: Int, period: Int = 1000, first: Int64 = 0) -> QuotaWindow {
        QuotaWindow(counter: "c", subject: "s", calls: calls, period: period, firstPeriod: first)
    }

    /// Asks as a call does: again after each wait.
    private func take(_ counters: QuotaCounters, _ window: QuotaWindow, _ increment: Int = 1) async -> QuotaVerdict {
        while true {
            let verdict = await withCheckedContinuation { (continuation: CheckedContinuation<QuotaVerdict?, Never>) in
                let verdict = counters.take(window, increment: increment) { { continuation.resume(returning: nil) } }
                if case .pending = verdict { return }
                continuation.resume(returning: verdict)
            }
            if let verdict { return verdict }
        }
    }

    private func passes(_ counters: QuotaCounters, _ window: QuotaWindow) async -> Bool {
        if case .allowed = await take(counters, window) { return true }
        return false
    }

    @Test func `a period of another length is another one, also where it began at the same time`() async throws {
        let counters = QuotaCounters(ledger: SampleLedger()) { 500 }
        for _ in 0..<2 { #expect(await passes(counters, window(2, period: 0))) }
        guard case .refused(nil) = await take(counters, window(2, period: 0)) else {
            Issue.record("a quota without periods has no time to wait for")
            return
        }
        for _ in 0..<3 { #expect(await passes(counters, window(3, period: 1000))) }
        guard case .refused(500) = await take(counters, window(3, period: 1000)) else {
            Issue.record("the new period's end is what callers wait for")
            return
        }
        // Of the same length it goes on.
        #expect(await passes(counters, window(4, period: 1000)))
        let isFull = await passes(counters, window(4, period: 1000))
        #expect(!isFull)
    }

    @Test func `a counter goes on from the number that it is given`() async throws {
        let ledger = SampleLedger()
        let counters = QuotaCounters(ledger: ledger) { 500 }
        for _ in 0..<10 { #expect(await passes(counters, window(10))) }
        let full = await passes(counters, window(10))
        #expect(!full)
        let standing = try #require(try await counters.standings(subject: "s").first)
        #expect(standing == QuotaStanding(counter: "c", subject: "s", period: 0, end: 1000, count: 10))
        try await counters.replace(QuotaStanding(counter: "c", subject: "s", period: 0, end: 1000, count: 7))
        for _ in 0..<3 { #expect(await passes(counters, window(10))) }
        let isFull = await passes(counters, window(10))
        #expect(!isFull)
        // The next process goes on from what was set as well.
        try await counters.replace(QuotaStanding(counter: "c", subject: "s", period: 0, end: 1000, count: 4))
        let later = QuotaCounters(ledger: ledger) { 500 }
        var passed = 0
        for _ in 0..<20 where await passes(later, window(10)) { passed += 1 }
        #expect(passed == 6)
        #expect(try await counters.standings(subject: "another").isEmpty)
    }

    @Test(arguments: [1, 2, 7, 100, 2500]) func `exactly so many calls pass`(_ limit: Int) async {
        let ledger = SampleLedger()
        let counters = QuotaCounters(ledger: ledger) { 500 }
        var passed = 0
        for _ in 0..<(limit + 20) where await passes(counters, window(limit)) { passed += 1 }
        #expect(passed == limit)
        // A hundredth of a quota is reserved at once.
        #expect(ledger.writes.load(ordering: .relaxed) <= 130)
        guard case .refused(500) = await take(counters, window(limit)) else {
            Issue.record("the quota should be replenished after 500 seconds")
            return
        }
    }

    @Test func `calls at once let no more through`() async {
        let counters = QuotaCounters(ledger: SampleLedger()) { 0 }
        let window = window(777)
        let passed = await withTaskGroup(of: Int.self) { group in
            for _ in 0..<8 {
                group.addTask {
                    var count = 0
                    for _ in 0..<300 where await passes(counters, window) { count += 1 }
                    return count
                }
            }
            return await group.reduce(0, +)
        }
        #expect(passed == 777)
    }

    @Test func `a process that is killed forgets no call`() async {
        let ledger = SampleLedger()
        var passed = 0
        for _ in 0..<50 {
            let counters = QuotaCounters(ledger: ledger) { 0 }
            for _ in 0..<Int.random(in: 0...40) where await passes(counters, window(1000)) { passed += 1 }
        }
        #expect(passed <= 1000)
        let counters = QuotaCounters(ledger: ledger) { 0 }
        while await passes(counters, window(1000)) { passed += 1 }
        // What kills cost is what was reserved and not used.
        #expect(passed <= 1000 && passed >= 1000 - 51 * 20)
    }

    @Test func `more is reserved at once where it is used faster, and less again where it is not`() async {
        let ledger = SampleLedger()
        let clock = Mutex<Int64>(0)
        let counters = QuotaCounters(ledger: ledger) { clock.withLock { $0 } }
        let window = window(100_000_000)
        for _ in 0..<200_000 { #expect(await passes(counters, window)) }
        // By a thousand each there would be two hundred.
        let fast = ledger.writes.load(ordering: .relaxed)
        #expect(fast < 40)
        // A thousand calls in three seconds: pieces of their first size again after some of them.
        for second in 1...1200 {
            clock.withLock { $0 = Int64(second) * 3 }
            for _ in 0..<1000 { #expect(await passes(counters, window)) }
        }
        #expect(ledger.writes.load(ordering: .relaxed) - fast > 600)
    }

    @Test func `a period begins anew and one without end does not`() async {
        let time = Mutex<Int64>(-1500)
        let counters = QuotaCounters(ledger: SampleLedger()) { time.withLock { $0 } }
        #expect(await passes(counters, window(1)))
        guard case .refused(500) = await take(counters, window(1)) else {
            Issue.record("periods are counted from the first one, also backwards")
            return
        }
        time.withLock { $0 = -999 }
        #expect(await passes(counters, window(1)))
        let forever = window(1, period: 0)
        #expect(await passes(counters, QuotaWindow(counter: "f", subject: "f", calls: 1, period: 0, firstPeriod: 0)))
        time.withLock { $0 = .max / 2 }
        guard
            case .refused(nil) = await take(
                counters,
                QuotaWindow(counter: "f", subject: "f", calls: 1, period: forever.period, firstPeriod: 0)
            )
        else {
            Issue.record("a quota without a period is never replenished")
            return
        }
    }

    @Test func `what is counted after the answer is counted`() async {
        let ledger = SampleLedger()
        let counters = QuotaCounters(ledger: ledger) { 0 }
        counters.add(window(5), 2)
        guard case .allowed = await take(counters, window(5), 0) else {
            Issue.record("there is room")
            return
        }
        var passed = 0
        for _ in 0..<9 where await passes(counters, window(5)) { passed += 1 }
        #expect(passed == 3)
    }

    @Test func `a ledger that fails lets nothing through, and is asked again`() async {
        let ledger = SampleLedger()
        ledger.fail(times: 1)
        let counters = QuotaCounters(ledger: ledger) { 0 }
        guard case .unavailable = await take(counters, window(3)) else {
            Issue.record("nothing is known of the quota")
            return
        }
        #expect(await passes(counters, window(3)))
    }

    @Test func `who waits while a period ends is told`() async {
        let ledger = SlowLedger()
        let clock = Clock(time: 10)
        let counters = QuotaCounters(ledger: ledger) { clock.now.load(ordering: .relaxed) }
        async let first = passes(counters, window(5))
        while ledger.asked.load(ordering: .relaxed) == 0 { await Task.yield() }
        clock.now.store(1010, ordering: .relaxed)
        async let second = passes(counters, window(5))
        while ledger.asked.load(ordering: .relaxed) < 2 { await Task.yield() }
        ledger.isOpen.store(true, ordering: .relaxed)
        let both = await [first, second]
        #expect(both == [true, true])
    }
}

private final class Clock: Sendable {
    let now: Atomic<Int64>

    init(time: Int64) { now = Atomic(time) }
}

/// A ledger that answers nobody until it is opened.
private final class SlowLedger: QuotaLedger {
    let asked = Atomic<Int>(0)
    let isOpen = Atomic<Bool>(false)

    func reserve(_ standing: QuotaStanding) async throws {}
    func replace(_ standing: QuotaStanding) async throws {}
    func standings(subject: String) async throws -> [QuotaStanding] { [] }

    func reserved(counter: String, subject: String, period: Int64, end: Int64?) async throws -> Int64 {
        asked.add(1, ordering: .relaxed)
        while !isOpen.load(ordering: .relaxed) { await Task.yield() }
        return 0
    }
}
