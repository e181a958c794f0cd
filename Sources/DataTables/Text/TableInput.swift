import Synchronization

/// Reads a file whose columns are known: bytes in, chunks out that can be read side by side.
package struct TableInput: Sendable {
    private let format: TableFormat
    private let columns: [ColumnSchema]
    private var cutter: RecordCutter
    private var reader: RecordReader?

    /// - Parameter columns: all of them must be in the file, in any order, and no others; files without names have them in this order.
    package init(format: TableFormat, columns: [ColumnSchema]) {
        self.format = format
        self.columns = columns
        cutter = RecordCutter(format: format)
        if !format.hasHeader {
            reader = RecordReader(format: format, columns: columns, order: Array(columns.indices))
        }
    }

    package mutating func feed(_ bytes: UnsafeRawBufferPointer) { cutter.feed(bytes) }

    /// The next chunk of whole records.
    ///
    /// - Parameters:
    ///   - bytesMax: what a chunk of more than one record has at most.
    ///   - isLast: whether no more bytes come.
    /// - Returns: nil where more bytes are needed, or all are read.
    /// - Throws: `TableError` where the file's columns are not those that are known.
    package mutating func next(bytesMax: Int, isLast: Bool) throws(TableError) -> TableChunk? {
        guard let bytes = try cutter.next(bytesMax: bytesMax, isLast: isLast) else {
            // A file without a single record has no header.
            if isLast, reader == nil { throw TableError("The file is empty: it has no header.") }
            return nil
        }
        if let reader { return TableChunk(bytes: bytes, start: 0, reader: reader) }
        let (names, start) =
            format == .arff ? (try ARFFText.names(bytes), bytes.count) : try RecordReader.header(bytes, format)
        guard let names else { return try next(bytesMax: bytesMax, isLast: isLast) }
        let reader = RecordReader(format: format, columns: columns, order: try order(names))
        self.reader = reader
        return TableChunk(bytes: bytes, start: start, reader: reader)
    }

    /// For each column of the file its place among those that are known.
    private func order(_ names: [String]) throws(TableError) -> [Int] {
        var places: [String: Int] = [:]
        for (place, column) in columns.enumerated() { places[column.name] = place }
        var order: [Int] = []
        var isTaken = [Bool](repeating: false, count: columns.count)
        for name in names {
            guard let place = places[name] else {
                let known = columns.prefix(20).map { "\"\($0.name)\"" }.joined(separator: ", ")
                throw TableError("The file has a column \"\(name.prefix(128))\"; the columns expected are \(known).")
            }
            guard !isTaken[place] else { throw TableError("The column \"\(name)\" stands twice in the header.") }
            isTaken[place] = true
            order.append(place)
        }
        if let missing = isTaken.firstIndex(of: false) {
            throw TableError("The file lacks the column \"\(columns[missing].name)\".")
        }
        return order
    }
}

/// Some whole records of a file.
package struct TableChunk: Sendable {
    package let bytes: [UInt8]
    /// Where the first record begins.
    let start: Int
    let reader: RecordReader

    /// Reads the records.
    ///
    /// - Parameter skipsBad: whether records that cannot be read are set aside instead of ending it.
    /// - Throws: `TableError` with the row, counted from 1 in this chunk, and the column.
    package func read(skipsBad: Bool) throws(TableError) -> TableBatch {
        var rows = RowsBuilder(columns: reader.columns)
        let (bad, badRows) = try reader.read(bytes, from: start, skipsBad: skipsBad, into: &rows)
        let table = rows.table
        return TableBatch(
            table: badRows.isEmpty ? table : table.selecting(rows: (0..<rows.count).filter { !badRows.contains($0) }),
            recordCount: rows.count,
            bad: bad
        )
    }

    /// Reads the records behind those that were read already.
    ///
    /// - Throws: `TableError` with the row among all of them.
    func read(into rows: inout RowsBuilder) throws(TableError) {
        _ = try reader.read(bytes, from: start, skipsBad: false, into: &rows)
    }
}

/// What was read of a chunk.
package struct TableBatch: Sendable {
    package let table: DataTable
    /// Records of the chunk, those that could not be read included.
    package let recordCount: Int
    package let bad: [BadRecord]
}

/// A record that could not be read.
package struct BadRecord: Sendable {
    /// The row is counted from 1 in its chunk.
    package let error: TableError
    /// The record as it stands in the file, cut where it is long.
    package let text: String
}

/// Gathers the chunks of a file in one table; called by one thread at a time.
package final class TableCollector: Sendable {
    private struct State {
        var rows: RowsBuilder
        var badRows: Set<Int> = []
    }

    private let state: Mutex<State>
    private let skipsBad: Bool

    package init(columns: [ColumnSchema], skipsBad: Bool) {
        state = Mutex(State(rows: RowsBuilder(columns: columns)))
        self.skipsBad = skipsBad
    }

    /// Reads the records of the next chunk.
    ///
    /// - Returns: how many there are, and those that could not be read; rows are counted from 1 among all.
    /// - Throws: `TableError` with the row among all.
    package func add(_ chunk: TableChunk) throws(TableError) -> (count: Int, bad: [BadRecord]) {
        try state.withLock { state throws(TableError) in
            let before = state.rows.count
            let (bad, badRows) = try chunk.reader.read(
                chunk.bytes,
                from: chunk.start,
                skipsBad: skipsBad,
                into: &state.rows
            )
            state.badRows.formUnion(badRows)
            return (state.rows.count - before, bad)
        }
    }

    /// The rows that could be read.
    package var table: DataTable {
        state.withLock { state in
            let table = state.rows.table
            guard !state.badRows.isEmpty else { return table }
            return table.selecting(rows: (0..<state.rows.count).filter { !state.badRows.contains($0) })
        }
    }
}
