import DataTables
import ResourceModel
import StudioModules

/// A scoring request as values: one table an input, and the caller's parameters.
struct RRSRequest {
    var tables: [DataTable?]
    var parameters: [(name: String, value: ParameterValue)]

    /// Rows of the longest input.
    var rows: Int { tables.reduce(0) { max($0, $1?.rowCount ?? 0) } }
}

/// Reads request bodies straight from their bytes into columns.
///
/// Both shapes are taken on either URL: the table form, and the row objects of `format=swagger`.
struct RRSRequestReader {
    private let definition: ServiceDefinition
    private let limits: ServiceLimits
    private var scanner: JSONScanner
    private var tables: [DataTable?]
    private var parameters: [(name: String, value: ParameterValue)] = []
    private var sawInputs = false
    /// Where the rows of the last table with names before its rows stand, and whose cells they are.
    private var rows = 0..<0
    private var order: [Int] = []

    init(_ body: [UInt8], _ definition: ServiceDefinition, _ limits: ServiceLimits) throws(ServiceError) {
        guard !body.isEmpty else { throw .badArgument("RequestIsEmpty", "The request has no body.") }
        do { scanner = try JSONScanner(body, allowsNaN: true) } catch { throw ServiceError(json: error) }
        self.definition = definition
        self.limits = limits
        tables = []
    }

    /// Not `repeating:`, which asks the runtime for its types at every call.
    private mutating func makeRoom() { tables = definition.inputs.map { _ in nil } }

    /// - Parameter shapes: what is known of the requests before.
    mutating func read(_ shapes: RequestShapes? = nil) throws(ServiceError) -> RRSRequest {
        guard let shapes, definition.inputs.count == 1 else { return try read() }
        if let shape = shapes.last, let rows = shape.rows(scanner.bytes) {
            scanner.move(to: rows.lowerBound)
            let table = try values(definition.inputs[0], shape.order)
            // Else the rows end before what only looks like the known end.
            if scanner.index == rows.upperBound { return RRSRequest(tables: [table], parameters: []) }
            scanner.move(to: 0)
        }
        let request = try read()
        if !rows.isEmpty, parameters.isEmpty { shapes.last = RequestShape(scanner.bytes, rows: rows, order: order) }
        return request
    }

    private mutating func read() throws(ServiceError) -> RRSRequest {
        makeRoom()
        try walk { reader, name throws(ServiceError) in
            if reader.scanner.equal(name, "Inputs") {
                reader.sawInputs = true
                if try reader.takeNull() { return }
                try reader.walk { reader, name throws(ServiceError) in try reader.input(name) }
            } else if reader.scanner.equal(name, "GlobalParameters") {
                try reader.globalParameters()
            } else {
                try reader.skip()
            }
        }
        try end()
        for (place, port) in definition.inputs.enumerated() where tables[place] == nil {
            guard sawInputs else {
                throw .badArgument(
                    "MissingRequestInput",
                    "The request has no \"Inputs\"; the input \"\(port.name)\" is needed."
                )
            }
            throw .badArgument("MissingRequestInput", "The input \"\(port.name)\" is missing.")
        }
        return try finish()
    }

    /// The legacy 1.0 form: one row under `Instance.FeatureVector`.
    mutating func readLegacy() throws(ServiceError) -> RRSRequest {
        guard definition.inputs.count <= 1, definition.outputs.count == 1 else {
            throw .invalidOperation(
                "MultipleInputsNotAllowed",
                "The service has several inputs or outputs; call it by /execute."
            )
        }
        makeRoom()
        try walk { reader, name throws(ServiceError) in
            guard reader.scanner.equal(name, "Instance") else { return try reader.skip() }
            try reader.walk { reader, name throws(ServiceError) in
                if reader.scanner.equal(name, "FeatureVector"), !reader.definition.inputs.isEmpty {
                    reader.tables[0] = try reader.rowObjects(reader.definition.inputs[0], isSingle: true)
                } else if reader.scanner.equal(name, "GlobalParameters") {
                    try reader.globalParameters()
                } else {
                    try reader.skip()
                }
            }
        }
        try end()
        guard definition.inputs.isEmpty || tables[0] != nil else {
            throw .badArgument("MissingRequestInput", "The request has no \"Instance\" with a \"FeatureVector\".")
        }
        return try finish()
    }

    // MARK: - Inputs

