#if canImport(Glibc)
import Glibc
#endif

/// Cuts CSV, TSV or ARFF into stretches of whole records as the bytes come; stretches can be read side by side.
///
/// Follows RFC 4180 as `RecordReader` does: a quote opens at the start of a field only, and line ends are CRLF, LF or CR. What an
/// ARFF file has before its rows is a stretch of its own.
package struct RecordCutter: Sendable {
    /// A single record beyond this is refused: one cell must not be able to take the memory of the machine.
    package static let recordBytesMax = 64 << 20
    /// The declarations of an ARFF file: 10,000 attributes take a tenth of it.
    private static let declarationBytesMax = 8 << 20

    private let format: TableFormat
    private var buffer: [UInt8] = []
    /// Where the first byte stands that was not cut off yet.
    private var head = 0
    /// Up to where the bytes were looked at.
    private var scanned = 0
    /// Behind the last record that ends before `scanned`; `head` where none does.
    private var boundary = 0
    private var isQuoted = false
    private var isAtStart = true
    private var isInDeclarations: Bool

    package init(format: TableFormat) {
        self.format = format
        isInDeclarations = format == .arff
    }

    package mutating func feed(_ bytes: UnsafeRawBufferPointer) {
        if head > 0 {
            buffer.removeSubrange(..<head)
            scanned -= head
            boundary -= head
            head = 0
        }
        buffer.append(contentsOf: bytes)
    }

    /// The next stretch: as many whole records as fit, at least one.
    ///
    /// - Parameters:
    ///   - bytesMax: what a stretch of more than one record has at most.
    ///   - isLast: whether no more bytes come.
    /// - Returns: nil where more bytes are needed, or all are cut.
    package mutating func next(bytesMax: Int, isLast: Bool) throws(TableError) -> [UInt8]? {
        if isAtStart {
            guard buffer.count - head >= 3 || isLast else { return nil }
            isAtStart = false
            // The mark that some programs write before UTF-8.
            if buffer[head...].starts(with: [0xEF, 0xBB, 0xBF]) { head += 3 }
            scanned = head
            boundary = head
        }
        if isInDeclarations { return try declarations(isLast: isLast) }
        guard head < buffer.count, buffer.count - head >= bytesMax || isLast else { return nil }
        let wanted = min(buffer.count, head + bytesMax)
        if scanned < wanted { scan(to: wanted, isLast: isLast) }
        // No record ends within the bound: the first that ends behind it is taken alone.
        if boundary == head { scanRecord(isLast: isLast) }
        if boundary > head { return cut() }
        guard buffer.count - head <= Self.recordBytesMax else {
            throw TableError("A record is longer than 64 MiB.", row: 1)
        }
        guard isLast else { return nil }
        boundary = buffer.count
        return cut()
    }

    private mutating func cut() -> [UInt8] {
        defer {
            head = boundary
            scanned = max(scanned, head)
        }
        return Array(buffer[head..<boundary])
    }

    // MARK: - Looking for ends

    /// Looks at the bytes up to `end`, and one beyond where a quote stands last.
    ///
    /// - Parameter isFirst: whether to stop at the first end of a record.
    private mutating func scan(to end: Int, isFirst: Bool = false, isLast: Bool) {
        buffer.withUnsafeBytes { raw in
            while scanned < end {
                if isQuoted {
                    guard closeQuote(raw, end, isLast: isLast) else { return }
                    continue
                }
                let quote = format == .arff ? nil : Self.find(0x22, raw, scanned, end)
                let stop = quote ?? end
                if isFirst {
                    firstLineEnd(raw, scanned, stop, isLast: isLast)
                    if boundary > head {
                        scanned = boundary
                        return
                    }
                } else {
                    lastLineEnd(raw, scanned, stop, isLast: isLast)
                }
                if let quote, quote == head || Self.beginsField(raw[quote - 1], format.separator) { isQuoted = true }
                scanned = quote.map { $0 + 1 } ?? end
            }
        }
    }

    /// Looks for the end of the record that is open, up to the end of all bytes.
    private mutating func scanRecord(isLast: Bool) {
        while boundary == head, scanned < buffer.count {
            let before = scanned
            scan(to: min(buffer.count, scanned + Self.stepBytes), isFirst: true, isLast: isLast)
            // A quote at the very end: what it means is known with the next byte.
            if scanned == before { return }
        }
    }

    /// Bytes looked at between two questions whether the record has ended.
    private static let stepBytes = 64 << 10

    /// Steps behind the quote that closes, or waits where the next byte must be known.
    ///
    /// - Returns: whether to go on.
    private mutating func closeQuote(_ raw: UnsafeRawBufferPointer, _ end: Int, isLast: Bool) -> Bool {
        guard let quote = Self.find(0x22, raw, scanned, end) else {
            scanned = end
            return true
        }
        guard quote + 1 < raw.count || isLast else {
            scanned = quote
            return false
        }
        if quote + 1 < raw.count, raw[quote + 1] == 0x22 {
            scanned = quote + 2
        } else {
            isQuoted = false
            scanned = quote + 1
        }
        return true
    }

    /// Notes the last line end in a stretch without quotes.
    private mutating func lastLineEnd(_ raw: UnsafeRawBufferPointer, _ start: Int, _ end: Int, isLast: Bool) {
        if let feed = Self.findLast(0x0A, raw, start, end) {
            boundary = max(boundary, feed + 1)
        } else if format != .arff, let place = Self.findLast(0x0D, raw, start, end) {
            // CR LF is one line end.
            let isWhole = place + 1 < raw.count ? raw[place + 1] != 0x0A : isLast
            if isWhole { boundary = max(boundary, place + 1) }
        }
    }

    /// Notes the first line end in a stretch without quotes.
    private mutating func firstLineEnd(_ raw: UnsafeRawBufferPointer, _ start: Int, _ end: Int, isLast: Bool) {
        let feed = Self.find(0x0A, raw, start, end)
        if format != .arff, let place = Self.find(0x0D, raw, start, feed ?? end), place + 1 != feed {
            let isWhole = place + 1 < raw.count ? raw[place + 1] != 0x0A : isLast
            if isWhole {
                boundary = place + 1
                return
            }
        }
        if let feed { boundary = feed + 1 }
    }

    private static func beginsField(_ before: UInt8, _ separator: UInt8) -> Bool {
        before == separator || before == 0x0A || before == 0x0D
    }

    /// Where a byte stands in a stretch.
    static func find(_ byte: UInt8, _ raw: UnsafeRawBufferPointer, _ start: Int, _ end: Int) -> Int? {
        guard start < end, let base = raw.baseAddress else { return nil }
        return memchr(base + start, Int32(byte), end - start).map { UnsafeRawPointer($0) - base }
    }

    /// Where a byte stands last in a stretch; it is looked for from the end, since lines are short.
    private static func findLast(_ byte: UInt8, _ raw: UnsafeRawBufferPointer, _ start: Int, _ end: Int) -> Int? {
        var place = end
        while place > start {
            place -= 1
            if raw[place] == byte { return place }
        }
        return nil
    }

    // MARK: - ARFF

    /// Everything up to the line of `@data`.
    private mutating func declarations(isLast: Bool) throws(TableError) -> [UInt8]? {
        var place = scanned
        while place < buffer.count {
            let feed = buffer[place...].firstIndex(of: 0x0A)
            guard feed != nil || isLast else { break }
            let end = feed.map { $0 + 1 } ?? buffer.count
            let line = buffer[place..<end].drop { $0 == 0x20 || $0 == 0x09 }
            place = end
            scanned = end
            if String(decoding: line.prefix(5), as: UTF8.self).lowercased() == "@data" {
                isInDeclarations = false
                boundary = end
                return cut()
            }
        }
        guard buffer.count - head <= Self.declarationBytesMax else {
            throw TableError("The declarations of the ARFF file are longer than 8 MiB.")
        }
        if isLast { throw TableError("The ARFF file has no @data.") }
        return nil
    }
}
