package import NIOCore

/// What can be read of a head that was refused, for what an answer repeats of it; of one whose body broke, all of it.
package struct RefusedHead: Sendable {
    /// Empty where no request line could be read.
    package private(set) var method = ""
    /// Path and query; empty where no request line could be read.
    package private(set) var target = ""
    /// Fields whose lines are plain text; what is behind the head's end, or came not yet, is none.
    package private(set) var fields: [(name: String, value: String)] = []

    /// Of nothing.
    init() {}

    init(_ head: TaskHead) {
        method = head.method
        target = head.target
        fields = head.fields
    }

    /// - Parameter bytes: from the head's first byte on.
    package init(_ bytes: ByteBuffer, bytesMax: Int) {
        // What stands behind the last line's end is a line that was cut.
        let lines = bytes.readableBytesView.prefix(bytesMax).split(separator: 0x0A, omittingEmptySubsequences: false)
            .dropLast()
            .map { $0.last == 0x0D ? $0.dropLast() : $0 }
        guard let first = lines.first else { return }
        readRequestLine(first)
        for line in lines.dropFirst() {
            if line.isEmpty { break }
            if let field = Self.field(line) { fields.append(field) }
        }
    }

    private mutating func readRequestLine(_ line: ByteBufferView) {
        let words = line.split(separator: 0x20, omittingEmptySubsequences: false)
        guard words.count > 1, !words[0].isEmpty, words[0].allSatisfy({ Octets.tokens[Int($0)] }) else { return }
        var target = words[1]
        let scheme = "http://"
        // Absolute form: the authority is cut off.
        if String(decoding: target.prefix(scheme.utf8.count), as: UTF8.self).lowercased() == scheme {
            target = target.dropFirst(scheme.utf8.count).drop { $0 != 0x2F }
        }
        guard target.first == 0x2F else { return }
        method = String(decoding: words[0], as: UTF8.self)
        self.target = String(decoding: target, as: UTF8.self)
    }

    private static func field(_ line: ByteBufferView) -> (name: String, value: String)? {
        guard let colon = line.firstIndex(of: 0x3A), colon > line.startIndex,
            line[..<colon].allSatisfy({ Octets.tokens[Int($0)] }),
            line[colon...].allSatisfy({ (0x20...0x7E).contains($0) || $0 == 0x09 })
        else { return nil }
        let isBlank = { (byte: UInt8) in byte == 0x20 || byte == 0x09 }
        let value = line[(colon + 1)...].drop(while: isBlank)
        let end = value.lastIndex { !isBlank($0) }
        return (
            name: String(decoding: line[..<colon], as: UTF8.self),
            value: end.map { String(decoding: value[...$0], as: UTF8.self) } ?? ""
        )
    }
}
