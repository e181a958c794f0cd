import Policies

/// Comparisons of raw URL text with lower-case patterns, percent-decoding on the way.
enum PathText {
    /// Whether the decoded text is the pattern, without ASCII case.
    static func equal(_ text: UnsafeRawBufferPointer, _ pattern: [UInt8]) -> Bool {
        var place = 0
        var matched = 0
        while place < text.count {
            guard matched < pattern.count else { return false }
            let (byte, length) = PercentText.unescaped(text, place)
            guard folded(byte) == pattern[matched] else { return false }
            place += length
            matched += 1
        }
        return matched == pattern.count
    }

    /// The decoded text in lower case (ASCII).
    static func lowercased(_ text: UnsafeRawBufferPointer) -> String {
        // Up to 15 bytes need no allocation; segments and versions are that short.
        String(unsafeUninitializedCapacity: text.count) { buffer in
            var count = 0
            var place = 0
            while place < text.count {
                let (byte, length) = PercentText.unescaped(text, place)
                buffer[count] = folded(byte)
                count += 1
                place += length
            }
            return count
        }
    }

    @inline(__always)
    static func folded(_ byte: UInt8) -> UInt8 { byte &- 0x41 < 26 ? byte | 0x20 : byte }
}

/// Walks the parameters of a raw query.
enum QueryText {
    static func forEach(
        _ query: UnsafeRawBufferPointer,
        _ body: (_ name: UnsafeRawBufferPointer, _ value: UnsafeRawBufferPointer) -> Void
    ) {
        forEachItem(query) { name, item in
            body(name, UnsafeRawBufferPointer(rebasing: item[min(name.count + 1, item.count)...]))
        }
    }

    /// Gives each parameter's name, and the whole of it as it stands.
    static func forEachItem(
        _ query: UnsafeRawBufferPointer,
        _ body: (_ name: UnsafeRawBufferPointer, _ item: UnsafeRawBufferPointer) -> Void
    ) {
        var start = 0
        while start < query.count {
            var end = start
            var nameEnd = -1
            while end < query.count, query[end] != 0x26 {
                if nameEnd < 0, query[end] == 0x3D { nameEnd = end }
                end += 1
            }
            body(
                UnsafeRawBufferPointer(rebasing: query[start..<(nameEnd < 0 ? end : nameEnd)]),
                UnsafeRawBufferPointer(rebasing: query[start..<end])
            )
            start = end + 1
        }
    }
}
