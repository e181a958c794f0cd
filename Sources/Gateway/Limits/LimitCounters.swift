package import Policies
import Synchronization

#if canImport(Glibc)
import Glibc
#endif

/// The counters of limits, shared by all loops: one lock a shard, held for a few comparisons.
package final class LimitCounters: Sendable {
    /// A power of two; loops meet in a shard only where they count the same keys, and a sweep holds them up for one shard at a time.
    private static let shardCount = 1024
    /// Counters of a shard; when there are more, those whose windows are over go at once.
    private static let countersMax = 1024
    /// Nanoseconds between two looks at a shard for room.
    private static let sweepPause: Int64 = 1_000_000_000
    /// Keys that each policy counts for each subscription; see the setting `limit-keys-max`.
    package static let keysMax = 50_000

    /// A counter's name with its numbers: a policy that is changed counts anew.
    private struct Name: Hashable {
        let counter: String
        let subject: String
        let calls: Int
        let period: Int
        /// Of the first two.
        let hash: Int

        func hash(into hasher: inout Hasher) {
            hasher.combine(hash)
            // Numbers may come from callers by an expression, or change with each version of a policy: counters that differ by
            // nothing else must not meet. Calls have 30 bits and seconds 9.
            hasher.combine(calls << 32 ^ period)
        }
    }

    private struct Counter {
        var window: SlidingWindow
        /// In whose bound it counts.
        let holder: CounterHolder?
    }

    private struct Shard {
        var counters: [Name: Counter] = [:]
        var permits: [String: Int] = [:]
        /// Where the next sweep is worth its time.
        var sweepAt = LimitCounters.countersMax
        var sweptAt = Int64.min

        /// Forgets counters whose windows are over.
        mutating func sweep(_ now: Int64, _ bounds: CounterBounds) {
            sweptAt = now
            // Looked at first: where nothing is over, nothing is built anew.
            guard counters.values.contains(where: { $0.window.isOver(now) }) else { return setNextSweep() }
            counters = counters.filter { item in
                guard item.value.window.isOver(now) else { return true }
                if let holder = item.value.holder { bounds.leave(holder) }
                return false
            }
            setNextSweep()
        }

        /// Where all are in use they stay: forgetting one would let calls through.
        private mutating func setNextSweep() { sweepAt = max(LimitCounters.countersMax, counters.count * 2) }
    }

    private final class Cell: Sendable {
        let shard = Mutex(Shard())
    }

    private let cells: [Cell]
    private let bounds: CounterBounds
    /// Monotonic nanoseconds.
    private let now: @Sendable () -> Int64

    /// - Parameter keysMax: of each policy for each subscription.
    package init(
        keysMax: Int = LimitCounters.keysMax,
        now: @Sendable @escaping () -> Int64 = LimitCounters.monotonic
    ) {
        bounds = CounterBounds(countersMax: keysMax)
        cells = (0..<LimitCounters.shardCount).map { _ in Cell() }
        self.now = now
    }

    package static func monotonic() -> Int64 {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec)
    }

    private func cell(_ hash: Int) -> Cell { cells[hash & (LimitCounters.shardCount - 1)] }

    package func take(_ window: RateWindow, increment: Int) -> RateVerdict {
        let name = Name(
            counter: window.counter,
            subject: window.holder == nil ? window.subject : CounterKey.kept(window.subject),
            calls: window.calls,
            period: window.period,
            hash: window.hash
        )
        let found = cell(window.hash).shard.withLock { shard in
            // The clock is read under the lock, so that stamps have the order in which calls were let through.
            take(&shard, name, window, increment, now())
        }
        guard let found else {
            // New keys beyond the bound share one counter with the limit of one key.
            let others = RateWindow(
                counter: "others of \(window.holder?.policy ?? "")",
                subject: window.holder?.subscription ?? "",
                calls: window.calls,
                period: window.period
            )
            return take(others, increment: increment)
        }
        return RateVerdict(
            isAllowed: found.isAllowed,
            remaining: found.remaining,
            retryAfter: Int((found.wait + 999_999_999) / 1_000_000_000)
        )
    }

    /// - Returns: nil where there is no room for another key.
    private func take(
        _ shard: inout Shard,
        _ name: Name,
        _ window: RateWindow,
        _ increment: Int,
        _ now: Int64
    ) -> (isAllowed: Bool, remaining: Int, wait: Int64)? {
        if let place = shard.counters.index(forKey: name) {
            return shard.counters.values[place].window.take(now, increment: increment)
        }
        if shard.counters.count >= shard.sweepAt { shard.sweep(now, bounds) }
        if let holder = window.holder, !bounds.enter(holder, isKept: increment > 0) {
            guard shard.sweptAt < now - LimitCounters.sweepPause else { return nil }
            shard.sweep(now, bounds)
            guard bounds.enter(holder, isKept: increment > 0) else { return nil }
        }
        // Who only asks needs no counter.
        guard increment > 0 else { return (true, window.calls, 0) }
        var made = SlidingWindow(calls: window.calls, period: Int64(window.period) * 1_000_000_000)
        let verdict = made.take(now, increment: increment)
        shard.counters[name] = Counter(window: made, holder: window.holder)
        return verdict
    }

    /// Forgets counters whose windows are over, a shard at a time.
    ///
    /// - Returns: who had no room for new keys since this was called before.
    package func sweep() -> [CounterHolder] {
        for cell in cells {
            cell.shard.withLock { shard in
                if !shard.counters.isEmpty { shard.sweep(now(), bounds) }
            }
        }
        return bounds.takeFull()
    }

    /// Windows that are kept now.
    package var windowCount: Int { cells.reduce(0) { $0 + $1.shard.withLock { $0.counters.count } } }

    package func acquire(_ key: String, max: Int) -> Bool {
        let key = CounterKey.kept(key)
        return cell(key.hashValue).shard.withLock { shard in
            guard shard.permits[key, default: 0] < max else { return false }
            shard.permits[key, default: 0] += 1
            return true
        }
    }

    package func release(_ key: String) {
        let key = CounterKey.kept(key)
        cell(key.hashValue).shard.withLock { shard in
            guard let count = shard.permits[key] else { return }
            shard.permits[key] = count > 1 ? count - 1 : nil
        }
    }
}