    private mutating func input(_ key: JSONScanner.Name) throws(ServiceError) {
        guard let place = definition.inputs.firstIndex(where: { scanner.equal(key, $0.nameBytes) }) else {
            let name = scanner.text(key)
            throw .badArgument(
                "InvalidInputNames",
                "Invalid service input name(s) specified in the request: \(name.prefix(64)). "
                    + "Please map the input data to the correct service inputs and try again."
            )
        }
        guard tables[place] == nil else {
            throw .badArgument("RequestBodyInvalid", "The input \"\(definition.inputs[place].name)\" stands twice.")
        }
        switch try peek() {
        case 0x5B: tables[place] = try rowObjects(definition.inputs[place], isSingle: false)
        case 0x7B: tables[place] = try table(definition.inputs[place])
        default:
            throw .badUserArgument(
                "InputParseError",
                "The input \"\(definition.inputs[place].name)\" must be an object with ColumnNames and Values, or a list of rows."
            )
        }
    }

    private mutating func table(_ port: ServiceDefinition.Port) throws(ServiceError) -> DataTable {
        var order: [Int]?
        var valuesPlace: Int?
        var result: DataTable?
        try walk { reader, name throws(ServiceError) in
            if reader.scanner.equal(name, "ColumnNames") {
                order = try reader.columnOrder(port)
            } else if reader.scanner.equal(name, "Values") {
                if let order {
                    let start = reader.scanner.index
                    result = try reader.values(port, order)
                    reader.rows = start..<reader.scanner.index
                    reader.order = order
                } else {
                    // The names follow the values: come back when they are known.
                    valuesPlace = reader.scanner.index
                    try reader.skip()
                }
            } else {
                try reader.skip()
            }
        }
        guard let order else {
            throw .badUserArgument("InputParseError", "The input \"\(port.name)\" has no \"ColumnNames\".")
        }
        if result == nil, let valuesPlace {
            let end = scanner.index
            scanner.move(to: valuesPlace)
            result = try values(port, order)
            scanner.move(to: end)
        }
        guard let result else {
            throw .badUserArgument("InputParseError", "The input \"\(port.name)\" has no \"Values\".")
        }
        return result
    }

    /// For each name of the request the column of the schema; all of the schema must be named, once.
    private mutating func columnOrder(_ port: ServiceDefinition.Port) throws(ServiceError) -> [Int] {
        // Nearly all requests name the columns in their own order: then there is nothing to write down.
        var named = 0
        var order: [Int] = []
        try elements { reader throws(ServiceError) in
            let key = try reader.name()
            if order.isEmpty, named < port.columns.count, reader.scanner.equal(key, port.columnNameBytes[named]) {
                named += 1
                return
            }
            if order.isEmpty { order = Array(0..<named) }
            guard let place = reader.column(key, port) else {
                throw RRSRequestReader.unknownColumn(reader.scanner.text(key), port)
            }
            guard !order.contains(place) else {
                throw .badUserArgument(
                    "InputMismatchError",
                    "The column \"\(port.columns[place].name)\" stands twice in the input \"\(port.name)\"."
                )
            }
            order.append(place)
        }
        if order.isEmpty {
            guard named == port.columns.count else {
                throw RRSRequestReader.missingColumn(port.columns[named].name, port)
            }
            return port.order
        }
        if order.count < port.columns.count, let missing = port.columns.indices.first(where: { !order.contains($0) }) {
            throw RRSRequestReader.missingColumn(port.columns[missing].name, port)
        }
        return order
    }

    private mutating func values(_ port: ServiceDefinition.Port, _ order: [Int]) throws(ServiceError) -> DataTable {
        var builder = ColumnsBuilder(port, limits)
        try elements { reader throws(ServiceError) in
            var count = 0
            try reader.elements { reader throws(ServiceError) in
                guard count < order.count else { throw RRSRequestReader.wrongWidth(builder.rows, order.count, port) }
                try builder.take(&reader.scanner, column: order[count])
                count += 1
            }
            guard count == order.count else { throw RRSRequestReader.wrongWidth(builder.rows, order.count, port) }
            try builder.endRow()
        }
        return builder.table
    }

    private mutating func rowObjects(
        _ port: ServiceDefinition.Port,
        isSingle: Bool
    ) throws(ServiceError) -> DataTable {
        var builder = ColumnsBuilder(port, limits)
        if isSingle {
            try rowObject(port, &builder)
        } else {
            try elements { reader throws(ServiceError) in try reader.rowObject(port, &builder) }
        }
        return builder.table
    }

    private mutating func rowObject(
        _ port: ServiceDefinition.Port,
        _ builder: inout ColumnsBuilder
    ) throws(ServiceError) {
        var seen = 0
        try walk { reader, key throws(ServiceError) in
            guard let place = reader.column(key, port) else {
                throw RRSRequestReader.unknownColumn(reader.scanner.text(key), port)
            }
            guard !builder.hasCell(place) else {
                throw .badUserArgument(
                    "InputMismatchError",
                    "The column \"\(port.columns[place].name)\" stands twice in row \(builder.rows + 1)."
                )
            }
            try builder.take(&reader.scanner, column: place)
            seen += 1
        }
        if seen < port.columns.count, let missing = port.columns.indices.first(where: { !builder.hasCell($0) }) {
            throw RRSRequestReader.missingColumn(port.columns[missing].name, port)
        }
        try builder.endRow()
    }

