import DataTables

/// Counts hashed n-grams of texts (contracts/feature-hashing.md): tokens split at blank, tab, CR and LF, case kept.
struct NGramHasher {
    /// Vowpal Wabbit's multiplier for n-grams.
    static let quadratic: UInt32 = 27_942_141
    /// Up to here a table of counters is kept per call; above it, or for few rows, hits are sorted.
    static let counterBitsMax = 18

    /// Room taken ahead for results: 32 MiB at most, beyond which growing is cheap beside the work.
    static let reservedHitsMax = 4 << 20

    let bits: Int
    let ngrams: Int

    /// The block of 2^bits columns for these texts; a missing text has no features.
    ///
    /// - Parameter numbers: of the columns: one range from 0.
    func block(
        _ texts: StringValues,
        prefix: String,
        numbers: [Range<Int>],
        _ context: ModuleContext
    ) throws(ModuleError) -> SparseBlock {
        // A word and its blank are some six bytes; pages that stay unused cost nothing, growing copies everything.
        let expectedHits = min(texts.bytes.count / 6 &* max(1, ngrams), NGramHasher.reservedHitsMax)
        let sink = FeatureSink(bits: bits, ngrams: max(1, ngrams), rows: texts.count, expectedHits: expectedHits)
        for row in 0..<texts.count {
            try context.checkCancelled(row: row)
            if !texts.missing[row] { hash(texts.bytes, texts.range(row), sink) }
            sink.endRow()
        }
        return SparseBlock(
            prefix: prefix,
            kept: numbers,
            ends: sink.ends,
            numbers: sink.numbers,
            counts: sink.counts
        )
    }

    /// Hashes one text.
    private func hash(_ bytes: [UInt8], _ range: Range<Int>, _ sink: FeatureSink) {
        let mask: UInt32 = (1 << UInt32(bits)) - 1
        let hashes = sink.window
        let size = sink.windowSize
        let add = sink.adder
        var tokens = 0
        // The range lies inside the buffer by StringValues' construction, so the pointer reads stay in bounds.
        bytes.withUnsafeBytes { text in
            var place = range.lowerBound
            let end = range.upperBound
            while place < end {
                let start = place
                place = NGramHasher.tokenEnd(text, start, end)
                if place == start {
                    place &+= 1
                    continue
                }
                let hash = NGramHasher.tokenHash(text, start, place)
                // Longest first: each entry is built on the shorter one of the token before.
                var length = min(size &- 1, tokens)
                while length >= 1 {
                    hashes[length] = hashes[length &- 1] &* NGramHasher.quadratic &+ hash
                    add(hashes[length] & mask, sink)
                    length &-= 1
                }
                hashes[0] = hash
                add(hash & mask, sink)
                tokens &+= 1
            }
        }
        sink.rowHits = tokens &* size
    }

    /// Where the token that begins at `start` ends: at a separator or at the text's end.
    @inline(__always)
    private static func tokenEnd(_ text: UnsafeRawBufferPointer, _ start: Int, _ end: Int) -> Int {
        var place = start
        // Eight bytes at a time: a loop over bytes mispredicts once a word.
        while place &+ 8 <= text.count {
            let word = UInt64(littleEndian: text.loadUnaligned(fromByteOffset: place, as: UInt64.self))
            let found =
                zeroBytes(word ^ 0x2020_2020_2020_2020) | zeroBytes(word ^ 0x0909_0909_0909_0909)
                | zeroBytes(word ^ 0x0A0A_0A0A_0A0A_0A0A) | zeroBytes(word ^ 0x0D0D_0D0D_0D0D_0D0D)
            if found != 0 { return min(end, place &+ found.trailingZeroBitCount >> 3) }
            place &+= 8
            if place >= end { return end }
        }
        while place < end, !isSeparator(text[place]) { place &+= 1 }
        return place
    }

    /// The high bit of each byte that is zero; bytes above the lowest such may be marked as well.
    @inline(__always)
    private static func zeroBytes(_ word: UInt64) -> UInt64 {
        (word &- 0x0101_0101_0101_0101) & ~word & 0x8080_8080_8080_8080
    }

    @inline(__always)
    private static func isSeparator(_ byte: UInt8) -> Bool {
        byte == 0x20 || byte == 0x09 || byte == 0x0A || byte == 0x0D
    }

