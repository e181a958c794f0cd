import DataTables
import ResourceModel

/// Fills the columns of one input, cell by cell, from JSON.
///
/// Strings, numbers, booleans, null and the bare NaN are taken for every column. In a String column "" is an empty text and
/// only null (or NaN) is missing; in other columns an empty text is missing as well.
struct ColumnsBuilder {
    private let port: ServiceDefinition.Port
    private let limits: ServiceLimits
    private var texts: [StringValues]
    /// Columns that hold no plain texts; empty where there are none.
    private var others: [ColumnValues?]
    private(set) var rows = 0
    private var scratch: [UInt8] = []

    init(_ port: ServiceDefinition.Port, _ limits: ServiceLimits) {
        self.port = port
        self.limits = limits
        texts = port.columns.map { _ in StringValues() }
        others =
            port.hasOnlyTexts
            ? []
            : port.columns.map { column in
                column.type == .string && !column.isCategorical ? nil : column.column.values
            }
    }

    /// Whether the current row has a value for the column already.
    func hasCell(_ place: Int) -> Bool { (isText(place) ? texts[place].count : others[place]?.count ?? 0) > rows }

    @inline(__always)
    private func isText(_ place: Int) -> Bool { others.isEmpty || others[place] == nil }

    mutating func endRow() throws(ServiceError) {
        rows += 1
        guard rows <= limits.rowsMax else {
            throw .memory("The input \"\(port.name)\" has more than \(limits.rowsMax) rows; use a batch job.")
        }
    }

    /// Takes the next value as a cell of the current row.
    mutating func take(_ scanner: inout JSONScanner, column place: Int) throws(ServiceError) {
        do {
            switch try scanner.peek() {
            case 0x22:
                if isText(place) {
                    try texts[place].append { bytes throws(JSONError) in try scanner.string(into: &bytes) }
                    return
                }
                scratch.removeAll(keepingCapacity: true)
                try scanner.string(into: &scratch)
                if scratch.isEmpty, port.columns[place].type != .string {
                    appendMissing(place)
                    return
                }
            case 0x6E:
                try scanner.word("null")
                appendMissing(place)
                return
            case 0x74:
                try scanner.word("true")
                scratch = Array("True".utf8)
            case 0x66:
                try scanner.word("false")
                scratch = Array("False".utf8)
            case 0x7B, 0x5B: throw mismatch(place, "an object or a list")
            default:
                scratch = Array(scanner.bytes[try scanner.rawNumber()])
                if scratch == Array("NaN".utf8) {
                    appendMissing(place)
                    return
                }
            }
        } catch let error as JSONError {
            throw ServiceError(json: error)
        } catch let error as ServiceError {
            throw error
        } catch {
            throw mismatch(place, "unreadable")
        }
        try append(place)
    }

    private mutating func append(_ place: Int) throws(ServiceError) {
        guard !isText(place) else { return texts[place].append(utf8: scratch) }
        if others[place]?.append(text: scratch[...]) == true { return }
        // Numbers for truth, truth for numbers, and whole numbers written with a point.
        let text = String(decoding: scratch, as: UTF8.self)
        let other: String?
        switch port.columns[place].type {
        case .boolean: other = ["1": "true", "0": "false"][text]
        case .int32, .int64:
            other =
                switch text.lowercased() {
                case "true": "1"
                case "false": "0"
                default: Double(text).flatMap { Int64(exactly: $0) }.map(String.init)
                }
        case .double: other = ["true": "1", "false": "0"][text.lowercased()]
        case .string, .dateTime: other = nil
        }
        guard let other, others[place]?.append(text: Array(other.utf8)[...]) == true else {
            throw mismatch(place, "\"\(text.prefix(40))\"")
        }
    }

    private mutating func appendMissing(_ place: Int) {
        if isText(place) { texts[place].appendMissing() } else { others[place]?.appendMissing() }
    }

    private func mismatch(_ place: Int, _ what: String) -> ServiceError {
        .badUserArgument(
            "InputParseError",
            "Parsing of input vector failed: row \(rows + 1), column \"\(port.columns[place].name)\": "
                + "\(what) is no \(port.columns[place].type.rawValue)."
        )
    }

    var table: DataTable {
        DataTable(
            elements: port.columns.indices.map { place in
                let schema = port.columns[place]
                let values = (isText(place) ? nil : others[place]) ?? .string(texts[place])
                return .column(Column(name: schema.name, values: values, role: schema.role))
            },
            rowCount: rows
        )
    }
}
