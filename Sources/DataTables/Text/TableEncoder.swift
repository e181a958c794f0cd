#if canImport(Glibc)
import Glibc
#endif

/// Writes tables of one schema as CSV, TSV or ARFF, some rows at a time; the stretches joined are a file.
///
/// Missing cells are empty, empty texts are a pair of quotes, so that reading gives the same. Lines end in CR LF (RFC 4180).
package struct TableEncoder: Sendable {
    package let format: TableFormat

    package init(format: TableFormat) { self.format = format }

    /// What stands before the rows.
    package func header(_ schema: TableSchema) -> [UInt8] {
        var output: [UInt8] = []
        guard format.hasHeader else { return output }
        if format == .arff {
            ARFFText.writeHeader(schema, to: &output)
            return output
        }
        var isFirst = true
        schema.forEachColumn(limit: .max) { column in
            if !isFirst { output.append(format.separator) }
            isFirst = false
            let name = Array(column.name.utf8)
            let writer = CellWriter(separator: format.separator, texts: name)
            output += [UInt8](unsafeUninitializedCapacity: 2 * name.count + 2) { buffer, count in
                guard var place = buffer.baseAddress else { return }
                let start = place
                name.withUnsafeBytes { writer.write($0, &place) }
                count = place - start
            }
        }
        output.append(contentsOf: [0x0D, 0x0A])
        return output
    }

    /// Rows of a table.
    package func rows(_ table: DataTable, _ range: Range<Int>) -> [UInt8] {
        if format == .arff { return arffRows(table, range) }
        let parts = table.elements.filter { $0.width > 0 }.map { PartWriter.make($0, range, format.separator) }
        let bytes = parts.reduce(2 * range.count) { $0 + $1.bytesMax }
        return [UInt8](unsafeUninitializedCapacity: bytes) { buffer, count in
            guard var place = buffer.baseAddress else { return }
            let start = place
            for row in range {
                for number in parts.indices {
                    if number > 0 { Self.put(format.separator, &place) }
                    parts[number].write(row, &place)
                }
                Self.put(0x0D, &place)
                Self.put(0x0A, &place)
            }
            count = place - start
        }
    }

    @inline(__always)
    fileprivate static func put(_ byte: UInt8, _ place: inout UnsafeMutablePointer<UInt8>) {
        place.initialize(to: byte)
        place += 1
    }

    private func arffRows(_ table: DataTable, _ range: Range<Int>) -> [UInt8] {
        var output: [UInt8] = []
        for row in range {
            for (number, element) in table.elements.enumerated() {
                if number > 0, element.width > 0 { output.append(0x2C) }
                switch element {
                case .column(let column): ARFFText.writeCell(column.values, row, to: &output)
                case .sparse(let block):
                    var isFirst = true
                    block.forEachCount(row) { count in
                        if !isFirst { output.append(0x2C) }
                        isFirst = false
                        CellText.write(Int64(count), to: &output)
                    }
                }
            }
            output.append(contentsOf: [0x0D, 0x0A])
        }
        return output
    }
}

/// Writes one element of a table, row by row; a class, since copying an element's arrays for each row costs as much as writing it.
private class PartWriter {
    /// Bytes that the rows have at most, each with a separator before it.
    let bytesMax: Int

    init(bytesMax: Int) { self.bytesMax = bytesMax }

    func write(_ row: Int, _ place: inout UnsafeMutablePointer<UInt8>) {}

    static func make(_ element: DataTable.Element, _ range: Range<Int>, _ separator: UInt8) -> PartWriter {
        switch element {
        case .sparse(let block): return SparseWriter(block, range, separator)
        case .column(let column):
            switch column.values {
            case .string(let texts): return TextWriter(texts, range, separator)
            case .categorical(let values): return CategoricalWriter(values, range, separator)
            default: return PlainWriter(column.values, range)
            }
        }
    }

    static func put(_ bytes: [UInt8], _ place: inout UnsafeMutablePointer<UInt8>) {
        place.initialize(from: bytes, count: bytes.count)
        place += bytes.count
    }
}

private final class TextWriter: PartWriter {
    private let texts: StringValues
    private let writer: CellWriter

    init(_ texts: StringValues, _ range: Range<Int>, _ separator: UInt8) {
        self.texts = texts
        writer = CellWriter(separator: separator, texts: texts.bytes)
        let bytes =
            range.isEmpty
            ? 0 : texts.range(range.upperBound - 1).upperBound - texts.range(range.lowerBound).lowerBound
        super.init(bytesMax: range.count * 3 + bytes * (writer.needsLook ? 2 : 1))
    }

    override func write(_ row: Int, _ place: inout UnsafeMutablePointer<UInt8>) {
        if !texts.missing.isEmpty, texts.missing[row] { return }
        let range = texts.range(row)
        texts.bytes.withUnsafeBytes { writer.write(UnsafeRawBufferPointer(rebasing: $0[range]), &place) }
    }
}

private final class CategoricalWriter: PartWriter {
    private let values: CategoricalValues
    private let writer: CellWriter