    @inline(__always)
    private static func tokenHash(_ text: UnsafeRawBufferPointer, _ start: Int, _ end: Int) -> UInt32 {
        // Few words begin with a digit, so that one look decides for most.
        if text[start] &- 0x30 < 10, text[start..<end].allSatisfy({ $0 &- 0x30 < 10 }) {
            return decimal(UnsafeRawBufferPointer(rebasing: text[start..<end]))
        }
        if end &- start < 12, start &+ 16 <= text.count { return Murmur3.hashShort(text, start, end &- start) }
        return Murmur3.hash32(UnsafeRawBufferPointer(rebasing: text[start..<end]))
    }

    /// A token of digits is its own hash, modulo 2^32 (Vowpal Wabbit's `--hash strings`).
    private static func decimal(_ token: UnsafeRawBufferPointer) -> UInt32 {
        token.reduce(0) { $0 &* 10 &+ UInt32($1 &- 0x30) }
    }
}

/// MurmurHash3, x86, 32 bits, seed 0.
enum Murmur3 {
    static func hash32(_ bytes: UnsafeRawBufferPointer) -> UInt32 {
        let count = bytes.count
        var hash: UInt32 = 0
        var place = 0
        while place &+ 4 <= count {
            hash = mix(hash, UInt32(littleEndian: bytes.loadUnaligned(fromByteOffset: place, as: UInt32.self)))
            place &+= 4
        }
        var tail: UInt32 = 0
        var left = count &- place
        while left > 0 {
            left &-= 1
            tail = tail << 8 | UInt32(bytes[place &+ left])
        }
        return finish(hash ^ scramble(tail), count)
    }

    /// The same for fewer than 12 bytes with 16 readable ones behind `start`: no branch depends on the length.
    @inline(__always)
    static func hashShort(_ text: UnsafeRawBufferPointer, _ start: Int, _ count: Int) -> UInt32 {
        let blocks = count >> 2
        let first = UInt32(littleEndian: text.loadUnaligned(fromByteOffset: start, as: UInt32.self))
        let second = UInt32(littleEndian: text.loadUnaligned(fromByteOffset: start &+ 4, as: UInt32.self))
        let afterFirst = mix(0, first)
        let afterSecond = mix(afterFirst, second)
        let hash = blocks == 2 ? afterSecond : blocks == 1 ? afterFirst : 0
        let rest = UInt32(littleEndian: text.loadUnaligned(fromByteOffset: start &+ blocks &* 4, as: UInt32.self))
        let tail = rest & ((1 << UInt32(truncatingIfNeeded: (count & 3) &* 8)) &- 1)
        return finish(hash ^ scramble(tail), count)
    }

    @inline(__always)
    private static func mix(_ hash: UInt32, _ block: UInt32) -> UInt32 {
        let mixed = hash ^ scramble(block)
        return (mixed << 13 | mixed >> 19) &* 5 &+ 0xe654_6b64
    }

