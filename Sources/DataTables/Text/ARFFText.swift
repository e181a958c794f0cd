/// ARFF as Weka writes it: declarations, then rows of values with commas between them.
enum ARFFText {
    /// What an attribute's declaration says.
    struct Attribute {
        let name: String
        /// nil for a date with a format of its own and for what is unknown: read as text.
        let type: ColumnType?
        let isNominal: Bool
    }

    /// The names of the attributes.
    static func names(_ bytes: [UInt8]) throws(TableError) -> [String] { try attributes(bytes).map(\.name) }

    static func attributes(_ bytes: [UInt8]) throws(TableError) -> [Attribute] {
        var result: [Attribute] = []
        for line in bytes.split(whereSeparator: { $0 == 0x0A || $0 == 0x0D }) {
            let found = Array(line)
            if let attribute = try found.withRawBytes(declaration) { result.append(attribute) }
        }
        guard !result.isEmpty else { throw TableError("The ARFF file declares no attributes.") }
        return result
    }

    /// The attribute that a line declares, if it declares one.
    private static func declaration(_ raw: UnsafeRawBufferPointer) throws(TableError) -> Attribute? {
        var place = 0
        skipBlanks(raw, &place)
        guard place < raw.count, raw[place] == 0x40 else { return nil }
        let keyword = String(decoding: plain(raw, &place, endsAtBlank: true), as: UTF8.self).lowercased()
        guard keyword == "@attribute" else { return nil }
        skipBlanks(raw, &place)
        let name = String(decoding: try value(raw, &place, endsAtBlank: true).bytes, as: UTF8.self)
        guard !name.isEmpty else { throw TableError("An attribute of the ARFF file has no name.") }
        skipBlanks(raw, &place)
        return attribute(name, String(decoding: raw[place...], as: UTF8.self))
    }

    private static func attribute(_ name: String, _ type: String) -> Attribute {
        let word = type.split(whereSeparator: { $0 == " " || $0 == "\t" }).first?.lowercased() ?? ""
        if type.hasPrefix("{") { return Attribute(name: name, type: .string, isNominal: true) }
        switch word {
        case "numeric", "real": return Attribute(name: name, type: .double, isNominal: false)
        case "integer": return Attribute(name: name, type: .int64, isNominal: false)
        case "string": return Attribute(name: name, type: .string, isNominal: false)
        case "date": return Attribute(name: name, type: .dateTime, isNominal: false)
        default: return Attribute(name: name, type: nil, isNominal: false)
        }
    }

    // MARK: - Rows

    /// Steps over empty lines and comments.
    static func skipNoRecords(_ raw: UnsafeRawBufferPointer, _ place: inout Int) {
        while place < raw.count {
            switch raw[place] {
            case 0x0A, 0x0D, 0x20, 0x09: place += 1
            case 0x25: place = RecordCutter.find(0x0A, raw, place, raw.count).map { $0 + 1 } ?? raw.count
            default: return
            }
        }
    }

    /// Reads one row; after an error `place` stands behind its line all the same.
    static func record(
        _ raw: UnsafeRawBufferPointer,
        _ place: inout Int,
        _ reader: RecordReader,
        _ rows: inout RowsBuilder
    ) throws(TableError) {
        let feed = RecordCutter.find(0x0A, raw, place, raw.count) ?? raw.count
        let line = UnsafeRawBufferPointer(
            rebasing: raw[place..<(feed > place && raw[feed - 1] == 0x0D ? feed - 1 : feed)]
        )
        place = min(raw.count, feed + 1)
        var at = 0
        if line.first == 0x7B { return try sparse(line, reader, &rows) }
        var number = 0
        while true {
            skipBlanks(line, &at)
            let found = try value(line, &at, row: rows.count + 1)
            if number < reader.order.count { try append(found, reader.order[number], &rows) }
            number += 1
            skipBlanks(line, &at)
            guard at < line.count else { break }
            guard line[at] == 0x2C else {
                throw TableError("Something stands between a value and the next comma.", row: rows.count + 1)
            }
            at += 1
        }
        guard number == reader.order.count else {
            throw TableError(
                "The row has \(number) values where \(reader.order.count) are expected.",
                row: rows.count + 1
            )
        }
    }

    /// `{0 x, 3 y}`: what is not named is 0.
    private static func sparse(
        _ line: UnsafeRawBufferPointer,
        _ reader: RecordReader,
        _ rows: inout RowsBuilder
    ) throws(TableError) {
        var at = 1
        var next = 0
        let zero = Value(bytes: [0x30], isQuoted: false)
        while true {
            skipBlanks(line, &at)
            if at < line.count, line[at] == 0x7D { break }
            let index = Int(String(decoding: plain(line, &at, endsAtBlank: true), as: UTF8.self))
            guard let index, (next..<reader.order.count).contains(index) else {
                throw TableError("A sparse row must name its attributes by ascending numbers.", row: rows.count + 1)
            }
            for skipped in next..<index { try append(zero, reader.order[skipped], &rows) }
            skipBlanks(line, &at)
            try append(try value(line, &at, row: rows.count + 1), reader.order[index], &rows)
            next = index + 1
            skipBlanks(line, &at)
            guard at < line.count, line[at] == 0x2C || line[at] == 0x7D else {
                throw TableError("A sparse row is not closed.", row: rows.count + 1)
            }
            if line[at] == 0x2C { at += 1 }
        }
        for skipped in next..<reader.order.count { try append(zero, reader.order[skipped], &rows) }
    }

