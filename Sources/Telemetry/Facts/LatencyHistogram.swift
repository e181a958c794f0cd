/// Durations in buckets that are the same everywhere, so that histograms of any grouping can be added up.
///
/// Up to 63 µs each has a bucket of its own; above, 32 buckets stand for each doubling, so that a quantile is at most 1.6 % off.
/// Only buckets that hold something are kept.
package struct LatencyHistogram: Sendable, Equatable {
    /// Durations beyond some 76 hours count as that.
    private static let microsecondsMax = UInt64(1) << 38

    /// No bucket counts more than this: at a million calls a second, 285 years.
    private static let countMax = UInt64(1) << 53 - 1

    /// Room that the first duration asks for: a subject's calls of a second fall into about as many buckets.
    private static let binsUsual = 12

    /// A bucket and its count in one word: the bucket above, so that words are in the order of buckets.
    private struct Bin: Sendable, Equatable {
        private static let countBits: UInt64 = 53
        private var word: UInt64

        init(bucket: UInt16, count: UInt64) {
            word = UInt64(bucket) << Bin.countBits | min(count, LatencyHistogram.countMax)
        }

        var bucket: UInt16 { UInt16(truncatingIfNeeded: word >> Bin.countBits) }
        var count: UInt64 { word & LatencyHistogram.countMax }

        mutating func add(_ more: UInt64) {
            // Both are below 2 to the 53rd: the sum is no more than a word holds.
            self = Bin(bucket: bucket, count: count &+ more)
        }
    }

    /// By rising buckets; in one piece and narrow, so that a call of a subject that was not called lately waits for few lines of memory.
    private var bins: [Bin] = []

    package init() {}

    package var isEmpty: Bool { bins.isEmpty }

    package mutating func record(microseconds: UInt64) {
        add(LatencyHistogram.bucket(microseconds), 1)
    }

    package mutating func merge(_ other: LatencyHistogram) {
        guard !bins.isEmpty else {
            bins = other.bins
            return
        }
        var merged: [Bin] = []
        merged.reserveCapacity(bins.count + other.bins.count)
        var place = 0
        for bin in other.bins {
            while place < bins.count, bins[place].bucket < bin.bucket {
                merged.append(bins[place])
                place += 1
            }
            var sum = bin
            if place < bins.count, bins[place].bucket == bin.bucket {
                sum.add(bins[place].count)
                place += 1
            }
            merged.append(sum)
        }
        merged.append(contentsOf: bins[place...])
        bins = merged
    }

    private mutating func add(_ bucket: UInt16, _ count: UInt64) {
        var low = 0
        var high = bins.count
        while low < high {
            let middle = (low + high) / 2
            if bins[middle].bucket < bucket { low = middle + 1 } else { high = middle }
        }
        if low < bins.count, bins[low].bucket == bucket {
            bins[low].add(count)
        } else {
            if bins.isEmpty { bins.reserveCapacity(LatencyHistogram.binsUsual) }
            bins.insert(Bin(bucket: bucket, count: count), at: low)
        }
    }

    /// The duration, in microseconds, that this part of all does not exceed; 0 where there are none.
    ///
    /// - Parameter part: from 0 to 1.
    package func quantile(_ part: Double) -> Double {
        let total = bins.reduce(0) { $0 &+ $1.count }
        guard total > 0 else { return 0 }
        let wanted = max(1, UInt64(min((Double(total) * min(max(part, 0), 1)).rounded(.up), 0x1p63)))
        var seen: UInt64 = 0
        for bin in bins {
            seen &+= bin.count
            if seen >= wanted { return LatencyHistogram.middle(bin.bucket) }
        }
        return bins.last.map { LatencyHistogram.middle($0.bucket) } ?? 0
    }

    private static func bucket(_ microseconds: UInt64) -> UInt16 {
        let value = min(microseconds, microsecondsMax - 1)
        guard value >= 64 else { return UInt16(truncatingIfNeeded: value) }
        let doubling = 63 - value.leadingZeroBitCount
        return UInt16(truncatingIfNeeded: 64 + (doubling - 6) * 32 + Int(value >> UInt64(doubling - 5)) - 32)
    }

    private static func middle(_ bucket: UInt16) -> Double {
        guard bucket >= 64 else { return Double(bucket) }
        let doubling = (Int(bucket) - 64) / 32 + 6
        let part = (Int(bucket) - 64) % 32 + 32
        let width = UInt64(1) << UInt64(doubling - 5)
        return Double(UInt64(part) * width) + Double(width - 1) / 2
    }

    // MARK: - Bytes

    /// Pairs of numbers, seven bits a byte: how far the bucket is from the one before, and its count.
    package var bytes: [UInt8] {
        var result: [UInt8] = []
        // Most buckets are near the one before, and count little.
        result.reserveCapacity(bins.count * 4)
        var before: UInt16 = 0
        func write(_ number: UInt64) {
            var left = number
            while left >= 0x80 {
                result.append(UInt8(truncatingIfNeeded: left) | 0x80)
                left >>= 7
            }
            result.append(UInt8(truncatingIfNeeded: left))
        }
        for bin in bins {
            write(UInt64(bin.bucket - before))
            write(bin.count)
            before = bin.bucket
        }
        return result
    }

    /// - Returns: nil where the bytes are not what `bytes` gives.
    package init?(bytes: [UInt8]) {
        var place = 0
        var whole: UInt64 = 0
        func read() -> UInt64? {
            var number: UInt64 = 0
            var shift: UInt64 = 0
            while place < bytes.count, shift < 64 {
                let byte = bytes[place]
                place += 1
                number |= UInt64(byte & 0x7F) << shift
                if byte < 0x80 { return number }
                shift += 7
            }
            return nil
        }
        var before: UInt64 = 0
        while place < bytes.count {
            guard let step = read(), let count = read(), step < 2048, before + step < 2048 else { return nil }
            guard bins.isEmpty || step > 0 else { return nil }
            let (sum, isBeyond) = whole.addingReportingOverflow(count)
            guard !isBeyond, sum <= LatencyHistogram.countMax else { return nil }
            whole = sum
            before += step
            bins.append(Bin(bucket: UInt16(before), count: count))
        }
    }
}
