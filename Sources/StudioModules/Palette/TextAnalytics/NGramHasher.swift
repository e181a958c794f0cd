import DataTables

/// Counts hashed n-grams of texts (contracts/feature-hashing.md): tokens split at blank, tab, CR and LF, case kept.
struct NGramHasher {
    /// Vowpal Wabbit's multiplier for n-grams.
    static let quadratic: UInt32 = 27_942_141
    /// Up to here a table of counters is kept per call; above it, or for few rows, hits are sorted.
    static let counterBitsMax = 18

    let bits: Int
    let ngrams: Int

    /// The block of 2^bits columns for these texts; a missing text has no features.
    func block(_ texts: StringValues, prefix: String, _ context: ModuleContext) throws(ModuleError) -> SparseBlock {
        var sink = SparseSink(bits: bits, rows: texts.count)
        var window = [UInt32](repeating: 0, count: max(1, ngrams))
        for row in 0..<texts.count {
            try context.checkCancelled(row: row)
            if !texts.missing[row] { hash(texts.bytes, texts.range(row), &window, &sink) }
            sink.endRow()
        }
        return SparseBlock(
            prefix: prefix,
            width: 1 << bits,
            ends: sink.ends,
            numbers: sink.numbers,
            counts: sink.counts
        )
    }

    /// Hashes one text; `window[k]` is the hash of the k+1 tokens that end at the last one.
    private func hash(_ bytes: [UInt8], _ range: Range<Int>, _ window: inout [UInt32], _ sink: inout SparseSink) {
        let mask: UInt32 = bits >= 32 ? .max : (1 << UInt32(bits)) - 1
        let size = window.count
        var tokens = 0
        // The range lies inside the buffer by StringValues' construction, so the pointer reads stay in bounds.
        bytes.withUnsafeBufferPointer { text in
            var place = range.lowerBound
            let end = range.upperBound
            while place < end {
                if NGramHasher.isSeparator(text[place]) {
                    place &+= 1
                    continue
                }
                let start = place
                var onlyDigits = true
                while place < end, !NGramHasher.isSeparator(text[place]) {
                    onlyDigits = onlyDigits && text[place] &- 0x30 < 10
                    place &+= 1
                }
                let token = UnsafeBufferPointer(rebasing: text[start..<place])
                let hash = onlyDigits ? NGramHasher.decimal(token) : Murmur3.hash32(token)
                // Longest first: each entry is built on the shorter one of the token before.
                var length = min(size &- 1, tokens)
                while length >= 1 {
                    window[length] = window[length &- 1] &* NGramHasher.quadratic &+ hash
                    sink.add(window[length] & mask)
                    length &-= 1
                }
                window[0] = hash
                sink.add(hash & mask)
                tokens &+= 1
            }
        }
    }

    @inline(__always)
    private static func isSeparator(_ byte: UInt8) -> Bool {
        byte <= 0x20 && (byte == 0x20 || byte == 0x09 || byte == 0x0A || byte == 0x0D)
    }

    /// A token of digits is its own hash, modulo 2^32 (Vowpal Wabbit's `--hash strings`).
    private static func decimal(_ token: UnsafeBufferPointer<UInt8>) -> UInt32 {
        token.reduce(0) { $0 &* 10 &+ UInt32($1 &- 0x30) }
    }
}

/// MurmurHash3, x86, 32 bits, seed 0.
enum Murmur3 {
    static func hash32(_ bytes: UnsafeBufferPointer<UInt8>) -> UInt32 {
        let raw = UnsafeRawBufferPointer(bytes)
        let count = bytes.count
        var hash: UInt32 = 0
        var place = 0
        while place &+ 4 <= count {
            hash ^= scramble(UInt32(littleEndian: raw.loadUnaligned(fromByteOffset: place, as: UInt32.self)))
            hash = (hash << 13 | hash >> 19) &* 5 &+ 0xe654_6b64
            place &+= 4
        }
        var tail: UInt32 = 0
        var left = count &- place
        while left > 0 {
            left &-= 1
            tail = tail << 8 | UInt32(bytes[place &+ left])
        }
        if place < count { hash ^= scramble(tail) }
        hash ^= UInt32(truncatingIfNeeded: count)
        hash = (hash ^ hash >> 16) &* 0x85eb_ca6b
        hash = (hash ^ hash >> 13) &* 0xc2b2_ae35
        return hash ^ hash >> 16
    }

    @inline(__always)
    private static func scramble(_ block: UInt32) -> UInt32 {
        let mixed = block &* 0xcc9e_2d51
        return (mixed << 15 | mixed >> 17) &* 0x1b87_3593
    }
}

/// Collects the hits of a row and writes them out in ascending order with their counts.
private struct SparseSink {
    private(set) var ends: [Int] = []
    private(set) var numbers: [UInt32] = []
    private(set) var counts: [Int32] = []

    /// Hits of the current row where no counters are kept.
    private var hits: [UInt32] = []
    /// One counter a column, and which of them are not zero: a bit a column, and a bit a word of those.
    private var counters: [Int32] = []
    private var words: [UInt64] = []
    private var summary: [UInt64] = []

    init(bits: Int, rows: Int) {
        ends.reserveCapacity(rows)
        let width = 1 << bits
        // Clearing the table must not cost more than the rows themselves.
        let usesCounters = bits <= NGramHasher.counterBitsMax && (bits <= 8 || rows * 64 >= width)
        if usesCounters {
            counters = [Int32](repeating: 0, count: width)
            words = [UInt64](repeating: 0, count: (width + 63) / 64)
            summary = [UInt64](repeating: 0, count: (words.count + 63) / 64)
        }
    }

    @inline(__always)
    mutating func add(_ number: UInt32) {
        guard !counters.isEmpty else { return hits.append(number) }
        let place = Int(number)
        counters[place] &+= 1
        words[place >> 6] |= 1 << UInt64(place & 63)
        summary[place >> 12] |= 1 << UInt64((place >> 6) & 63)
    }

    mutating func endRow() {
        if counters.isEmpty { drainHits() } else { drainCounters() }
        ends.append(numbers.count)
    }

    private mutating func drainHits() {
        hits.sort()
        for hit in hits {
            if numbers.count > (ends.last ?? 0), numbers[numbers.count - 1] == hit {
                counts[counts.count - 1] += 1
            } else {
                numbers.append(hit)
                counts.append(1)
            }
        }
        hits.removeAll(keepingCapacity: true)
    }

    private mutating func drainCounters() {
        for top in summary.indices {
            var wordBits = summary[top]
            guard wordBits != 0 else { continue }
            summary[top] = 0
            while wordBits != 0 {
                let word = top << 6 | wordBits.trailingZeroBitCount
                wordBits &= wordBits &- 1
                var columnBits = words[word]
                words[word] = 0
                while columnBits != 0 {
                    let place = word << 6 | columnBits.trailingZeroBitCount
                    columnBits &= columnBits &- 1
                    numbers.append(UInt32(truncatingIfNeeded: place))
                    counts.append(counters[place])
                    counters[place] = 0
                }
            }
        }
    }
}
