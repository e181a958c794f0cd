/// What one loop remembers of bytes that come again and again: keys that were verified, targets that were routed.
///
/// A table of fixed size in which a newer entry takes the place of an older one with the same slot; its owner empties it when
/// what the values came from changes. Inlinable, so that each room that uses it gets code for its own value.
package struct VerifiedKeys<Value> {
    /// 4,096 entries of usual length are some 1 MB a loop.
    @usableFromInline static var slotCount: Int { 4096 }
    /// Longer bytes are not remembered: the table must not hold what a hostile caller makes large.
    @usableFromInline static var keyBytesMax: Int { 512 }

    @usableFromInline
    struct Entry {
        @usableFromInline let hash: Int
        @usableFromInline let key: [UInt8]
        @usableFromInline let value: Value

        @inlinable
        init(hash: Int, key: [UInt8], value: Value) {
            self.hash = hash
            self.key = key
            self.value = value
        }
    }

    @usableFromInline var slots: [Entry?] = []

    @inlinable
    package init() {}

    @inlinable
    package func find(_ key: UnsafeRawBufferPointer) -> Value? {
        guard !slots.isEmpty else { return nil }
        let hash = hash(key)
        guard let entry = slots[hash & (Self.slotCount - 1)], entry.hash == hash, entry.key.count == key.count else {
            return nil
        }
        return equal(entry.key, key) ? entry.value : nil
    }

    @inlinable
    package mutating func insert(_ key: UnsafeRawBufferPointer, _ value: Value) {
        guard key.count <= Self.keyBytesMax else { return }
        if slots.isEmpty { slots = Array(repeating: nil, count: Self.slotCount) }
        let hash = hash(key)
        slots[hash & (Self.slotCount - 1)] = Entry(hash: hash, key: Array(key), value: value)
    }

    @inlinable
    package mutating func removeAll() { slots = [] }

    /// Compares all bytes, whether or not an early one differs: some of them are secrets.
    @inlinable
    func equal(_ known: [UInt8], _ given: UnsafeRawBufferPointer) -> Bool {
        known.withUnsafeBytes { known in
            var difference: UInt64 = 0
            var place = 0
            while place &+ 8 <= given.count {
                difference |=
                    known.loadUnaligned(fromByteOffset: place, as: UInt64.self)
                    ^ given.loadUnaligned(fromByteOffset: place, as: UInt64.self)
                place &+= 8
            }
            while place < given.count {
                difference |= UInt64(known[place] ^ given[place])
                place &+= 1
            }
            return difference == 0
        }
    }

    /// Swift's hasher is SipHash with a key of this process: callers cannot aim at one slot.
    @inlinable
    func hash(_ key: UnsafeRawBufferPointer) -> Int {
        var hasher = Hasher()
        hasher.combine(bytes: key)
        return hasher.finalize()
    }
}
