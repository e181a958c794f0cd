/// Keys that one loop has verified: raw bytes to a value, without the cost of a keyed hash of a cryptographic kind.
///
/// Bounded; when it is full it begins anew, and its owner empties it when what the values came from changes.
package struct VerifiedKeys<Value> {
    /// 16,384 keys of usual length are some 3 MB a loop.
    private static var entriesMax: Int { 16_384 }

    private struct Entry {
        let key: [UInt8]
        let value: Value
    }

    private var table: [Int: Entry] = [:]

    package init() {}

    package func find(_ key: UnsafeRawBufferPointer) -> Value? {
        guard let entry = table[hash(key)], entry.key.count == key.count else { return nil }
        var difference: UInt8 = 0
        for place in 0..<key.count { difference |= key[place] ^ entry.key[place] }
        return difference == 0 ? entry.value : nil
    }

    package mutating func insert(_ key: UnsafeRawBufferPointer, _ value: Value) {
        if table.count >= Self.entriesMax { table.removeAll(keepingCapacity: true) }
        table[hash(key)] = Entry(key: Array(key), value: value)
    }

    package mutating func removeAll() { table.removeAll(keepingCapacity: true) }

    /// Swift's hasher is SipHash with a key of this process: callers cannot aim at one bucket.
    private func hash(_ key: UnsafeRawBufferPointer) -> Int {
        var hasher = Hasher()
        hasher.combine(bytes: key)
        return hasher.finalize()
    }
}
