/// What one loop remembers of bytes that come again and again: keys that were verified, targets that were routed.
///
/// A table of fixed size: each entry has four places, and a newer one takes that of an older one where all are taken; its owner
/// empties it when what the values came from changes. Values are objects, and not a generic parameter: code that is generic over rooms is not
/// specialized, and finds its types anew at every call.
package struct VerifiedKeys {
    /// 8,192 entries of usual length are some 2 MB a loop.
    private static let slotCount = 8192
    /// With one place each, a fifth of a thousand keys would have no place of its own.
    private static let ways = 4
    /// Longer bytes are not remembered: the table must not hold what a hostile caller makes large.
    private static let keyBytesMax = 512

    private var hashes: [Int] = []
    private var keys: [[UInt8]] = []
    private var values: [AnyObject?] = []
    /// Which of four taken places the next entry gets.
    private var turn = 0

    package init() {}

    package func find(_ key: UnsafeRawBufferPointer) -> AnyObject? {
        guard !hashes.isEmpty else { return nil }
        let hash = VerifiedKeys.hash(key)
        let first = VerifiedKeys.firstSlot(hash)
        for slot in first..<(first &+ VerifiedKeys.ways)
        where hashes[slot] == hash && keys[slot].withUnsafeBytes({ Octets.areSame($0, key) }) {
            return values[slot]
        }
        return nil
    }

    private static func firstSlot(_ hash: Int) -> Int { hash & (slotCount / ways - 1) &* ways }

    package mutating func insert(_ key: UnsafeRawBufferPointer, _ value: AnyObject) {
        guard key.count <= VerifiedKeys.keyBytesMax else { return }
        if hashes.isEmpty {
            hashes = Array(repeating: 0, count: VerifiedKeys.slotCount)
            keys = Array(repeating: [], count: VerifiedKeys.slotCount)
            values = Array(repeating: nil, count: VerifiedKeys.slotCount)
        }
        let hash = VerifiedKeys.hash(key)
        let first = VerifiedKeys.firstSlot(hash)
        var slot = (first..<(first + VerifiedKeys.ways)).first { values[$0] == nil }
        if slot == nil {
            turn += 1
            slot = first + turn % VerifiedKeys.ways
        }
        guard let slot else { return }
        hashes[slot] = hash
        keys[slot] = Array(key)
        values[slot] = value
    }

    package mutating func removeAll() {
        hashes = []
        keys = []
        values = []
    }

    /// A secret of this process, so that callers cannot aim at one slot.
    private static let secret = UInt64.random(in: 1...UInt64.max) | 1

    /// Folded multiplication, eight bytes at a time.
    ///
    /// The bytes are compared as a whole afterwards: a collision costs a look-up and nothing else, and Swift's own hasher takes
    /// longer over these some 350 bytes a call than the scoring of a short text.
    private static func hash(_ key: UnsafeRawBufferPointer) -> Int {
        let secret = VerifiedKeys.secret
        var state = secret ^ UInt64(truncatingIfNeeded: key.count)
        var place = 0
        while place &+ 8 <= key.count {
            state = fold(
                state ^ key.loadUnaligned(fromByteOffset: place, as: UInt64.self),
                0x9E37_79B9_7F4A_7C15 ^ secret
            )
            place &+= 8
        }
        var rest: UInt64 = 0
        while place < key.count {
            rest = rest << 8 | UInt64(key[place])
            place &+= 1
        }
        return Int(truncatingIfNeeded: fold(state ^ rest, 0xD6E8_FEB8_6659_FD93))
    }

    @inline(__always)
    private static func fold(_ left: UInt64, _ right: UInt64) -> UInt64 {
        let product = left.multipliedFullWidth(by: right)
        return product.high ^ product.low
    }
}
