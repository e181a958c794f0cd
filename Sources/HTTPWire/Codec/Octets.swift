/// Tables and comparisons over bytes of a head.
package enum Octets {
    /// RFC 9110 token characters.
    static let isToken: [Bool] = {
        var table = [Bool](repeating: false, count: 256)
        for byte in Array("!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ".utf8) {
            table[Int(byte)] = true
        }
        return table
    }()

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
