import Gateway
import Policies
import Synchronization
import Testing

@Suite struct SlidingWindowTests {
    private static let second: Int64 = 1_000_000_000

    private final class Time: Sendable {
        let now = Atomic<Int64>(1)
    }

    /// Every stretch of one window holds at most so many calls, and a call is refused only where a window is full.
    @Test(arguments: [(1, 3), (5, 1), (100, 10), (1000, 2)]) func `a window is exact`(_ calls: Int, _ seconds: Int) {
        var generator = SystemRandomNumberGenerator()
        let period = Int64(seconds) * Self.second
        var window = SlidingWindow(calls: calls, period: period)
        var now: Int64 = 0
        var passed: [Int64] = []
        for _ in 0..<20_000 {
            now += Int64.random(in: 0...(2 * period / Int64(calls)), using: &generator)
            let used = passed.reversed().prefix { $0 > now - period }.count
            let verdict = window.take(now, increment: 1)
            #expect(verdict.isAllowed == (used < calls))
            if verdict.isAllowed {
                #expect(verdict.remaining == calls - used - 1)
                passed.append(now)
            } else {
                // After the wait there is room, and not a nanosecond earlier.
                var early = window
                var late = window
                #expect(!early.take(now + verdict.wait - 1, increment: 0).isAllowed)
                #expect(late.take(now + verdict.wait, increment: 0).isAllowed)
            }
        }
    }

    @Test func `large limits are rounded against the caller`() {
        var window = SlidingWindow(calls: 5000, period: 10 * Self.second)
        var stamps: [Int64] = []
        var now: Int64 = 0
        for _ in 0..<60_000 {
            now += 1_000_000
            if window.take(now, increment: 1).isAllowed { stamps.append(now) }
        }
        var start = 0
        for (end, stamp) in stamps.enumerated() {
            while stamps[start] <= stamp - 10 * Self.second { start += 1 }
            #expect(end - start + 1 <= 5000)
        }
        // A hundredth is what the slices may cost.
        #expect(stamps.count >= 29_500)
    }

    @Test func `loops that count one key at once let no more through`() async {
        let counters = LimitCounters()
        let passed = await withTaskGroup(of: Int.self) { group in
            for _ in 0..<4 {
                group.addTask {
                    (0..<5000).count { _ in
                        counters.take(RateWindow(counter: "c", subject: "k", calls: 100, period: 300), increment: 1)
                            .isAllowed
                    }
                }
            }
            return await group.reduce(0, +)
        }
        #expect(passed == 100)
    }

    @Test func `counters that are over go, those in use stay`() {
        let time = Time()
        let counters = LimitCounters { time.now.load(ordering: .relaxed) }
        let first = RateWindow(counter: "c", subject: "first", calls: 1, period: 300)
        #expect(counters.take(first, increment: 1).isAllowed)
        // Far more keys than are kept, each over after a second.
        for round in 0..<3 {
            for key in 0..<1_200_000 where key % 3 == round {
                _ = counters.take(RateWindow(counter: "c", subject: "\(key)", calls: 1, period: 1), increment: 1)
            }
            time.now.add(2 * Self.second, ordering: .relaxed)
        }
        #expect(!counters.take(first, increment: 1).isAllowed)
        #expect(counters.windowCount < 800_000)
    }

    /// Were they found one behind the other, this would take many minutes.
    @Test(.timeLimit(.minutes(1))) func `counters that differ by their numbers alone do not meet`() {
        let counters = LimitCounters { 0 }
        for calls in 1...50_000 {
            _ = counters.take(RateWindow(counter: "c", subject: "s", calls: calls, period: 300), increment: 1)
        }
        #expect(counters.windowCount == 50_000)
    }

    @Test func `places are given back`() {
        let counters = LimitCounters()
        #expect(counters.acquire("a", max: 2) && counters.acquire("a", max: 2) && !counters.acquire("a", max: 2))
        counters.release("a")
        #expect(counters.acquire("a", max: 2) && !counters.acquire("a", max: 2))
    }
}
