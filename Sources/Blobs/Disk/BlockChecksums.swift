import CChecksum

/// CRC-32C of each 64 KiB of a content, taken while its bytes come.
package struct BlockChecksums {
    static let blockBytes = 64 << 10

    private(set) var done: [UInt32] = []
    private var running: UInt32 = 0
    private var filled = 0

    package init() {}

    package mutating func add(_ bytes: UnsafeRawBufferPointer) {
        var rest = bytes
        if filled > 0 {
            let part = UnsafeRawBufferPointer(rebasing: rest.prefix(Self.blockBytes - filled))
            running = gatehouse_crc32c(running, part.baseAddress, part.count)
            filled += part.count
            rest = UnsafeRawBufferPointer(rebasing: rest.dropFirst(part.count))
            guard filled == Self.blockBytes else { return }
            done.append(running)
            running = 0
            filled = 0
        }
        let whole = rest.count / Self.blockBytes
        if whole > 0 {
            done += Self.checksums(of: rest, count: whole)
            rest = UnsafeRawBufferPointer(rebasing: rest.dropFirst(whole * Self.blockBytes))
        }
        guard !rest.isEmpty else { return }
        running = gatehouse_crc32c(0, rest.baseAddress, rest.count)
        filled = rest.count
    }

    /// The checksums of all blocks, the last of which may be short.
    package func finish() -> [UInt32] { filled > 0 ? done + [running] : done }

    /// Whether the blocks are those that were written.
    ///
    /// - Parameters:
    ///   - bytes: whole blocks, and the content's last one, which may be short.
    ///   - first: the place of the first block in the content.
    static func match(_ bytes: UnsafeRawBufferPointer, _ known: [UInt32], first: Int) -> Bool {
        let whole = bytes.count / blockBytes
        let rest = bytes.count - whole * blockBytes
        guard first + whole + (rest > 0 ? 1 : 0) <= known.count else { return false }
        var isSame = checksums(of: bytes, count: whole).elementsEqual(known[first..<(first + whole)])
        if rest > 0 {
            let tail = UnsafeRawBufferPointer(rebasing: bytes.suffix(rest))
            isSame = isSame && gatehouse_crc32c(0, tail.baseAddress, rest) == known[first + whole]
        }
        return isSame
    }

    private static func checksums(of bytes: UnsafeRawBufferPointer, count: Int) -> [UInt32] {
        [UInt32](unsafeUninitializedCapacity: count) { result, initialized in
            gatehouse_crc32c_blocks(bytes.baseAddress, blockBytes, count, result.baseAddress)
            initialized = count
        }
    }
}
