/// Reads CSV and TSV into tables of a known schema, in batches, as the bytes come.
package struct DelimitedReader: Sendable {
    private var parser: DelimitedParser
    private var skipsHeader: Bool
    private let schema: [ColumnSchema]
    private var columns: [Column]
    private var rows = 0
    /// Rows before the current batch.
    private var rowsBefore = 0

    package init(schema: [ColumnSchema], format: TableFormat) {
        parser = DelimitedParser(separator: format.separator)
        skipsHeader = format.hasHeader
        self.schema = schema
        columns = schema.map(\.column)
    }

    /// - Throws: `TableError` naming the row and the column of a cell that is no value of the column's type.
    package mutating func feed(_ piece: some Sequence<UInt8>) throws(TableError) {
        var parser = self.parser
        defer { self.parser = parser }
        try parser.feed(piece) { bytes, fields throws(TableError) in try append(bytes, fields) }
    }

    package mutating func finish() throws(TableError) {
        var parser = self.parser
        defer { self.parser = parser }
        try parser.finish { bytes, fields throws(TableError) in try append(bytes, fields) }
    }

    /// What was read since the last batch.
    package mutating func takeBatch() -> DataTable {
        let table = DataTable(columns: columns, rowCount: rows)
        rowsBefore += rows
        rows = 0
        columns = schema.map(\.column)
        return table
    }

    private mutating func append(_ bytes: [UInt8], _ fields: [DelimitedParser.Field]) throws(TableError) {
        if skipsHeader {
            skipsHeader = false
            return
        }
        let row = rowsBefore + rows + 1
        guard fields.count == schema.count else {
            throw TableError("The row has \(fields.count) fields where \(schema.count) are expected.", row: row)
        }
        for (place, field) in fields.enumerated() {
            let isMissing = field.range.isEmpty && !(field.isQuoted && schema[place].type == .string)
            guard columns[place].values.append(text: isMissing ? nil : bytes[field.range]) else {
                throw CellMismatch.error(bytes[field.range], schema[place], row)
            }
        }
        rows += 1
    }
}

private enum CellMismatch {
    /// How much of a cell a message shows.
    static let shownBytesMax = 40

    static func error(_ text: ArraySlice<UInt8>, _ column: ColumnSchema, _ row: Int) -> TableError {
        let shown = String(decoding: text.prefix(shownBytesMax), as: UTF8.self)
        return TableError("\"\(shown)\" is no \(column.type.rawValue).", row: row, column: column.name)
    }
}
