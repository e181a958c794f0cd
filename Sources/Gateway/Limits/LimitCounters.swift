package import Policies
import Synchronization

#if canImport(Glibc)
import Glibc
#endif

/// The counters of limits, shared by all loops: one lock a shard, held for a few comparisons.
package final class LimitCounters: Sendable {
    /// A power of two; loops meet in a shard only where they count the same keys.
    private static let shardCount = 256
    /// Counters of a shard; when there are more, those whose windows are over go.
    private static let countersMax = 4096

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

    private struct Shard {
        var windows: [Name: SlidingWindow] = [:]
        var permits: [String: Int] = [:]
        /// Where the next sweep is worth its time.
        var sweepAt = LimitCounters.countersMax
    }

    private final class Cell: Sendable {
        let shard = Mutex(Shard())
    }

    private let cells: [Cell]
    /// Monotonic nanoseconds.
    private let now: @Sendable () -> Int64

    package init(now: @Sendable @escaping () -> Int64 = LimitCounters.monotonic) {
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
        let period = Int64(window.period) * 1_000_000_000
        let name = Name(
            counter: window.counter,
            subject: window.subject,
            calls: window.calls,
            period: window.period,
            hash: window.hash
        )
        let found = cell(window.hash).shard.withLock { shard in
            // The clock is read under the lock, so that stamps have the order in which calls were let through.
            let now = now()
            if shard.windows.count >= shard.sweepAt {
                shard.windows = shard.windows.filter { !$0.value.isOver(now) }
                // Where all are in use they stay: forgetting one would let calls through.
                shard.sweepAt = max(LimitCounters.countersMax, shard.windows.count * 2)
            }
            return shard.windows[name, default: SlidingWindow(calls: window.calls, period: period)]
                .take(now, increment: increment)
        }
        return RateVerdict(
            isAllowed: found.isAllowed,
            remaining: found.remaining,
            retryAfter: Int((found.wait + 999_999_999) / 1_000_000_000)
        )
    }

    /// Windows that are kept now.
    package var windowCount: Int { cells.reduce(0) { $0 + $1.shard.withLock { $0.windows.count } } }

    package func acquire(_ key: String, max: Int) -> Bool {
        cell(key.hashValue).shard.withLock { shard in
            guard shard.permits[key, default: 0] < max else { return false }
            shard.permits[key, default: 0] += 1
            return true
        }
    }

    package func release(_ key: String) {
        cell(key.hashValue).shard.withLock { shard in
            guard let count = shard.permits[key] else { return }
            shard.permits[key] = count > 1 ? count - 1 : nil
        }
    }
}
