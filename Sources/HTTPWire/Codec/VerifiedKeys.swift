#if canImport(Glibc)
import Glibc
#endif

/// What one loop remembers of bytes that come again and again: keys that were verified, targets that were routed.
///
/// A table of fixed size: each entry has four places, and a newer one takes that of an older one where all are taken; its owner
/// takes a new one when what the values came from changes. Values are objects, and not a generic parameter: code that is generic over rooms is not
/// specialized, and finds its types anew at every call.
///
/// Of a thousand callers hardly anything is in the processor's cache, and each line of memory that a look-up waits for counts: the four
/// places of an entry are one line, and what an entry consists of is one piece behind it. References are counted only for what is found.
package final class VerifiedKeys {
    /// 8,192 entries of usual length are some 2 MB a loop.
    private static let slotCount = 8192
    /// With one place each, a fifth of a thousand keys would have no place of its own.
    private static let ways = 4
    /// Longer bytes are not remembered: the table must not hold what a hostile caller makes large.
    private static let keyBytesMax = 512
    private static let slotBytes = MemoryLayout<Slot>.stride * slotCount
    /// Where all places are taken, one newcomer of so many takes one: callers that never come again cost the others little.
    private static let newcomersForPlace: UInt = 8

    /// Of this table, by itself: the value, how many bytes each part has, and the bytes of both.
    private struct Entry {
        /// Counted once by this table.
        let value: Unmanaged<AnyObject>
        let count: Int32
        /// Negative where there is no second part.
        let secondCount: Int32

        static let header = MemoryLayout<Entry>.size
    }

    private struct Slot {
        var hash = 0
        var entry: UnsafeMutableRawPointer?

        func release() {
            guard let entry else { return }
            entry.load(as: Entry.self).value.release()
            entry.deallocate()
        }
    }

    /// nil until something is remembered.
    private var slots: UnsafeMutablePointer<Slot>?
    /// Newcomers that found all places taken.
    private var turn: UInt = 0

    package init() {}

    deinit {
        guard let slots else { return }
        for place in 0..<VerifiedKeys.slotCount { slots[place].release() }
        munmap(slots, VerifiedKeys.slotBytes)
    }

    /// What is remembered of these bytes.
    ///
    /// - Parameter second: what belongs to the key and stands elsewhere; none at all is something else than empty.
    package func find(_ key: UnsafeRawBufferPointer, _ second: UnsafeRawBufferPointer? = nil) -> AnyObject? {
        guard let slots else { return nil }
        let hash = VerifiedKeys.hash(key, second)
        let first = slots + VerifiedKeys.firstSlot(hash)
        for place in 0..<VerifiedKeys.ways where first[place].hash == hash {
            guard let entry = first[place].entry, VerifiedKeys.isOf(entry, key, second) else { continue }
            return entry.load(as: Entry.self).value.takeUnretainedValue()
        }
        return nil
    }

    @inline(__always)
    private static func isOf(
        _ entry: UnsafeMutableRawPointer,
        _ key: UnsafeRawBufferPointer,
        _ second: UnsafeRawBufferPointer?
    ) -> Bool {
        let header = entry.load(as: Entry.self)
        guard Int(header.count) == key.count, Int(header.secondCount) == second?.count ?? -1 else { return false }
        let bytes = entry + Entry.header
        let isFirst = Octets.areSame(UnsafeRawBufferPointer(start: bytes, count: key.count), key)
        guard isFirst, let second else { return isFirst }
        return Octets.areSame(UnsafeRawBufferPointer(start: bytes + key.count, count: second.count), second)
    }

    private static func firstSlot(_ hash: Int) -> Int { hash & (slotCount / ways - 1) &* ways }

    /// Remembers a value for bytes that are not remembered yet.
    package func insert(_ key: UnsafeRawBufferPointer, _ second: UnsafeRawBufferPointer? = nil, value: AnyObject) {
        let count = key.count + (second?.count ?? 0)
        guard count <= VerifiedKeys.keyBytesMax else { return }
        guard let slots = slots ?? makeSlots() else { return }
        let hash = VerifiedKeys.hash(key, second)
        let first = slots + VerifiedKeys.firstSlot(hash)
        var place = (0..<VerifiedKeys.ways).first { first[$0].entry == nil }
        if place == nil {
            turn &+= 1
            guard turn % VerifiedKeys.newcomersForPlace == 0 else { return }
            place = Int(turn / VerifiedKeys.newcomersForPlace % UInt(VerifiedKeys.ways))
        }
        guard let place else { return }
        let entry = UnsafeMutableRawPointer.allocate(byteCount: Entry.header + count, alignment: 8)
        entry.storeBytes(
            of: Entry(
                value: .passRetained(value),
                count: Int32(key.count),
                secondCount: second.map { Int32($0.count) } ?? -1
            ),
            as: Entry.self
        )
        UnsafeMutableRawBufferPointer(start: entry + Entry.header, count: key.count).copyMemory(from: key)
        if let second {
            let rest = UnsafeMutableRawBufferPointer(start: entry + Entry.header + key.count, count: second.count)
            rest.copyMemory(from: second)
        }
        first[place].release()
        first[place] = Slot(hash: hash, entry: entry)
    }

    /// - Returns: nil where the system has no memory: then nothing is remembered.
    private func makeSlots() -> UnsafeMutablePointer<Slot>? {
        // By whole pages from the system, to which they go back: tables come and go with every change of the configuration, and
        // the heap did not find the place of one that was freed for the next (it grew by 20 MiB a minute under changes).
        let room = mmap(nil, VerifiedKeys.slotBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
        guard let room, room != MAP_FAILED else { return nil }
        // Its zeros are empty places, and a page of it is there only once a place in it is taken.
        let made = room.bindMemory(to: Slot.self, capacity: VerifiedKeys.slotCount)
        slots = made
        return made
    }

    /// A secret of this process, so that callers cannot aim at one slot.
    private static let secret = UInt64.random(in: 1...UInt64.max) | 1

    /// Folded multiplication, eight bytes at a time.
    ///
    /// The bytes are compared as a whole afterwards: a collision costs a look-up and nothing else, and Swift's own hasher takes
    /// longer over these some 350 bytes a call than the scoring of a short text.
    private static func hash(_ key: UnsafeRawBufferPointer, _ second: UnsafeRawBufferPointer?) -> Int {
        let start = secret ^ UInt64(truncatingIfNeeded: key.count)
        let first = mix(key, start)
        guard let second else { return Int(truncatingIfNeeded: first) }
        return Int(truncatingIfNeeded: mix(second, first ^ UInt64(truncatingIfNeeded: second.count)))
    }

    @inline(__always)
    private static func mix(_ bytes: UnsafeRawBufferPointer, _ start: UInt64) -> UInt64 {
        let factor = 0x9E37_79B9_7F4A_7C15 ^ secret
        var state = start
        var place = 0
        while place &+ 8 <= bytes.count {
            state = fold(state ^ bytes.loadUnaligned(fromByteOffset: place, as: UInt64.self), factor)
            place &+= 8
        }
        var rest: UInt64 = 0
        while place < bytes.count {
            rest = rest << 8 | UInt64(bytes[place])
            place &+= 1
        }
        return fold(state ^ rest, 0xD6E8_FEB8_6659_FD93)
    }

    @inline(__always)
    private static func fold(_ left: UInt64, _ right: UInt64) -> UInt64 {
        let product = left.multipliedFullWidth(by: right)
        return product.high ^ product.low
    }
}
