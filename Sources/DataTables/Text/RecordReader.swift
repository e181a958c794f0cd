#if canImport(Glibc)
import Glibc
#endif

/// Reads whole records of CSV or TSV (RFC 4180) or ARFF into columns of a known schema.
///
/// Quotes work in TSV as well, since spreadsheets and pandas write them there. Text after a closing quote is kept, as Python's
/// reader does. Empty cells are missing; in columns of text a pair of quotes is an empty text. Empty lines are no records.
package struct RecordReader: Sendable {
    /// How much of a record that could not be read is shown.
    private static let shownBytesMax = 4096

    let format: TableFormat
    let columns: [ColumnSchema]
    /// For each field of a record the column that it belongs to.
    let order: [Int]

    /// The names in the first record, and where the second begins; nil where there are only empty lines.
    static func header(_ bytes: [UInt8], _ format: TableFormat) throws(TableError) -> (names: [String]?, end: Int) {
        var names: [String] = []
        var walk = RecordWalk(separator: format.separator)
        var place = 0
        try bytes.withRawBytes { raw throws(TableError) in
            walk.skipEmptyLines(raw, &place)
            guard place < raw.count else { return }
            repeat {
                let field = try walk.field(raw, &place, row: 1)
                names.append(
                    field.range.isEmpty && field.unescaped == nil
                        ? "Col\(names.count + 1)" : String(decoding: walk.bytes(field, raw), as: UTF8.self)
                )
            } while walk.goesOn
        }
        return (names.isEmpty ? nil : names, place)
    }

    /// Reads records behind those of `rows`.
    ///
    /// - Returns: the records that could not be read, and their rows, which are there without values.
    func read(
        _ bytes: [UInt8],
        from start: Int,
        skipsBad: Bool,
        into rows: inout RowsBuilder
    ) throws(TableError) -> (bad: [BadRecord], rows: Set<Int>) {
        rows.checksUTF8 = !Self.isUTF8(bytes)
        var bad: [BadRecord] = []
        var badRows: Set<Int> = []
        var walk = RecordWalk(separator: format.separator)
        try bytes.withRawBytes { raw throws(TableError) in
            var place = start
            while true {
                format == .arff ? ARFFText.skipNoRecords(raw, &place) : walk.skipEmptyLines(raw, &place)
                guard place < raw.count else { break }
                let begin = place
                do throws(TableError) {
                    if format == .arff {
                        try ARFFText.record(raw, &place, self, &rows)
                    } else {
                        try record(raw, &place, bytes, &walk, &rows)
                    }
                } catch {
                    guard skipsBad else { throw error }
                    badRows.insert(rows.count)
                    let end = min(place, begin + Self.shownBytesMax)
                    bad.append(BadRecord(error: error, text: String(decoding: raw[begin..<end], as: UTF8.self)))
                }
                rows.endRow()
            }
        }
        return (bad, badRows)
    }

    /// Reads one record; after an error `place` stands behind the record all the same.
    private func record(
        _ raw: UnsafeRawBufferPointer,
        _ place: inout Int,
        _ bytes: [UInt8],
        _ walk: inout RecordWalk,
        _ rows: inout RowsBuilder
    ) throws(TableError) {
        var number = 0
        var failure: TableError?
        repeat {
            let field = try walk.field(raw, &place, row: rows.count + 1)
            defer { number += 1 }
            guard number < order.count else { continue }
            let column = order[number]
            let isTaken: Bool
            if let text = field.unescaped {
                isTaken = text.withUnsafeBytes { rows.append($0, text[...], column, isQuoted: true) }
            } else {
                isTaken = rows.append(
                    UnsafeRawBufferPointer(rebasing: raw[field.range]),
                    bytes[field.range],
                    column,
                    isQuoted: field.isQuoted
                )
            }
            if !isTaken, failure == nil {
                failure = rows.mismatch(walk.bytes(field, raw), column)
            }
        } while walk.goesOn
        guard number == order.count else {
            throw TableError("The row has \(number) fields where \(order.count) are expected.", row: rows.count + 1)
        }
        if let failure { throw failure }
    }

    /// Whether the bytes are UTF-8 as a whole; records are, wherever they are cut.
    private static func isUTF8(_ bytes: [UInt8]) -> Bool {
        let isASCII = bytes.withUnsafeBytes { raw in
            var seen: UInt64 = 0
            var place = 0
            while place &+ 8 <= raw.count {
                seen |= raw.loadUnaligned(fromByteOffset: place, as: UInt64.self)
                place &+= 8
            }
            while place < raw.count {
                seen |= UInt64(raw[place])
                place &+= 1
            }
            return seen & 0x8080_8080_8080_8080 == 0
        }
        return isASCII || String(validating: bytes, as: UTF8.self) != nil
    }
}

/// Walks over the fields of records; line ends are looked up once and remembered.
struct RecordWalk {
    /// A field: where its text stands, or its text where quotes were written twice.
    struct Field {
        let range: Range<Int>
        let isQuoted: Bool
        let unescaped: [UInt8]?
    }

    let separator: UInt8
    /// Whether another field of the record follows the last one.
    private(set) var goesOn = false
    private var nextLF = -1
    private var nextCR = -1

    init(separator: UInt8) { self.separator = separator }

    func bytes(_ field: Field, _ raw: UnsafeRawBufferPointer) -> [UInt8] { field.unescaped ?? Array(raw[field.range]) }

    func skipEmptyLines(_ raw: UnsafeRawBufferPointer, _ place: inout Int) {
        while place < raw.count, raw[place] == 0x0A || raw[place] == 0x0D { place += 1 }
    }

