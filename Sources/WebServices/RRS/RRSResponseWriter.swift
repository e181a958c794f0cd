import DataTables
import ResourceModel

/// Writes answers: every cell a JSON string, missing ones null, members in the recorded order.
struct RRSResponseWriter {
    enum Shape {
        case table(hasDetails: Bool)
        case rows
    }

    private(set) var bytes: [UInt8] = []

    init(capacity: Int) { bytes.reserveCapacity(capacity) }

    /// What stands before the rows of a service's only output, where it is the same for every call.
    static func fixedHead(_ output: (name: String, table: DataTable)) -> [UInt8] {
        var writer = RRSResponseWriter(capacity: 1024)
        writer.write([output], shape: .table(hasDetails: true))
        // The table is empty: what follows the rows' bracket is the end of the answer.
        return Array(writer.bytes.dropLast(fixedEnd.count))
    }

    private static let fixedEnd = Array("]}}}}".utf8)

    /// Writes an answer whose head is known.
    mutating func write(fixedHead: [UInt8], _ table: DataTable) {
        bytes.append(contentsOf: fixedHead)
        writeValues(table)
        bytes.append(contentsOf: Self.fixedEnd)
    }

    mutating func write(_ outputs: [(name: String, table: DataTable)], shape: Shape) {
        write("{\"Results\":{")
        for (place, output) in outputs.enumerated() {
            if place > 0 { bytes.append(0x2C) }
            JSONValue.write(string: output.name.utf8, to: &bytes)
            bytes.append(0x3A)
            switch shape {
            case .table(let hasDetails): writeTable(output.table, hasDetails: hasDetails)
            case .rows: writeRows(output.table)
            }
        }
        write("}}")
    }

    /// The legacy answer: the first row as a flat list.
    mutating func writeLegacy(_ table: DataTable) {
        if table.rowCount == 0 { return write("[]") }
        writeRow(table, 0)
    }

    private mutating func writeTable(_ table: DataTable, hasDetails: Bool) {
        write("{\"type\":\"table\",\"value\":{")
        if hasDetails {
            write("\"ColumnNames\":[")
            writeNames(table)
            write("],\"ColumnTypes\":[")
            writeTypes(table)
            write("],")
        }
        write("\"Values\":[")
        writeValues(table)
        write("]}}")
    }

    private mutating func writeValues(_ table: DataTable) {
        for row in 0..<table.rowCount {
            if row > 0 { bytes.append(0x2C) }
            writeRow(table, row)
        }
    }

    private mutating func writeNames(_ table: DataTable) {
        var isFirst = true
        for element in table.elements {
            switch element {
            case .column(let column):
                separate(&isFirst)
                JSONValue.write(string: column.name.utf8, to: &bytes)
            case .sparse(let block):
                let prefix = Self.openString(block.prefix)
                for range in block.kept {
                    for number in range {
                        separate(&isFirst)
                        bytes.append(contentsOf: prefix)
                        CellText.write(Int64(number), to: &bytes)
                        bytes.append(0x22)
                    }
                }
            }
        }
    }

    private mutating func writeTypes(_ table: DataTable) {
        var isFirst = true
        for element in table.elements {
            switch element {
            case .column(let column):
                separate(&isFirst)
                JSONValue.write(string: column.values.type.rawValue.utf8, to: &bytes)
            case .sparse(let block):
                for _ in 0..<block.width {
                    separate(&isFirst)
                    write("\"Int32\"")
                }
            }
        }
    }

    private mutating func writeRow(_ table: DataTable, _ row: Int) {
        bytes.append(0x5B)
        var isFirst = true
        for element in table.elements {
            switch element {
            case .column(let column):
                separate(&isFirst)
                writeCell(column.values, row)
            case .sparse(let block):
                var pair = block.range(row).lowerBound
                let end = block.range(row).upperBound
                for range in block.kept {
                    for number in range {
                        if isFirst {
                            isFirst = false
                            writeCount(block, number, &pair, end)
                        } else {
                            writeNextCount(block, number, &pair, end)
                        }
                    }
                }
            }
        }
        bytes.append(0x5D)
    }

    /// A comma and the count of a column: four bytes at once, since nearly all counts have one digit.
    @inline(__always)
    private mutating func writeNextCount(_ block: SparseBlock, _ number: Int, _ pair: inout Int, _ end: Int) {
        var count: Int32 = 0
        if pair < end, Int(block.numbers[pair]) == number {
            count = block.counts[pair]
            guard count <= 9 else {
                bytes.append(0x2C)
                return writeCount(block, number, &pair, end)
            }
            pair &+= 1
        }
        let cell = (0x2230_222C &+ UInt32(truncatingIfNeeded: count) << 16).littleEndian
        withUnsafeBytes(of: cell) { bytes.append(contentsOf: $0) }
    }

    private mutating func writeRows(_ table: DataTable) {
        bytes.append(0x5B)
        // Names are escaped once, not once a row.
        let names = table.elements.map { element -> [UInt8] in
            switch element {
            case .column(let column):
                var name: [UInt8] = []
                JSONValue.write(string: column.name.utf8, to: &name)
                return name
            case .sparse(let block): return Self.openString(block.prefix)
            }
        }
        for row in 0..<table.rowCount {
            if row > 0 { bytes.append(0x2C) }
            bytes.append(0x7B)
            var isFirst = true
            for (place, element) in table.elements.enumerated() {
                switch element {
                case .column(let column):
                    separate(&isFirst)
                    bytes.append(contentsOf: names[place])
                    bytes.append(0x3A)
                    writeCell(column.values, row)
                case .sparse(let block):
                    var pair = block.range(row).lowerBound
                    let end = block.range(row).upperBound
                    for range in block.kept {
                        for number in range {
                            separate(&isFirst)
                            bytes.append(contentsOf: names[place])
                            CellText.write(Int64(number), to: &bytes)
                            write("\":")
                            writeCount(block, number, &pair, end)
                        }
                    }
                }
            }
            bytes.append(0x7D)
        }
        bytes.append(0x5D)
    }

    private mutating func writeCell(_ values: ColumnValues, _ row: Int) {
        switch values {
        case .string(let texts):
            guard let text = texts.utf8(row) else { return write("null") }
            JSONValue.write(string: text, to: &bytes)
        case .categorical(let levels):
            guard let level = levels[row] else { return write("null") }
            JSONValue.write(string: level.utf8, to: &bytes)
        default:
            guard !values.missing[row] else { return write("null") }
            // Numbers, booleans and dates hold nothing that JSON escapes.
            bytes.append(0x22)
            _ = values.writeText(row, to: &bytes)
            bytes.append(0x22)
        }
    }

    /// The count of a column, walking along the row's pairs.
    private mutating func writeCount(_ block: SparseBlock, _ number: Int, _ pair: inout Int, _ end: Int) {
        bytes.append(0x22)
        if pair < end, Int(block.numbers[pair]) == number {
            CellText.write(Int64(block.counts[pair]), to: &bytes)
            pair += 1
        } else {
            bytes.append(0x30)
        }
        bytes.append(0x22)
    }

    @inline(__always)
    private mutating func separate(_ isFirst: inout Bool) {
        if isFirst { isFirst = false } else { bytes.append(0x2C) }
    }

    @inline(__always)
    private mutating func write(_ text: StaticString) {
        text.withUTF8Buffer { bytes.append(contentsOf: $0) }
    }

    /// A JSON string without its closing quote.
    private static func openString(_ text: String) -> [UInt8] {
        var result: [UInt8] = []
        JSONValue.write(string: text.utf8, to: &result)
        result.removeLast()
        return result
    }
}