    private struct Value {
        var bytes: [UInt8]
        var isQuoted: Bool
    }

    private static func append(_ value: Value, _ place: Int, _ rows: inout RowsBuilder) throws(TableError) {
        if !value.isQuoted, value.bytes == [0x3F] { return rows.appendMissing(place) }
        let isTaken = value.bytes.withUnsafeBytes {
            rows.append($0, value.bytes[...], place, isQuoted: value.isQuoted)
        }
        if !isTaken { throw rows.mismatch(value.bytes, place) }
    }

    private static func skipBlanks(_ raw: UnsafeRawBufferPointer, _ place: inout Int) {
        while place < raw.count, raw[place] == 0x20 || raw[place] == 0x09 { place += 1 }
    }

    private static func plain(
        _ raw: UnsafeRawBufferPointer,
        _ place: inout Int,
        endsAtBlank: Bool
    ) -> ArraySlice<UInt8> {
        var bytes: [UInt8] = []
        while place < raw.count {
            let byte = raw[place]
            if byte == 0x2C || byte == 0x7D || endsAtBlank && (byte == 0x20 || byte == 0x09) { break }
            bytes.append(byte)
            place += 1
        }
        while let last = bytes.last, last == 0x20 || last == 0x09 || last == 0x0D { bytes.removeLast() }
        return bytes[...]
    }

    /// Reads a value, in quotes of either kind or without.
    private static func value(
        _ raw: UnsafeRawBufferPointer,
        _ place: inout Int,
        endsAtBlank: Bool = false,
        row: Int? = nil
    ) throws(TableError) -> Value {
        guard place < raw.count, raw[place] == 0x27 || raw[place] == 0x22 else {
            return Value(bytes: Array(plain(raw, &place, endsAtBlank: endsAtBlank)), isQuoted: false)
        }
        let quote = raw[place]
        var bytes: [UInt8] = []
        place += 1
        while place < raw.count, raw[place] != quote {
            if raw[place] == 0x5C, place + 1 < raw.count {
                place += 1
                switch raw[place] {
                case 0x6E: bytes.append(0x0A)
                case 0x72: bytes.append(0x0D)
                case 0x74: bytes.append(0x09)
                case let other: bytes.append(other)
                }
            } else {
                bytes.append(raw[place])
            }
            place += 1
        }
        guard place < raw.count else { throw TableError("A quote is not closed.", row: row) }
        place += 1
        return Value(bytes: bytes, isQuoted: true)
    }

    // MARK: - Writing

    /// The declarations of a table.
    static func writeHeader(_ schema: TableSchema, to output: inout [UInt8]) {
        output.append(contentsOf: "@RELATION data\r\n\r\n".utf8)
        schema.forEachColumn(limit: .max) { column in
            output.append(contentsOf: "@ATTRIBUTE ".utf8)
            write(Array(column.name.utf8)[...], to: &output)
            output.append(contentsOf: " \(word(column))\r\n".utf8)
        }
        output.append(contentsOf: "\r\n@DATA\r\n".utf8)
    }

    /// Levels of categories are not known before the last row: they are texts here.
    private static func word(_ column: ColumnSchema) -> String {
        switch column.type {
        case .int32, .int64: "INTEGER"
        case .double: "REAL"
        case .boolean: "{False,True}"
        case .dateTime: "DATE \"yyyy-MM-dd'T'HH:mm:ss\""
        case .string: "STRING"
        }
    }

    /// A cell; what is missing is a question mark.
    static func writeCell(_ values: ColumnValues, _ row: Int, to output: inout [UInt8]) {
        if case .dateTime(let ticks) = values, let value = ticks[row] {
            return write(Array(DateTimeText.writeISO(ticks: value).utf8)[...], to: &output)
        }
        var cell: [UInt8] = []
        guard values.writeText(row, to: &cell) else { return output.append(0x3F) }
        if values.type == .string { write(cell[...], to: &output) } else { output.append(contentsOf: cell) }
    }

    private static func write(_ text: ArraySlice<UInt8>, to output: inout [UInt8]) {
        output.append(0x27)
        for byte in text {
            switch byte {
            case 0x27, 0x5C: output.append(contentsOf: [0x5C, byte])
            case 0x0A: output.append(contentsOf: [0x5C, 0x6E])
            case 0x0D: output.append(contentsOf: [0x5C, 0x72])
            case 0x09: output.append(contentsOf: [0x5C, 0x74])
            default: output.append(byte)
            }
        }
        output.append(0x27)
    }
}
