import NIOCore

/// What can be read of a head that was refused, for what an answer repeats of it.
enum RefusedHead {
    /// Fields whose lines are plain text; what is behind the head's end, or came not yet, is none.
    ///
    /// - Parameter bytes: from the head's first byte on.
    static func fields(_ bytes: ByteBuffer, bytesMax: Int) -> [(name: String, value: String)] {
        let bytes = bytes.readableBytesView.prefix(bytesMax)
        var fields: [(name: String, value: String)] = []
        // What stands behind the last line's end is a line that was cut.
        for line in bytes.split(separator: 0x0A, omittingEmptySubsequences: false).dropLast().dropFirst() {
            let line = line.last == 0x0D ? line.dropLast() : line
            if line.isEmpty { break }
            guard let colon = line.firstIndex(of: 0x3A), colon > line.startIndex,
                line[..<colon].allSatisfy({ Octets.tokens[Int($0)] }),
                line[colon...].allSatisfy({ (0x20...0x7E).contains($0) || $0 == 0x09 })
            else { continue }
            let isBlank = { (byte: UInt8) in byte == 0x20 || byte == 0x09 }
            let value = line[(colon + 1)...].drop(while: isBlank)
            let end = value.lastIndex { !isBlank($0) }
            fields.append(
                (
                    name: String(decoding: line[..<colon], as: UTF8.self),
                    value: end.map { String(decoding: value[...$0], as: UTF8.self) } ?? ""
                )
            )
        }
        return fields
    }
}
