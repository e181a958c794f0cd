/// The calls of one key within a sliding window; exact up to a thousand calls, beyond that rounded against the caller.
package struct SlidingWindow: Sendable {
    /// A time stamp a call up to here: 8 KiB a key at most.
    static let exactMax = 1000
    /// Beyond it calls are counted in so many slices of the window; a slice that is partly over counts whole.
    private static let sliceCount: Int64 = 128

    private struct Slice: Sendable {
        let number: Int64
        var count: Int
    }

    /// When calls were let through, in nanoseconds, oldest first from `start` on.
    private var stamps: [Int64] = []
    private var start = 0
    private var slices: [Slice] = []
    private var sliceTotal = 0
    private(set) var period: Int64
    private(set) var calls: Int

    /// - Parameter period: nanoseconds.
    package init(calls: Int, period: Int64) {
        self.calls = calls
        self.period = period
    }

    /// Whether nothing of it counts any more.
    func isOver(_ now: Int64) -> Bool { (lastStamp ?? .min) + period <= now }

    private var lastStamp: Int64? {
        if let last = slices.last { return (last.number + 1) * sliceLength }
        return start < stamps.count ? stamps.last : nil
    }

    private var sliceLength: Int64 { max(1, period / SlidingWindow.sliceCount) }

    /// Lets a call through if there is room for it.
    ///
    /// - Parameter increment: 0 asks only.
    /// - Returns: calls that are left, and nanoseconds until there is room where there is none.
    package mutating func take(_ now: Int64, increment: Int) -> (isAllowed: Bool, remaining: Int, wait: Int64) {
        if calls <= SlidingWindow.exactMax {
            while start < stamps.count, stamps[start] <= now - period { start += 1 }
            if start > 256, start * 2 > stamps.count {
                stamps.removeFirst(start)
                start = 0
            }
            let used = stamps.count - start
            guard used < calls else { return (false, 0, stamps[start + used - calls] + period - now) }
            // More than there is room for counts as far as anybody could tell the difference.
            for _ in 0..<min(increment, calls - used) { stamps.append(now) }
            return (true, max(0, calls - used - increment), 0)
        }
        let number = now / sliceLength
        // A slice is over when its last moment is a period ago.
        while let first = slices.first, (first.number + 1) * sliceLength <= now - period {
            sliceTotal -= first.count
            slices.removeFirst()
        }
        guard sliceTotal < calls else {
            return (false, 0, ((slices.first?.number ?? number) + 1) * sliceLength + period - now)
        }
        let counted = min(increment, calls - sliceTotal)
        if counted > 0 {
            if slices.last?.number == number {
                slices[slices.count - 1].count += counted
            } else {
                slices.append(Slice(number: number, count: counted))
            }
            sliceTotal += counted
        }
        return (true, calls - sliceTotal, 0)
    }
}