    @inline(__always)
    private static func finish(_ value: UInt32, _ count: Int) -> UInt32 {
        var hash = value ^ UInt32(truncatingIfNeeded: count)
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
///
/// The tables are plain memory: a Swift array checks on every write whether it is shared, which here costs more than the write.
/// Numbers are masked to the width before they come, so that every index lies inside the tables.
private final class FeatureSink {
    private(set) var ends: [Int] = []
    /// Where no counters are kept, the hits of the current row stand at its end as they come.
    fileprivate(set) var numbers: [UInt32] = []
    private(set) var counts: [Int32] = []

    /// One counter a column; nil where hits are sorted instead.
    private let counters: UnsafeMutablePointer<Int32>?
    /// A bit for each counter that is not zero, and a bit for each word of those that is not.
    private let words: UnsafeMutablePointer<UInt64>
    private let summary: UnsafeMutablePointer<UInt64>
    private let summaryCount: Int
    private let width: Int
    private let wordCount: Int
    /// The hashes of the n-grams that end at the last token: entry k is that of k+1 tokens.
    let window: UnsafeMutablePointer<UInt32>
    let windowSize: Int
    /// The most hits that the current row can have.
    var rowHits = 0
    private var rowNumbers: [UInt32] = []
    private var rowCounts: [Int32] = []

    /// For fewer rows sorting their hits is cheaper than making the tables.
    private static let counterRowsMin = 8

    init(bits: Int, ngrams: Int, rows: Int, expectedHits: Int) {
        windowSize = ngrams
        window = .allocate(capacity: ngrams)
        window.initialize(repeating: 0, count: ngrams)
        ends.reserveCapacity(rows)
        // A single short text is the common call: room for its features without growing by halves.
        let room = max(expectedHits, 24)
        numbers.reserveCapacity(room)
        counts.reserveCapacity(room)
        width = 1 << bits
        // Clearing the table must not cost more than the rows themselves.
        let usesCounters =
            bits <= NGramHasher.counterBitsMax && rows >= FeatureSink.counterRowsMin && rows * 64 >= width
        wordCount = usesCounters ? (width + 63) / 64 : 0
        summaryCount = (wordCount + 63) / 64
        if usesCounters {
            words = .allocate(capacity: wordCount)
            words.initialize(repeating: 0, count: wordCount)
            summary = .allocate(capacity: summaryCount)
            summary.initialize(repeating: 0, count: summaryCount)
            let table = UnsafeMutablePointer<Int32>.allocate(capacity: width)
            table.initialize(repeating: 0, count: width)
            counters = table
        } else {
            counters = nil
            words = FeatureSink.none
            summary = FeatureSink.none
        }
    }

    /// Stands where no table is kept; nothing is read or written there.
    private static var none: UnsafeMutablePointer<UInt64> {
        UnsafeMutablePointer(bitPattern: 8) ?? .allocate(capacity: 1)
    }

    deinit {
        window.deallocate()
        guard let counters else { return }
        counters.deallocate()
        words.deallocate()
        summary.deallocate()
    }

    /// What counts a hit: the tables' addresses, held apart from the sink so that a loop keeps them in registers.
    struct Adder {
        let counters: UnsafeMutablePointer<Int32>?
        /// Nil where the counters are so few that all are looked through: marking them would make each hit wait for the last.
        let words: UnsafeMutablePointer<UInt64>?
        /// Nil where the words are so few that all are looked through.
        let summary: UnsafeMutablePointer<UInt64>?

        @inline(__always)
        func callAsFunction(_ number: UInt32, _ sink: FeatureSink) {
            guard let counters else { return sink.numbers.append(number) }
            let place = Int(truncatingIfNeeded: number)
            counters[place] &+= 1
            guard let words else { return }
            words[place >> 6] |= 1 << UInt64(truncatingIfNeeded: place & 63)
            if let summary { summary[place >> 12] |= 1 << UInt64(truncatingIfNeeded: (place >> 6) & 63) }
        }
    }

    var adder: Adder {
        Adder(counters: counters, words: wordCount > 1 ? words : nil, summary: wordCount > 64 ? summary : nil)
    }

    func endRow() {
        if let counters { drain(counters) } else { drainHits() }
        ends.append(numbers.count)
    }

    private func drainHits() {
        let start = counts.count
        var filled = start
        numbers.withUnsafeMutableBufferPointer { numbers in
            var hits = UnsafeMutableBufferPointer(rebasing: numbers[start...])
            hits.sort()
            for hit in hits {
                if filled > start, numbers[filled - 1] == hit {
                    counts[filled - 1] += 1
                } else {
                    numbers[filled] = hit
                    counts.append(1)
                    filled += 1
                }
            }
        }
        numbers.removeLast(numbers.count - filled)
    }

    private func drain(_ counters: UnsafeMutablePointer<Int32>) {
        // Room for a whole row at once, so that the loop below writes without asking.
        let room = wordCount == 1 ? max(rowHits, width) : rowHits
        if rowNumbers.count < room {
            rowNumbers = Array(repeating: 0, count: room * 2)
            rowCounts = Array(repeating: 0, count: room * 2)
        }
        var filled = 0
        rowNumbers.withUnsafeMutableBufferPointer { rowNumbers in
            rowCounts.withUnsafeMutableBufferPointer { rowCounts in
                if wordCount == 1 {
                    // Zeros are written and then overwritten: which columns are hit nobody can predict.
                    for place in 0..<width {
                        let count = counters[place]
                        rowNumbers[filled] = UInt32(truncatingIfNeeded: place)
                        rowCounts[filled] = count
                        counters[place] = 0
                        filled &+= count == 0 ? 0 : 1
                    }
                    return
                }
                for top in 0..<summaryCount {
                    // Without a summary every word is looked at.
                    var wordBits = wordCount > 64 ? summary[top] : .max >> UInt64(64 - wordCount)
                    summary[top] = 0
                    while wordBits != 0 {
                        let word = top << 6 | wordBits.trailingZeroBitCount
                        wordBits &= wordBits &- 1
                        var columnBits = words[word]
                        words[word] = 0
                        while columnBits != 0 {
                            let place = word << 6 | columnBits.trailingZeroBitCount
                            columnBits &= columnBits &- 1
                            rowNumbers[filled] = UInt32(truncatingIfNeeded: place)
                            rowCounts[filled] = counters[place]
                            counters[place] = 0
                            filled &+= 1
                        }
                    }
                }
            }
        }
        rowHits = 0
        numbers.append(contentsOf: rowNumbers[..<filled])
        counts.append(contentsOf: rowCounts[..<filled])
    }
}
