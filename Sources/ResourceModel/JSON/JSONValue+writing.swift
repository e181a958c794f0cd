extension JSONValue {
    /// The document on one line, members in their order.
    package var text: String { String(decoding: bytes, as: UTF8.self) }

    package var bytes: [UInt8] {
        var output: [UInt8] = []
        write(to: &output)
        return output
    }

    /// The document over several lines, two spaces a level.
    package var indented: String {
        var output: [UInt8] = []
        write(to: &output, indent: 0)
        output.append(0x0A)
        return String(decoding: output, as: UTF8.self)
    }

    /// Appends text as a JSON string with its quotes.
    @inlinable
    package static func write(string text: some Sequence<UInt8>, to output: inout [UInt8]) {
        output.append(0x22)
        let wasContiguous: Void? = text.withContiguousStorageIfAvailable { bytes in
            var start = 0
            for place in bytes.indices where needsEscape(bytes[place]) {
                output.append(contentsOf: UnsafeBufferPointer(rebasing: bytes[start..<place]))
                writeEscape(bytes[place], to: &output)
                start = place + 1
            }
            output.append(contentsOf: UnsafeBufferPointer(rebasing: bytes[start...]))
        }
        if wasContiguous == nil {
            for byte in text {
                if needsEscape(byte) { writeEscape(byte, to: &output) } else { output.append(byte) }
            }
        }
        output.append(0x22)
    }

    @inlinable
    static func needsEscape(_ byte: UInt8) -> Bool { byte < 0x20 || byte == 0x22 || byte == 0x5C }

    @usableFromInline
    static func writeEscape(_ byte: UInt8, to output: inout [UInt8]) {
        output.append(0x5C)
        switch byte {
        case 0x22, 0x5C: output.append(byte)
        case 0x0A: output.append(0x6E)
        case 0x0D: output.append(0x72)
        case 0x09: output.append(0x74)
        default:
            output.append(contentsOf: "u00".utf8)
            output.append(hexDigit(byte >> 4))
            output.append(hexDigit(byte & 15))
        }
    }

    private static func hexDigit(_ value: UInt8) -> UInt8 { value < 10 ? 0x30 + value : 0x57 + value }

    private func write(to output: inout [UInt8], indent: Int? = nil) {
        switch self {
        case .null: output += Array("null".utf8)
        case .bool(let value): output += Array((value ? "true" : "false").utf8)
        case .int(let value): output += Array(String(value).utf8)
        case .double(let value): output += Array((value.isFinite ? "\(value)" : "null").utf8)
        case .string(let value): JSONValue.write(string: value.utf8, to: &output)
        case .array(let elements):
            JSONValue.write(elements, open: 0x5B, close: 0x5D, to: &output, indent: indent) { element, output, indent in
                element.write(to: &output, indent: indent)
            }
        case .object(let object):
            JSONValue.write(object.members, open: 0x7B, close: 0x7D, to: &output, indent: indent) {
                member,
                output,
                indent in
                JSONValue.write(string: member.name.utf8, to: &output)
                output.append(0x3A)
                if indent != nil { output.append(0x20) }
                member.value.write(to: &output, indent: indent)
            }
        }
    }

    private static func write<Item>(
        _ items: [Item],
        open: UInt8,
        close: UInt8,
        to output: inout [UInt8],
        indent: Int?,
        _ body: (Item, inout [UInt8], Int?) -> Void
    ) {
        output.append(open)
        for (place, item) in items.enumerated() {
            if place > 0 { output.append(0x2C) }
            if let indent { output += [0x0A] + [UInt8](repeating: 0x20, count: (indent + 1) * 2) }
            body(item, &output, indent.map { $0 + 1 })
        }
        if let indent, !items.isEmpty { output += [0x0A] + [UInt8](repeating: 0x20, count: indent * 2) }
        output.append(close)
    }
}
