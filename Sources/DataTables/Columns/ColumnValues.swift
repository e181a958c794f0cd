/// The values of one column, by element type.
package enum ColumnValues: Sendable, Equatable {
    case string(StringValues)
    case int32(FixedValues<Int32>)
    case int64(FixedValues<Int64>)
    case double(FixedValues<Double>)
    case boolean(FixedValues<Bool>)
    /// .NET ticks: 100 ns since the year 1.
    case dateTime(FixedValues<Int64>)
    case categorical(CategoricalValues)

    package init(emptyOf type: ColumnType) {
        self =
            switch type {
            case .string: .string(StringValues())
            case .int32: .int32(FixedValues(filler: 0))
            case .int64: .int64(FixedValues(filler: 0))
            case .double: .double(FixedValues(filler: .nan))
            case .boolean: .boolean(FixedValues(filler: false))
            case .dateTime: .dateTime(FixedValues(filler: 0))
            }
    }

    package var type: ColumnType {
        switch self {
        case .string: .string
        case .int32: .int32
        case .int64: .int64
        case .double: .double
        case .boolean: .boolean
        case .dateTime: .dateTime
        case .categorical(let values): values.base
        }
    }

    package var isCategorical: Bool {
        if case .categorical = self { return true }
        return false
    }

    package var count: Int {
        switch self {
        case .string(let values): values.count
        case .int32(let values): values.count
        case .int64(let values), .dateTime(let values): values.count
        case .double(let values): values.count
        case .boolean(let values): values.count
        case .categorical(let values): values.count
        }
    }

    package var missing: MissingMask {
        switch self {
        case .string(let values): values.missing
        case .int32(let values): values.missing
        case .int64(let values), .dateTime(let values): values.missing
        case .double(let values): values.missing
        case .boolean(let values): values.missing
        case .categorical(let values): values.codes.missing
        }
    }

    package func selecting(_ rows: [Int]) -> ColumnValues {
        switch self {
        case .string(let values): .string(values.selecting(rows))
        case .int32(let values): .int32(values.selecting(rows))
        case .int64(let values): .int64(values.selecting(rows))
        case .double(let values): .double(values.selecting(rows))
        case .boolean(let values): .boolean(values.selecting(rows))
        case .dateTime(let values): .dateTime(values.selecting(rows))
        case .categorical(let values): .categorical(values.selecting(rows))
        }
    }

    /// The row as a number, where the type has one.
    package func number(_ row: Int) -> Double? {
        switch self {
        case .int32(let values): values[row].map(Double.init)
        case .int64(let values): values[row].map(Double.init)
        case .double(let values): values[row]
        case .boolean(let values): values[row].map { $0 ? 1 : 0 }
        default: nil
        }
    }

    /// The row in the text that answers and files show, or nil when it is missing.
    package func text(_ row: Int) -> String? {
        if case .string(let values) = self { return values[row] }
        var bytes: [UInt8] = []
        return writeText(row, to: &bytes) ? String(decoding: bytes, as: UTF8.self) : nil
    }

    /// Appends the row's text as .NET's invariant culture writes it; false when the row is missing.
    package func writeText(_ row: Int, to output: inout [UInt8]) -> Bool {
        switch self {
        case .string(let values):
            guard let text = values.utf8(row) else { return false }
            output.append(contentsOf: text)
        case .int32(let values):
            guard let value = values[row] else { return false }
            CellText.write(Int64(value), to: &output)
        case .int64(let values):
            guard let value = values[row] else { return false }
            CellText.write(value, to: &output)
        case .double(let values):
            guard let value = values[row] else { return false }
            CellText.write(value, to: &output)
        case .boolean(let values):
            guard let value = values[row] else { return false }
            output.append(contentsOf: (value ? "True" : "False").utf8)
        case .dateTime(let values):
            guard let value = values[row] else { return false }
            output.append(contentsOf: DateTimeText.write(ticks: value).utf8)
        case .categorical(let values):
            guard let value = values[row] else { return false }
            output.append(contentsOf: value.utf8)
        }
        return true
    }

    /// Appends a cell read from text; false when the text is no value of the type.
    package mutating func append(text: ArraySlice<UInt8>?) -> Bool {
        guard let text else {
            appendMissing()
            return true
        }
        switch self {
        case .string(var values):
            self = .string(StringValues())
            values.append(utf8: text)
            self = .string(values)
        case .int32(var values):
            guard let value = CellText.integer(text).flatMap(Int32.init(exactly:)) else { return false }
            self = .int32(FixedValues(filler: 0))
            values.append(value)
            self = .int32(values)
        case .int64(var values):
            guard let value = CellText.integer(text) else { return false }
            self = .int64(FixedValues(filler: 0))
            values.append(value)
            self = .int64(values)
        case .double(var values):
            guard let value = CellText.double(text) else { return false }
            self = .double(FixedValues(filler: .nan))
            values.append(value.isNaN ? nil : value)
            self = .double(values)
        case .boolean(var values):
            guard let value = CellText.boolean(text) else { return false }
            self = .boolean(FixedValues(filler: false))
            values.append(value)
            self = .boolean(values)
        case .dateTime(var values):
            guard let value = DateTimeText.ticks(text) else { return false }
            self = .dateTime(FixedValues(filler: 0))
            values.append(value)
            self = .dateTime(values)
        case .categorical(var values):
            self = .string(StringValues())
            values.append(String(decoding: text, as: UTF8.self))
            self = .categorical(values)
        }
        return true
    }

    /// Appends a row of a column of the same type.
    package mutating func append(row: Int, of other: ColumnValues) {
        switch (self, other) {
        case (.string(var values), .string(let others)):
            self = .boolean(FixedValues(filler: false))
            if let text = others.utf8(row) { values.append(utf8: text) } else { values.appendMissing() }
            self = .string(values)
        case (.int32(var values), .int32(let others)):
            self = .string(StringValues())
            values.append(others[row])
            self = .int32(values)
        case (.int64(var values), .int64(let others)):
            self = .string(StringValues())
            values.append(others[row])
            self = .int64(values)
        case (.double(var values), .double(let others)):
            self = .string(StringValues())
            values.append(others[row])
            self = .double(values)
        case (.boolean(var values), .boolean(let others)):
            self = .string(StringValues())
            values.append(others[row])
            self = .boolean(values)
        case (.dateTime(var values), .dateTime(let others)):
            self = .string(StringValues())
            values.append(others[row])
            self = .dateTime(values)
        case (.categorical(var values), .categorical(let others)):
            self = .string(StringValues())
            values.append(others[row])
            self = .categorical(values)
        default: appendMissing()
        }
    }

    package mutating func appendMissing() {
        switch self {
        case .string(var values):
            self = .string(StringValues())
            values.appendMissing()
            self = .string(values)
        case .int32(var values):
            self = .int32(FixedValues(filler: 0))
            values.append(nil)
            self = .int32(values)
        case .int64(var values):
            self = .int64(FixedValues(filler: 0))
            values.append(nil)
            self = .int64(values)
        case .double(var values):
            self = .double(FixedValues(filler: .nan))
            values.append(nil)
            self = .double(values)
        case .boolean(var values):
            self = .boolean(FixedValues(filler: false))
            values.append(nil)
            self = .boolean(values)
        case .dateTime(var values):
            self = .dateTime(FixedValues(filler: 0))
            values.append(nil)
            self = .dateTime(values)
        case .categorical(var values):
            self = .string(StringValues())
            values.append(nil)
            self = .categorical(values)
        }
    }
}