    /// Reads a field and what ends it.
    mutating func field(
        _ raw: UnsafeRawBufferPointer,
        _ place: inout Int,
        row: Int
    ) throws(TableError) -> Field {
        if place < raw.count, raw[place] == 0x22 { return try quoted(raw, &place, row) }
        let start = place
        let end = plainEnd(raw, place)
        place = end
        endField(raw, &place)
        return Field(range: start..<end, isQuoted: false, unescaped: nil)
    }

    private mutating func plainEnd(_ raw: UnsafeRawBufferPointer, _ start: Int) -> Int {
        if nextLF < start { nextLF = RecordCutter.find(0x0A, raw, start, raw.count) ?? raw.count }
        if nextCR < start { nextCR = RecordCutter.find(0x0D, raw, start, raw.count) ?? raw.count }
        let line = min(nextLF, nextCR)
        return RecordCutter.find(separator, raw, start, line) ?? line
    }

    /// Steps over the separator or the line end behind a field.
    private mutating func endField(_ raw: UnsafeRawBufferPointer, _ place: inout Int) {
        goesOn = place < raw.count && raw[place] == separator
        guard place < raw.count else { return }
        if !goesOn, raw[place] == 0x0D, place + 1 < raw.count, raw[place + 1] == 0x0A { place += 1 }
        place += 1
    }

    private mutating func quoted(
        _ raw: UnsafeRawBufferPointer,
        _ place: inout Int,
        _ row: Int
    ) throws(TableError) -> Field {
        let start = place + 1
        var from = start
        var text: [UInt8]?
        while true {
            guard let quote = RecordCutter.find(0x22, raw, from, raw.count) else {
                place = raw.count
                goesOn = false
                throw TableError("A quote is not closed.", row: row)
            }
            if quote + 1 < raw.count, raw[quote + 1] == 0x22 {
                // The first of two quotes belongs to the text.
                if text == nil { text = [] }
                text?.append(contentsOf: raw[from...quote])
                from = quote + 2
                continue
            }
            text?.append(contentsOf: raw[from..<quote])
            let end = plainEnd(raw, quote + 1)
            if end > quote + 1 {
                if text == nil { text = Array(raw[start..<quote]) }
                text?.append(contentsOf: raw[(quote + 1)..<end])
            }
            place = end
            endField(raw, &place)
            return Field(range: start..<quote, isQuoted: true, unescaped: text)
        }
    }
}

/// Columns that grow cell by cell.
struct RowsBuilder {
    /// How much of a cell a message shows.
    private static let shownBytesMax = 40

    let columns: [ColumnSchema]
    private var texts: [StringValues]
    /// Columns that hold no plain texts.
    private var others: [ColumnValues?]
    private(set) var count = 0
    /// Whether texts have to be looked at one by one.
    var checksUTF8 = false

    init(columns: [ColumnSchema]) {
        self.columns = columns
        texts = Array(repeating: StringValues(), count: columns.count)
        others = columns.map { $0.type == .string && !$0.isCategorical ? nil : $0.column.values }
    }

    /// Appends a cell.
    ///
    /// - Parameters:
    ///   - raw: the text of the cell.
    ///   - slice: the same.
    /// - Returns: false where the text is no value of the column; the cell is missing then.
    mutating func append(
        _ raw: UnsafeRawBufferPointer,
        _ slice: @autoclosure () -> ArraySlice<UInt8>,
        _ place: Int,
        isQuoted: Bool
    ) -> Bool {
        guard others[place] != nil else {
            if raw.isEmpty, !isQuoted {
                texts[place].appendMissing()
            } else {
                if checksUTF8, String(validating: raw, as: UTF8.self) == nil { return false }
                texts[place].append(utf8: raw)
            }
            return true
        }
        let isMissing = raw.isEmpty && !(isQuoted && columns[place].type == .string)
        if checksUTF8, columns[place].type == .string, String(validating: raw, as: UTF8.self) == nil { return false }
        return others[place]?.append(text: isMissing ? nil : slice()) ?? false
    }

    mutating func appendMissing(_ place: Int) {
        if others[place] == nil { texts[place].appendMissing() } else { others[place]?.appendMissing() }
    }

    func mismatch(_ text: [UInt8], _ place: Int) -> TableError {
        let column = columns[place]
        let shown = String(decoding: text.prefix(Self.shownBytesMax), as: UTF8.self)
        let message =
            String(validating: text, as: UTF8.self) == nil
            ? "The text is not UTF-8." : "\"\(shown)\" is no \(column.type.rawValue)."
        return TableError(message, row: count + 1, column: column.name)
    }

    /// Ends the row; cells that it did not get are missing.
    mutating func endRow() {
        count += 1
        for place in columns.indices {
            while (others[place]?.count ?? texts[place].count) < count { appendMissing(place) }
        }
    }

    var table: DataTable {
        DataTable(
            elements: columns.indices.map { place in
                let schema = columns[place]
                return .column(
                    Column(name: schema.name, values: others[place] ?? .string(texts[place]), role: schema.role)
                )
            },
            rowCount: count
        )
    }
}

extension [UInt8] {
    /// `withUnsafeBytes` that keeps the type of the error.
    func withRawBytes<Value, Failure: Error>(
        _ body: (UnsafeRawBufferPointer) throws(Failure) -> Value
    ) throws(Failure) -> Value {
        try withUnsafeBufferPointer { buffer throws(Failure) in try body(UnsafeRawBufferPointer(buffer)) }
    }
}
