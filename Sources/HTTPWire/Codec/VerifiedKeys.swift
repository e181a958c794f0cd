/// What one loop remembers of bytes that come again and again: keys that were verified, targets that were routed.
///
/// A table of fixed size: each entry has four places, and a newer one takes that of an older one where all are taken; its owner
/// takes a new one when what the values came from changes. Values are objects, and not a generic parameter: code that is generic over rooms is not
/// specialized, and finds its types anew at every call.
///
/// The four places of an entry stand side by side, and bytes are compared where they are: of a thousand callers hardly anything is in the
/// processor's cache, and each line of memory that a look-up waits for counts. References are counted only for what is found.
package final class VerifiedKeys {
    /// 8,192 entries of usual length are some 2 MB a loop.
    private static let slotCount = 8192
    /// With one place each, a fifth of a thousand keys would have no place of its own.
    private static let ways = 4
    /// Longer bytes are not remembered: the table must not hold what a hostile caller makes large.
    private static let keyBytesMax = 512
    /// What the processor fetches at a time.
    private static let lineBytes = 64

    private struct Slot {
        var hash = 0
        /// Of this table; empty where nothing stands.
        var key = UnsafeRawBufferPointer(start: nil, count: 0)
        /// Counted once by this table.
        var value: Unmanaged<AnyObject>?

        func release() {
            key.deallocate()
            value?.release()
        }
    }

    /// nil until something is remembered.
    private var slots: UnsafeMutablePointer<Slot>?
    /// Which of four taken places the next entry gets.
    private var turn = 0

    package init() {}

    deinit {
        guard let slots else { return }
        for place in 0..<VerifiedKeys.slotCount { slots[place].release() }
        UnsafeMutableRawPointer(slots).deallocate()
    }

    package func find(_ key: UnsafeRawBufferPointer) -> AnyObject? {
        guard let slots else { return nil }
        let hash = VerifiedKeys.hash(key)
        let first = slots + VerifiedKeys.firstSlot(hash)
        for place in 0..<VerifiedKeys.ways where first[place].hash == hash && Octets.areSame(first[place].key, key) {
            return first[place].value?.takeUnretainedValue()
        }
        return nil
    }

    private static func firstSlot(_ hash: Int) -> Int { hash & (slotCount / ways - 1) &* ways }

    package func insert(_ key: UnsafeRawBufferPointer, _ value: AnyObject) {
        guard key.count <= VerifiedKeys.keyBytesMax else { return }
        let slots = slots ?? makeSlots()
        let hash = VerifiedKeys.hash(key)
        let first = slots + VerifiedKeys.firstSlot(hash)
        var place = (0..<VerifiedKeys.ways).first { first[$0].value == nil }
        if place == nil {
            turn &+= 1
            place = turn % VerifiedKeys.ways
        }
        guard let place else { return }
        let copy = UnsafeMutableRawBufferPointer.allocate(byteCount: key.count, alignment: 8)
        copy.copyMemory(from: key)
        first[place].release()
        first[place] = Slot(hash: hash, key: UnsafeRawBufferPointer(copy), value: .passRetained(value))
    }

    private func makeSlots() -> UnsafeMutablePointer<Slot> {
        let room = UnsafeMutableRawPointer.allocate(
            byteCount: MemoryLayout<Slot>.stride * VerifiedKeys.slotCount,
            alignment: VerifiedKeys.lineBytes
        )
        let made = room.initializeMemory(as: Slot.self, repeating: Slot(), count: VerifiedKeys.slotCount)
        slots = made
        return made
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
