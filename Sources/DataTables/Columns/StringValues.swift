/// The texts of a column, one after another in one buffer of UTF-8.
package struct StringValues: Sendable, Equatable {
    package var bytes: [UInt8] = []
    /// Where each row's text ends.
    package var ends: [Int] = []
    package private(set) var missing = MissingMask()

    package init() {}

    package init(_ texts: [String?]) {
        for text in texts { append(text) }
    }

    package var count: Int { ends.count }

    package func range(_ row: Int) -> Range<Int> { (row == 0 ? 0 : ends[row - 1])..<ends[row] }

    /// The row's UTF-8, or nil when it is missing.
    package func utf8(_ row: Int) -> ArraySlice<UInt8>? { missing[row] ? nil : bytes[range(row)] }

    package subscript(row: Int) -> String? { utf8(row).map { String(decoding: $0, as: UTF8.self) } }

    package mutating func append(_ text: String?) {
        guard let text else { return appendMissing() }
        bytes.append(contentsOf: text.utf8)
        ends.append(bytes.count)
    }

    @inlinable
    package mutating func append(utf8: some Sequence<UInt8>) {
        bytes.append(contentsOf: utf8)
        ends.append(bytes.count)
    }

    /// Appends a row whose text `write` appends to the buffer.
    @inlinable
    package mutating func append<Failure: Error>(
        writing write: (inout [UInt8]) throws(Failure) -> Void
    ) throws(Failure) {
        try write(&bytes)
        ends.append(bytes.count)
    }

    package mutating func appendMissing() {
        missing.insert(ends.count)
        ends.append(bytes.count)
    }

    package func selecting(_ rows: [Int]) -> StringValues {
        var result = StringValues()
        for row in rows {
            if let text = utf8(row) { result.append(utf8: text) } else { result.appendMissing() }
        }
        return result
    }
}
