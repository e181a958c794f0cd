/// Whole texts to tables and back.
package enum DelimitedTable {
    /// Rows that the types of columns are guessed from.
    package static let sampleRows = 1000
    /// Columns beyond this are refused: a file with a wrong separator shows itself so.
    package static let columnsMax = 10_000

    /// Reads a text whose column types are inferred from a sample, or declared in ARFF; a later cell that does not fit widens its column.
    package static func read(_ text: [UInt8], format: TableFormat) throws(TableError) -> DataTable {
        // Texts are answered in JSON, which other bytes would break.
        guard String(validating: text, as: UTF8.self) != nil else { throw TableError("The text is not UTF-8.") }
        var schema = try inferSchema(text, format: format)
        // Each turn widens one column by one step of at most five, so the loop ends.
        for _ in 0...(schema.count * ColumnType.allCases.count) {
            do {
                return try read(text, format: format, schema)
            } catch {
                guard let name = error.column, let place = schema.firstIndex(where: { $0.name == name }),
                    let wider = schema[place].type.wider
                else { throw error }
                schema[place].type = wider
            }
        }
        throw TableError("The column types cannot be settled.")
    }

    /// Reads a text of a known schema.
    package static func read(
        _ text: [UInt8],
        format: TableFormat,
        _ schema: [ColumnSchema]
    ) throws(TableError) -> DataTable {
        var input = TableInput(format: format, columns: schema)
        text.withUnsafeBytes { input.feed($0) }
        var rows = RowsBuilder(columns: schema)
        while let chunk = try input.next(bytesMax: .max >> 1, isLast: true) { try chunk.read(into: &rows) }
        return rows.table
    }

    /// The columns by the header, or Col1, Col2 …, and the narrowest types that hold the first rows.
    package static func inferSchema(
        _ text: [UInt8],
        format: TableFormat
    ) throws(TableError) -> [ColumnSchema] {
        if format == .arff {
            var cutter = RecordCutter(format: format)
            text.withUnsafeBytes { cutter.feed($0) }
            let declarations = try cutter.next(bytesMax: .max >> 1, isLast: true) ?? []
            return try unique(
                ARFFText.attributes(declarations).map { attribute in
                    ColumnSchema(
                        name: attribute.name,
                        type: attribute.type ?? .string,
                        isCategorical: attribute.isNominal
                    )
                }
            )
        }
        var sample = SchemaSample(hasHeader: format.hasHeader)
        var parser = DelimitedParser(separator: format.separator)
        do {
            try parser.feed(text) { bytes, fields throws(SampleStop) in try sample.take(bytes, fields) }
            try parser.finish { bytes, fields throws(SampleStop) in try sample.take(bytes, fields) }
        } catch {
            if let failure = error.failure { throw failure }
        }
        return try sample.schema()
    }

    /// Writes a whole table.
    package static func write(_ table: DataTable, format: TableFormat, to output: inout [UInt8]) {
        let encoder = TableEncoder(format: format)
        output += encoder.header(table.schema)
        output += encoder.rows(table, 0..<table.rowCount)
    }

    /// The schema, where no name stands twice.
    fileprivate static func unique(_ schema: [ColumnSchema]) throws(TableError) -> [ColumnSchema] {
        var seen: Set<String> = []
        for column in schema where !seen.insert(column.name).inserted {
            throw TableError("The column name \"\(column.name)\" stands twice in the header.")
        }
        return schema
    }
}

extension ColumnType {
    /// The next type that holds all values of this one; nil after String.
    fileprivate var wider: ColumnType? {
        switch self {
        case .int32: .int64
        case .int64: .double
        case .double, .boolean, .dateTime: .string
        case .string: nil
        }
    }
}

/// Ends the walk over a text once the sample is full.
private struct SampleStop: Error, TableErrorConvertible {
    let failure: TableError?
    init(failure: TableError?) { self.failure = failure }
    init(table: TableError) { failure = table }
}

private struct SchemaSample {
    let hasHeader: Bool
    var names: [String]?
    var candidates: [[ColumnType]] = []
    var rows = 0
    /// Columns of which a value was seen; the others may hold anything.
    var seen: Set<Int> = []

    /// Narrow before wide; a type stays while every sampled cell is one of its values.
    static let order: [ColumnType] = [.boolean, .int32, .int64, .double, .dateTime]

    init(hasHeader: Bool) { self.hasHeader = hasHeader }

    mutating func take(_ bytes: [UInt8], _ fields: [DelimitedParser.Field]) throws(SampleStop) {
        guard names != nil else {
            guard fields.count <= DelimitedTable.columnsMax else {
                throw SampleStop(table: TableError("There are more than \(DelimitedTable.columnsMax) columns."))
            }
            names = fields.enumerated().map { place, field in
                guard hasHeader, !field.range.isEmpty else { return "Col\(place + 1)" }
                return String(decoding: bytes[field.range], as: UTF8.self)
            }
            candidates = fields.map { _ in SchemaSample.order }
            if !hasHeader { sample(bytes, fields) }
            return
        }
        guard rows < DelimitedTable.sampleRows else { throw SampleStop(failure: nil) }
        sample(bytes, fields)
    }

    mutating func sample(_ bytes: [UInt8], _ fields: [DelimitedParser.Field]) {
        rows += 1
        for (place, field) in fields.enumerated() where place < candidates.count {
            // Quoted cells count as any other: writers that quote everything are common.
            guard !field.range.isEmpty else { continue }
            seen.insert(place)
            let cell = bytes[field.range]
            candidates[place].removeAll { type in
                switch type {
                case .boolean: CellText.boolean(cell) == nil
                case .int32: CellText.integer(cell).flatMap(Int32.init(exactly:)) == nil
                case .int64: CellText.integer(cell) == nil
                case .double: CellText.double(cell) == nil
                case .dateTime: DateTimeText.ticks(cell) == nil
                case .string: false
                }
            }
        }
    }

    func schema() throws(TableError) -> [ColumnSchema] {
        guard let names else { throw TableError("The text holds no rows.") }
        return try DelimitedTable.unique(
            names.enumerated().map { place, name in
                ColumnSchema(name: name, type: seen.contains(place) ? candidates[place].first ?? .string : .string)
            }
        )
    }
}
