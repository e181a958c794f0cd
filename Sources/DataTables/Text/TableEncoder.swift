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
        let parts = table.elements.map { Part($0, range, format.separator) }
        let bytes = parts.reduce(2 * range.count) { $0 + $1.bytesMax }
        return [UInt8](unsafeUninitializedCapacity: bytes) { buffer, count in
            guard var place = buffer.baseAddress else { return }
            let start = place
            for row in range {
                for (number, part) in parts.enumerated() {
                    if number > 0, !part.isEmpty { Self.put(format.separator, &place) }
                    part.write(row, &place)
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

    /// One element of a table, and how many bytes its rows can have.
    private struct Part {
        enum Kind {
            case text(StringValues, CellWriter)
            /// What is neither text nor in need of quotes.
            case plain(ColumnValues)
            case categorical(CategoricalValues, CellWriter)
            case sparse(SparseBlock, zeros: [UInt8])
        }

        let kind: Kind
        let bytesMax: Int
        let isEmpty: Bool

        /// Digits and signs of the longest number, date or truth.
        private static let plainBytesMax = 32
        /// What a count takes beyond its first digit.
        private static let countBytesMax = 10

        init(_ element: DataTable.Element, _ range: Range<Int>, _ separator: UInt8) {
            let separators = range.count
            isEmpty = element.width == 0
            switch element {
            case .column(let column):
                switch column.values {
                case .string(let texts):
                    let writer = CellWriter(separator: separator, texts: texts.bytes)
                    kind = .text(texts, writer)
                    let bytes =
                        range.isEmpty
                        ? 0 : texts.range(range.upperBound - 1).upperBound - texts.range(range.lowerBound).lowerBound
                    bytesMax = separators + bytes * (writer.needsLook ? 2 : 1) + 2 * range.count
                case .categorical(let values):
                    let longest = values.levels.reduce(0) { max($0, $1.utf8.count) }
                    kind = .categorical(
                        values,
                        CellWriter(separator: separator, texts: Array(values.levels.joined().utf8))
                    )
                    bytesMax = separators + range.count * (2 * longest + 2)
                default:
                    kind = .plain(column.values)
                    bytesMax = separators + range.count * Self.plainBytesMax
                }
            case .sparse(let block):
                var zeros: [UInt8] = []
                for number in 0..<block.width {
                    if number > 0 { zeros.append(separator) }
                    zeros.append(0x30)
                }
                kind = .sparse(block, zeros: zeros)
                let pairs =
                    range.isEmpty ? 0 : block.ends[range.upperBound - 1] - block.range(range.lowerBound).lowerBound
                bytesMax = separators + range.count * zeros.count + pairs * Self.countBytesMax
            }
        }

        @inline(__always)
        func write(_ row: Int, _ place: inout UnsafeMutablePointer<UInt8>) {
            switch kind {
            case .text(let texts, let writer):
                if !texts.missing.isEmpty, texts.missing[row] { return }
                let range = texts.range(row)
                texts.bytes.withUnsafeBytes { writer.write(UnsafeRawBufferPointer(rebasing: $0[range]), &place) }
            case .plain(let values):
                var cell: [UInt8] = []
                guard values.writeText(row, to: &cell) else { return }
                place.initialize(from: cell, count: cell.count)
                place += cell.count
            case .categorical(let values, let writer):
                guard var level = values[row] else { return }
                level.withUTF8 { writer.write(UnsafeRawBufferPointer($0), &place) }
            case .sparse(let block, let zeros): write(block, zeros, row, &place)
            }
        }

        /// Zeros for all columns, then the counts that are not; where all have one digit nothing has to move.
        @inline(__always)
        private func write(
            _ block: SparseBlock,
            _ zeros: [UInt8],
            _ row: Int,
            _ place: inout UnsafeMutablePointer<UInt8>
        ) {
            let pairs = block.range(row)
            var areDigits = block.kept.count == 1
            for pair in pairs where UInt32(bitPattern: block.counts[pair]) > 9 { areDigits = false }
            guard areDigits, let first = block.kept.first?.lowerBound else {
                var isFirst = true
                block.forEachCount(row) { count in
                    if !isFirst { place = Self.separated(zeros, place) }
                    isFirst = false
                    var cell: [UInt8] = []
                    CellText.write(Int64(count), to: &cell)
                    place.initialize(from: cell, count: cell.count)
                    place += cell.count
                }
                return
            }
            place.initialize(from: zeros, count: zeros.count)
            for pair in pairs {
                place[(Int(block.numbers[pair]) - first) * 2] = 0x30 + UInt8(truncatingIfNeeded: block.counts[pair])
            }
            place += zeros.count
        }

        private static func separated(
            _ zeros: [UInt8],
            _ place: UnsafeMutablePointer<UInt8>
        ) -> UnsafeMutablePointer<UInt8> {
            place.initialize(to: zeros[1])
            return place + 1
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
