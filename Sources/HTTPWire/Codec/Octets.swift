#if canImport(Glibc)
import Glibc
#endif

/// Tables and comparisons over bytes of a head.
package enum Octets {
    /// RFC 9110 token characters, a byte each: made once and never freed, so that parsers read it without asking for it.
    nonisolated(unsafe) static let tokens: UnsafePointer<Bool> = {
        let table = UnsafeMutablePointer<Bool>.allocate(capacity: 256)
        table.initialize(repeating: false, count: 256)
        for byte in "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ".utf8 {
            table[Int(byte)] = true
        }
        return UnsafePointer(table)
    }()

    /// Whether the byte may stand in a host with its port: no user, no path, no list.
    static func isAuthority(_ byte: UInt8) -> Bool {
        switch byte {
        case 0x30...0x3A, 0x41...0x5B, 0x5D, 0x61...0x7A: true
        // Unreserved characters and those of registered names, the comma left out, which makes lists.
        case 0x2D, 0x2E, 0x5F, 0x7E, 0x25, 0x21, 0x24, 0x26, 0x27, 0x28, 0x29, 0x2A, 0x2B, 0x3B, 0x3D: true
        default: false
        }
    }

    /// The members of a list, without the blanks around them; empty ones are none (RFC 9110, 5.6.1).
    static func members(_ list: UnsafeRawBufferPointer) -> [UnsafeRawBufferPointer] {
        list.split(separator: 0x2C).compactMap { member in
            var (start, end) = (member.startIndex, member.endIndex)
            while start < end, list[start] == 0x20 || list[start] == 0x09 { start += 1 }
            while end > start, list[end - 1] == 0x20 || list[end - 1] == 0x09 { end -= 1 }
            return start < end ? UnsafeRawBufferPointer(rebasing: list[start..<end]) : nil
        }
    }

    /// Whether two ranges hold the same text, without case.
    static func equal(_ bytes: UnsafeRawBufferPointer, _ left: Range<Int>, _ right: Range<Int>) -> Bool {
        equal(UnsafeRawBufferPointer(rebasing: bytes[left]), UnsafeRawBufferPointer(rebasing: bytes[right]))
    }

    /// Whether two texts are the same, without case.
    static func equal(_ left: UnsafeRawBufferPointer, _ right: UnsafeRawBufferPointer) -> Bool {
        guard left.count == right.count else { return false }
        for index in 0..<left.count {
            let one = left[index]
            let other = right[index]
            guard (one &- 0x41 < 26 ? one | 0x20 : one) == (other &- 0x41 < 26 ? other | 0x20 : other) else {
                return false
            }
        }
        return true
    }

    /// The first place from `start` on that holds a control character other than the tab, or `end`.
    static func endOfText(_ bytes: UnsafeRawBufferPointer, _ start: Int, _ end: Int) -> Int {
        var place = start
        // Eight bytes at a time; what a word marks is looked at again byte by byte, since a tab is marked as well.
        while place &+ 8 <= end {
            let word = bytes.loadUnaligned(fromByteOffset: place, as: UInt64.self)
            let below = (word &- 0x2020_2020_2020_2020) & ~word
            if (below | zeros(word ^ 0x7F7F_7F7F_7F7F_7F7F)) & 0x8080_8080_8080_8080 != 0 { break }
            place &+= 8
        }
        while place < end {
            let byte = bytes[place]
            if byte < 0x20 && byte != 0x09 || byte == 0x7F { break }
            place &+= 1
        }
        return place
    }

    /// The first place from `start` on that holds a blank, a control character, one that a target gives a meaning, `?` or `#`, or
    /// a byte beyond ASCII, which has no place in a target and which not every reader behind us takes.
    static func endOfTargetText(_ bytes: UnsafeRawBufferPointer, _ start: Int, _ end: Int) -> Int {
        var place = start
        while place &+ 8 <= end {
            let word = bytes.loadUnaligned(fromByteOffset: place, as: UInt64.self)
            let below = (word &- 0x2121_2121_2121_2121) & ~word
            let marks =
                zeros(word ^ 0x7F7F_7F7F_7F7F_7F7F) | zeros(word ^ 0x3F3F_3F3F_3F3F_3F3F)
                | zeros(word ^ 0x2323_2323_2323_2323)
            if (below | marks | word) & 0x8080_8080_8080_8080 != 0 { break }
            place &+= 8
        }
        while place < end {
            let byte = bytes[place]
            if byte <= 0x20 || byte >= 0x7F || byte == 0x3F || byte == 0x23 { break }
            place &+= 1
        }
        return place
    }

    /// Marks the lowest byte that is zero; bytes above it may be marked as well.
    @inline(__always)
    private static func zeros(_ word: UInt64) -> UInt64 { (word &- 0x0101_0101_0101_0101) & ~word }

    /// The first place from `start` on that holds a line feed.
    package static func lineFeed(_ bytes: UnsafeRawBufferPointer, from start: Int) -> Int? {
        guard start < bytes.count, let base = bytes.baseAddress,
            let found = memchr(base + start, 0x0A, bytes.count - start)
        else { return nil }
        return UnsafeRawPointer(found) - base
    }

    /// Whether the bytes are the same; all are looked at, whether or not an early one differs: some of them are secrets.
    package static func areSame(_ left: UnsafeRawBufferPointer, _ right: UnsafeRawBufferPointer) -> Bool {
        let count = left.count
        guard count == right.count else { return false }
        var difference: UInt64 = 0
        var place = 0
        if count >= 32 {
            var wide = SIMD4<UInt64>()
            while place &+ 32 <= count {
                wide |= load(left, place) ^ load(right, place)
                place &+= 32
            }
            // The last ones together with some that were looked at already.
            wide |= load(left, count &- 32) ^ load(right, count &- 32)
            return wide == SIMD4()
        }
        while place &+ 8 <= count {
            difference |=
                left.loadUnaligned(fromByteOffset: place, as: UInt64.self)
                ^ right.loadUnaligned(fromByteOffset: place, as: UInt64.self)
            place &+= 8
        }
        while place < count {
            difference |= UInt64(left[place] ^ right[place])
            place &+= 1
        }
        return difference == 0
    }

    @inline(__always)
    private static func load(_ bytes: UnsafeRawBufferPointer, _ place: Int) -> SIMD4<UInt64> {
        bytes.loadUnaligned(fromByteOffset: place, as: SIMD4<UInt64>.self)
    }

    /// Whether the bytes are the lower-case ASCII word, without case.
    package static func equal(_ bytes: UnsafeRawBufferPointer, _ word: StaticString) -> Bool {
        guard bytes.count == word.utf8CodeUnitCount else { return false }
        let pattern = UnsafeRawPointer(word.utf8Start)
        for place in 0..<bytes.count {
            let byte = bytes[place]
            let folded = byte &- 0x41 < 26 ? byte | 0x20 : byte
            if folded != pattern.load(fromByteOffset: place, as: UInt8.self) { return false }
        }
        return true
    }

    /// Whether the bytes are these lower-case ASCII bytes, without case.
    package static func equal(_ bytes: UnsafeRawBufferPointer, lowercased word: [UInt8]) -> Bool {
        guard bytes.count == word.count else { return false }
        for place in 0..<bytes.count {
            let byte = bytes[place]
            if (byte &- 0x41 < 26 ? byte | 0x20 : byte) != word[place] { return false }
        }
        return true
    }
}