    init(_ values: CategoricalValues, _ range: Range<Int>, _ separator: UInt8) {
        self.values = values
        writer = CellWriter(separator: separator, texts: Array(values.levels.joined().utf8))
        let longest = values.levels.reduce(0) { max($0, $1.utf8.count) }
        super.init(bytesMax: range.count * (2 * longest + 3))
    }

    override func write(_ row: Int, _ place: inout UnsafeMutablePointer<UInt8>) {
        guard var level = values[row] else { return }
        level.withUTF8 { writer.write(UnsafeRawBufferPointer($0), &place) }
    }
}

/// Writes what is neither text nor in need of quotes.
private final class PlainWriter: PartWriter {
    /// Digits and signs of the longest number, date or truth, and a separator.
    private static let cellBytesMax = 33

    private let values: ColumnValues
    private var cell: [UInt8] = []

    init(_ values: ColumnValues, _ range: Range<Int>) {
        self.values = values
        super.init(bytesMax: range.count * Self.cellBytesMax)
    }

    override func write(_ row: Int, _ place: inout UnsafeMutablePointer<UInt8>) {
        cell.removeAll(keepingCapacity: true)
        if values.writeText(row, to: &cell) { Self.put(cell, &place) }
    }
}

private final class SparseWriter: PartWriter {
    /// What a count takes beyond its first digit.
    private static let countBytesMax = 10

    private let block: SparseBlock
    private let separator: UInt8
    private let zeros: [UInt8]
    private var cell: [UInt8] = []

    init(_ block: SparseBlock, _ range: Range<Int>, _ separator: UInt8) {
        self.block = block
        self.separator = separator
        var zeros: [UInt8] = []
        for number in 0..<block.width {
            if number > 0 { zeros.append(separator) }
            zeros.append(0x30)
        }
        self.zeros = zeros
        let pairs = range.isEmpty ? 0 : block.ends[range.upperBound - 1] - block.range(range.lowerBound).lowerBound
        super.init(bytesMax: range.count * (zeros.count + 1) + pairs * Self.countBytesMax)
    }

    /// Zeros for all columns, then the counts that are not; where all have one digit nothing has to move.
    override func write(_ row: Int, _ place: inout UnsafeMutablePointer<UInt8>) {
        let pairs = block.range(row)
        var areDigits = block.kept.count == 1
        for pair in pairs where UInt32(bitPattern: block.counts[pair]) > 9 { areDigits = false }
        guard areDigits, let first = block.kept.first?.lowerBound else { return writeLong(row, &place) }
        place.initialize(from: zeros, count: zeros.count)
        for pair in pairs {
            place[(Int(block.numbers[pair]) - first) * 2] = 0x30 + UInt8(truncatingIfNeeded: block.counts[pair])
        }
        place += zeros.count
    }

    private func writeLong(_ row: Int, _ place: inout UnsafeMutablePointer<UInt8>) {
        var isFirst = true
        block.forEachCount(row) { count in
            if !isFirst { TableEncoder.put(separator, &place) }
            isFirst = false
            cell.removeAll(keepingCapacity: true)
            CellText.write(Int64(count), to: &cell)
            Self.put(cell, &place)
        }
    }
}

/// Writes texts, in quotes where they need them.
private struct CellWriter {
    let separator: UInt8
    /// Whether any of the texts holds what asks for quotes; else only empty ones need them.
    let needsLook: Bool

    init(separator: UInt8, texts: [UInt8]) {
        self.separator = separator
        needsLook = texts.withUnsafeBytes { Self.needsQuotes($0, separator) }
    }

    private static func needsQuotes(_ text: UnsafeRawBufferPointer, _ separator: UInt8) -> Bool {
        for byte in [separator, 0x22, 0x0A, 0x0D] where RecordCutter.find(byte, text, 0, text.count) != nil {
            return true
        }
        return false
    }

    /// Writes at most twice the text and two bytes.
    @inline(__always)
    func write(_ text: UnsafeRawBufferPointer, _ place: inout UnsafeMutablePointer<UInt8>) {
        guard !text.isEmpty, let base = text.baseAddress else {
            TableEncoder.put(0x22, &place)
            TableEncoder.put(0x22, &place)
            return
        }
        guard needsLook, Self.needsQuotes(text, separator) else {
            memcpy(place, base, text.count)
            place += text.count
            return
        }
        TableEncoder.put(0x22, &place)
        for byte in text {
            if byte == 0x22 { TableEncoder.put(0x22, &place) }
            TableEncoder.put(byte, &place)
        }
        TableEncoder.put(0x22, &place)
    }
}

extension SparseBlock {
    /// Gives the count of each kept column in order, zeros included.
    func forEachCount(_ row: Int, _ body: (Int32) -> Void) {
        var pair = range(row).lowerBound
        let end = range(row).upperBound
        for columns in kept {
            for number in columns {
                if pair < end, Int(numbers[pair]) == number {
                    body(counts[pair])
                    pair += 1
                } else {
                    body(0)
                }
            }
        }
    }
}