    private static func unknownColumn(_ name: String, _ port: ServiceDefinition.Port) -> ServiceError {
        .badUserArgument(
            "InputMismatchError",
            "The input \"\(port.name)\" has no column \"\(name.prefix(128))\"; its columns are "
                + port.columns.prefix(20).map { "\"\($0.name)\"" }.joined(separator: ", ") + "."
        )
    }

    private static func missingColumn(_ name: String, _ port: ServiceDefinition.Port) -> ServiceError {
        .badUserArgument("InputMismatchError", "The input \"\(port.name)\" lacks the column \"\(name)\".")
    }

    private static func wrongWidth(_ row: Int, _ count: Int, _ port: ServiceDefinition.Port) -> ServiceError {
        .badUserArgument(
            "InputParseError",
            "Row \(row + 1) of the input \"\(port.name)\" does not have \(count) values, one for each column name."
        )
    }

    // MARK: - Parameters

    private mutating func globalParameters() throws(ServiceError) {
        if try takeNull() { return }
        try walk { reader, key throws(ServiceError) in
            let name = reader.scanner.text(key)
            let json = try reader.scalar()
            reader.parameters.append((name, try ServiceParameters.value(name, json, reader.definition)))
        }
    }

    private mutating func scalar() throws(ServiceError) -> JSONValue {
        do {
            switch try scanner.peek() {
            case 0x22: return .string(try scanner.string())
            case 0x74:
                try scanner.word("true")
                return .bool(true)
            case 0x66:
                try scanner.word("false")
                return .bool(false)
            case 0x6E:
                try scanner.word("null")
                return .null
            case 0x7B, 0x5B:
                let start = scanner.index
                try scanner.skipValue()
                return try JSONValue(parsing: Array(scanner.bytes[start..<scanner.index]))
            default:
                let text = String(decoding: scanner.bytes[try scanner.rawNumber()], as: UTF8.self)
                return Int(text).map(JSONValue.int) ?? .double(Double(text) ?? .nan)
            }
        } catch { throw ServiceError(json: error) }
    }

    private func finish() throws(ServiceError) -> RRSRequest {
        try ServiceParameters.checkRequired(parameters.map(\.name), definition)
        return RRSRequest(tables: tables, parameters: parameters)
    }

    // MARK: - Walking

    private func column(_ key: JSONScanner.Name, _ port: ServiceDefinition.Port) -> Int? {
        port.columnNameBytes.firstIndex { scanner.equal(key, $0) }
    }

    private mutating func name() throws(ServiceError) -> JSONScanner.Name {
        do { return try scanner.name() } catch { throw ServiceError(json: error) }
    }

    private mutating func walk(
        _ body: (inout RRSRequestReader, JSONScanner.Name) throws(ServiceError) -> Void
    ) throws(ServiceError) {
        do {
            try scanner.expect(0x7B)
            if try scanner.take(0x7D) { return }
        } catch { throw ServiceError(json: error) }
        while true {
            let key = try name()
            do {
                try scanner.expect(0x3A)
                _ = try scanner.peek()
            } catch { throw ServiceError(json: error) }
            try body(&self, key)
            do {
                if try scanner.take(0x2C) { continue }
                try scanner.expect(0x7D)
                return
            } catch { throw ServiceError(json: error) }
        }
    }

    private mutating func elements(_ body: (inout RRSRequestReader) throws(ServiceError) -> Void) throws(ServiceError) {
        do {
            try scanner.expect(0x5B)
            if try scanner.take(0x5D) { return }
        } catch { throw ServiceError(json: error) }
        while true {
            _ = try peek()
            try body(&self)
            do {
                if try scanner.take(0x2C) { continue }
                try scanner.expect(0x5D)
                return
            } catch { throw ServiceError(json: error) }
        }
    }

    private mutating func peek() throws(ServiceError) -> UInt8 {
        do { return try scanner.peek() } catch { throw ServiceError(json: error) }
    }

    private mutating func takeNull() throws(ServiceError) -> Bool {
        guard try peek() == 0x6E else { return false }
        do { try scanner.word("null") } catch { throw ServiceError(json: error) }
        return true
    }

    private mutating func skip() throws(ServiceError) {
        do { try scanner.skipValue() } catch { throw ServiceError(json: error) }
    }

    private mutating func end() throws(ServiceError) {
        do { try scanner.end() } catch { throw ServiceError(json: error) }
    }
}
