import DataTables
import ResourceModel

/// Port values as bytes, for the cache of outputs and for what a published service keeps frozen.
///
/// A JSON head tells rows, columns and the length of each section; the sections follow in that order, little-endian.
package enum PortValueCodec {
    private static let magic: [UInt8] = Array("GHT1".utf8)

    package static func encode(_ value: PortValue) -> [UInt8] {
        var body: [UInt8] = []
        var head: JSONValue
        switch value {
        case .transform(let transform): head = ["transform": encode(transform)]
        case .table(let table):
            let elements = table.elements.map { encode($0, rows: table.rowCount, into: &body) }
            head = ["rows": .int(table.rowCount), "schema": table.schema.json, "sections": .array(elements)]
        }
        let headBytes = head.bytes
        var output = magic
        append(Int64(headBytes.count), to: &output)
        return output + headBytes + body
    }

    /// - Throws: `ModuleError` 0018 when the bytes are not what `encode` wrote.
    package static func decode(_ bytes: [UInt8]) throws(ModuleError) -> PortValue {
        var reader = SectionReader(bytes: bytes)
        guard try Array(reader.take(4)) == magic else { throw SectionReader.damaged }
        let length = try reader.integers(1, as: Int64.self)[0]
        let head: JSONValue
        do { head = try JSONValue(parsing: Array(try reader.take(Int(length)))) } catch { throw SectionReader.damaged }
        if let transform = head["transform"] { return .transform(try decode(transform)) }
        guard let rows = head["rows"]?.int, let sections = head["sections"]?.array, let schema = head["schema"] else {
            throw SectionReader.damaged
        }
        var elements: [DataTable.Element] = []
        for (element, section) in zip(TableSchema(json: schema).elements, sections) {
            elements.append(try decode(element, section, rows, &reader))
        }
        return .table(DataTable(elements: elements, rowCount: rows))
    }

    private static func encode(_ element: DataTable.Element, rows: Int, into body: inout [UInt8]) -> JSONValue {
        switch element {
        case .sparse(let block):
            for end in block.ends { append(Int64(end), to: &body) }
            for number in block.numbers { append(number, to: &body) }
            for count in block.counts { append(count, to: &body) }
            return ["pairs": .int(block.numbers.count)]
        case .column(let column):
            let missing = (0..<rows).filter { column.values.missing[$0] }.map { JSONValue.int($0) }
            var section: JSONObject = JSONObject([("missing", .array(missing))])
            switch column.values {
            case .string(let values):
                for end in values.ends { append(Int64(end), to: &body) }
                body += values.bytes
                section["bytes"] = .int(values.bytes.count)
            case .int32(let values): for value in values.elements { append(value, to: &body) }
            case .int64(let values), .dateTime(let values): for value in values.elements { append(value, to: &body) }
            case .double(let values): for value in values.elements { append(value.bitPattern, to: &body) }
            case .boolean(let values): body += values.elements.map { $0 ? 1 : 0 }
            case .categorical(let values):
                section["levels"] = .array(values.levels.map(JSONValue.string))
                for row in 0..<rows { append(values.codes[row] ?? -1, to: &body) }
            }
            return .object(section)
        }
    }

    private static func decode(
        _ element: TableSchema.Element,
        _ section: JSONValue,
        _ rows: Int,
        _ reader: inout SectionReader
    ) throws(ModuleError) -> DataTable.Element {
        switch element {
        case .sparse(let prefix, let kept, let role):
            let ends = try reader.integers(rows, as: Int64.self).map { Int($0) }
            let pairs = section["pairs"]?.int ?? 0
            let numbers = try reader.integers(pairs, as: UInt32.self)
            let counts = try reader.integers(pairs, as: Int32.self)
            try SectionReader.check(ends: ends, last: pairs)
            let width = kept.last?.upperBound ?? 0
            var block = SparseBlock(prefix: prefix, width: width, ends: ends, numbers: numbers, counts: counts)
            block.role = role
            return .sparse(kept == [0..<width] ? block : block.keeping(kept))
        case .column(let schema):
            let missing = Set((section["missing"]?.array ?? []).compactMap(\.int))
            let values = try decode(schema, section, rows, missing, &reader)
            return .column(Column(name: schema.name, values: values, role: schema.role))
        }
    }

    private static func decode(
        _ schema: ColumnSchema,
        _ section: JSONValue,
        _ rows: Int,
        _ missing: Set<Int>,
        _ reader: inout SectionReader
    ) throws(ModuleError) -> ColumnValues {
        if schema.isCategorical {
            let levels = (section["levels"]?.array ?? []).compactMap(\.string)
            var values = CategoricalValues(base: schema.type)
            for code in try reader.integers(rows, as: Int32.self) {
                guard code < levels.count else { throw SectionReader.damaged }
                values.append(code < 0 ? nil : levels[Int(code)])
            }
            return .categorical(values)
        }
        switch schema.type {
        case .string:
            let ends = try reader.integers(rows, as: Int64.self).map { Int($0) }
            let count = section["bytes"]?.int ?? 0
            try SectionReader.check(ends: ends, last: count)
            let bytes = try reader.take(count)
            var values = StringValues()
            var start = bytes.startIndex
            for (row, end) in ends.enumerated() {
                let stop = bytes.startIndex + end
                if missing.contains(row) { values.appendMissing() } else { values.append(utf8: bytes[start..<stop]) }
                start = stop
            }
            return .string(values)
        case .int32:
            return .int32(fixed(try reader.integers(rows, as: Int32.self), missing, filler: 0))
        case .int64:
            return .int64(fixed(try reader.integers(rows, as: Int64.self), missing, filler: 0))
        case .dateTime:
            return .dateTime(fixed(try reader.integers(rows, as: Int64.self), missing, filler: 0))
        case .double:
            let values = try reader.integers(rows, as: UInt64.self).map(Double.init(bitPattern:))
            return .double(fixed(values, missing, filler: .nan))
        case .boolean:
            return .boolean(fixed(try reader.take(rows).map { $0 != 0 }, missing, filler: false))
        }
    }

    private static func fixed<Element>(
        _ elements: [Element],
        _ missing: Set<Int>,
        filler: Element
    ) -> FixedValues<Element> {
        guard !missing.isEmpty else { return FixedValues(elements, filler: filler) }
        var values = FixedValues(filler: filler)
        for (row, element) in elements.enumerated() { values.append(missing.contains(row) ? nil : element) }
        return values
    }

    private static func encode(_ transform: CleaningTransform) -> JSONValue {
        let steps = transform.steps.map { step -> JSONValue in
            switch step.action {
            case .keep: ["column": .string(step.column), "action": "keep"]
            case .removeRow: ["column": .string(step.column), "action": "removeRow"]
            case .removeColumn: ["column": .string(step.column), "action": "removeColumn"]
            case .replace(let text): ["column": .string(step.column), "action": "replace", "with": .string(text)]
            }
        }
        return ["steps": .array(steps), "addsIndicators": .bool(transform.addsIndicators)]
    }

    private static func decode(_ json: JSONValue) throws(ModuleError) -> CleaningTransform {
        var steps: [CleaningTransform.Step] = []
        for step in json["steps"]?.array ?? [] {
            let action: CleaningTransform.Action
            switch step["action"]?.string {
            case "keep": action = .keep
            case "removeRow": action = .removeRow
            case "removeColumn": action = .removeColumn
            case "replace": action = .replace(step["with"]?.string ?? "")
            default: throw SectionReader.damaged
            }
            steps.append(CleaningTransform.Step(column: step["column"]?.string ?? "", action: action))
        }
        return CleaningTransform(steps: steps, addsIndicators: json["addsIndicators"]?.bool ?? false)
    }

    private static func append<Value: FixedWidthInteger>(_ value: Value, to output: inout [UInt8]) {
        withUnsafeBytes(of: value.littleEndian) { output.append(contentsOf: $0) }
    }
}

/// Takes sections off the front of stored bytes; every length is checked before it is used.
private struct SectionReader {
    static let damaged = ModuleError(.invalidDataset, "The stored table is damaged.")

    let bytes: [UInt8]
    var place = 0

    mutating func take(_ count: Int) throws(ModuleError) -> ArraySlice<UInt8> {
        guard count >= 0, count <= bytes.count - place else { throw SectionReader.damaged }
        defer { place += count }
        return bytes[place..<(place + count)]
    }

    mutating func integers<Value: FixedWidthInteger>(_ count: Int, as type: Value.Type) throws(ModuleError) -> [Value] {
        let size = MemoryLayout<Value>.size
        guard count >= 0, count <= (bytes.count - place) / size else { throw SectionReader.damaged }
        let start = place
        place += count * size
        return bytes.withUnsafeBytes { raw in
            (0..<count).map { Value(littleEndian: raw.loadUnaligned(fromByteOffset: start + $0 * size, as: type)) }
        }
    }

    static func check(ends: [Int], last: Int) throws(ModuleError) {
        var previous = 0
        for end in ends {
            guard end >= previous, end <= last else { throw damaged }
            previous = end
        }
    }
}
