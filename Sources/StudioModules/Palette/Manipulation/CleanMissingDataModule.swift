package import DataTables

/// Clean Missing Data: fills or removes missing values, and hands out what it learnt as a transformation.
struct CleanMissingDataModule: StudioModule {
    private static let unsupportedModes = ["Replace using MICE", "Replace using Probabilistic PCA"]

    static let descriptor = ModuleDescriptor(
        name: "Clean Missing Data",
        category: ["Data Transformation", "Manipulation"],
        inputs: [.init("Dataset")],
        outputs: [.init("Cleaned dataset"), .init("Cleaning transformation", .transform)],
        parameters: [
            .init("Columns to be cleaned", .columns, default: .columns(.all)),
            .init("Minimum missing value ratio", .float(0...1), default: .double(0)),
            .init("Maximum missing value ratio", .float(0...1), default: .double(1)),
            .init(
                "Cleaning mode",
                .choice(
                    [
                        "Custom substitution value", "Replace with mean", "Replace with median", "Replace with mode",
                        "Remove entire row", "Remove entire column",
                    ] + unsupportedModes
                ),
                default: .string("Custom substitution value")
            ),
            .init("Replacement value", .string, default: .string("0")),
            .init("Cols with all missing values", .choice(["Remove", "Propagate"]), default: .string("Remove")),
            .init("Generate missing value indicator column", .boolean, default: .bool(false)),
            .init("Number of iterations", .integer(1...10), default: .int(5)),
            .init("Number of iterations for PCA prediction", .integer(1...50), default: .int(10)),
        ],
        isRowWise: false
    )

    private let selection: ColumnSelection
    private let ratios: (min: Double, max: Double)
    private let mode: String
    private let replacement: String
    private let removesAllMissing: Bool
    private let addsIndicators: Bool

    init(_ parameters: BoundParameters) throws(ModuleError) {
        selection = parameters.columns("Columns to be cleaned")
        ratios = (parameters.double("Minimum missing value ratio"), parameters.double("Maximum missing value ratio"))
        mode = parameters.string("Cleaning mode")
        replacement = parameters.string("Replacement value")
        removesAllMissing = parameters.string("Cols with all missing values") == "Remove"
        addsIndicators = parameters.bool("Generate missing value indicator column")
        guard !CleanMissingDataModule.unsupportedModes.contains(mode) else {
            throw ModuleError(.unparsable, "The cleaning mode \"\(mode)\" is not supported yet.")
        }
        guard ratios.min <= ratios.max else {
            throw ModuleError(
                .notAtLeast,
                "Parameter \"Maximum missing value ratio\" should be at least \"Minimum missing value ratio\"."
            )
        }
    }

    func run(_ inputs: [PortValue?], _ context: ModuleContext) throws(ModuleError) -> [PortValue] {
        let table = try table(inputs, 0)
        let transform = try learn(table)
        return [.table(try transform.apply(table)), .transform(transform)]
    }

    /// Decides for each selected column whose share of missing values is in range what is done with it.
    private func learn(_ table: DataTable) throws(ModuleError) -> CleaningTransform {
        let places = try selection.resolve(in: table)
        var steps: [CleaningTransform.Step] = []
        var place = 0
        for element in table.elements {
            defer { place += element.width }
            // Hashed counts are never missing.
            guard case .column(let column) = element, places.contains(where: { $0.contains(place) }) else { continue }
            let missing = column.values.missing.count
            let ratio = table.rowCount == 0 ? 0 : Double(missing) / Double(table.rowCount)
            guard ratio >= ratios.min, ratio <= ratios.max else { continue }
            if missing == table.rowCount, missing > 0, mode != "Remove entire row" {
                steps.append(.init(column: column.name, action: removesAllMissing ? .removeColumn : .keep))
                continue
            }
            steps.append(.init(column: column.name, action: try action(column, missing)))
        }
        return CleaningTransform(steps: steps, addsIndicators: addsIndicators)
    }

    private func action(_ column: Column, _ missing: Int) throws(ModuleError) -> CleaningTransform.Action {
        switch mode {
        case "Custom substitution value":
            var probe = column.schema.column.values
            guard replacement.isEmpty || probe.append(text: Array(replacement.utf8)[...]) else {
                // A value that cannot stand in the column only matters where it would be put.
                if missing == 0 { return .keep }
                throw ModuleError(
                    .notConvertible,
                    "The replacement value \"\(replacement)\" is no \(column.values.type.rawValue) for column \"\(column.name)\"."
                )
            }
            return replacement.isEmpty && column.values.type != .string ? .keep : .replace(replacement)
        case "Replace with mean": return try number(column) { $0.reduce(0, +) / Double($0.count) }
        case "Replace with median":
            return try number(column) { numbers in
                let sorted = numbers.sorted()
                let middle = sorted.count / 2
                return sorted.count % 2 == 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2
            }
        case "Replace with mode": return CleanMissingDataModule.mostCommon(column)
        case "Remove entire row": return .removeRow
        default: return missing > 0 ? .removeColumn : .keep
        }
    }

    /// A statistic of a numeric column; columns of other types are left as they are, as Studio leaves them.
    private func number(
        _ column: Column,
        _ statistic: ([Double]) -> Double
    ) throws(ModuleError) -> CleaningTransform.Action {
        guard column.values.type.isNumeric, !column.values.isCategorical else {
            throw ModuleError(
                .unsupportedType,
                "Cannot process column \"\(column.name)\" of type \(column.values.type.rawValue) with \"\(mode)\"."
            )
        }
        let numbers = (0..<column.values.count).compactMap { column.values.number($0) }
        guard !numbers.isEmpty else { return .keep }
        let value = statistic(numbers)
        if column.values.type == .double { return .replace(String(value)) }
        // The mean of the largest integers rounds beyond them.
        return Int64(exactly: value.rounded(.toNearestOrEven)).map { .replace(String($0)) } ?? .keep
    }

    /// The most common value; of equally common ones the first met.
    private static func mostCommon(_ column: Column) -> CleaningTransform.Action {
        var counts: [String: Int] = [:]
        var order: [String] = []
        for row in 0..<column.values.count {
            guard let text = column.values.text(row) else { continue }
            if counts[text] == nil { order.append(text) }
            counts[text, default: 0] += 1
        }
        var best: String?
        for text in order where counts[text, default: 0] > best.map({ counts[$0, default: 0] }) ?? 0 { best = text }
        return best.map(CleaningTransform.Action.replace) ?? .keep
    }
}

/// What Clean Missing Data learnt, applicable to other tables of the same columns.
package struct CleaningTransform: Sendable, Equatable {
    package enum Action: Sendable, Equatable {
        case keep
        case replace(String)
        case removeRow
        case removeColumn
    }

    package struct Step: Sendable, Equatable {
        package let column: String
        package let action: Action

        package init(column: String, action: Action) {
            self.column = column
            self.action = action
        }
    }

    package let steps: [Step]
    package let addsIndicators: Bool

    package init(steps: [Step], addsIndicators: Bool) {
        self.steps = steps
        self.addsIndicators = addsIndicators
    }

    package func apply(_ table: DataTable) throws(ModuleError) -> DataTable {
        var elements: [DataTable.Element] = []
        var indicators: [Column] = []
        var removed = MissingMask()
        for element in table.elements {
            guard case .column(let column) = element, let step = steps.first(where: { $0.column == column.name }) else {
                elements.append(element)
                continue
            }
            let missing = column.values.missing
            if addsIndicators, step.action != .removeColumn {
                let flags = (0..<table.rowCount).map { missing[$0] }
                indicators.append(
                    Column(name: "\(column.name)_IsMissing", values: .boolean(FixedValues(flags, filler: false)))
                )
            }
            switch step.action {
            case .keep: elements.append(element)
            case .removeColumn: break
            case .removeRow:
                for row in 0..<table.rowCount where missing[row] { removed.insert(row) }
                elements.append(element)
            case .replace(let text): elements.append(.column(CleaningTransform.filled(column, with: text)))
            }
        }
        guard !elements.isEmpty else { throw ModuleError(.nothingSelected, "Cleaning would remove every column.") }
        let result = DataTable(elements: elements + indicators.map(DataTable.Element.column), rowCount: table.rowCount)
        guard !removed.isEmpty else { return result }
        return result.selecting(rows: (0..<table.rowCount).filter { !removed[$0] })
    }

    private static func filled(_ column: Column, with text: String) -> Column {
        guard !column.values.missing.isEmpty else { return column }
        var values = column.schema.column.values
        let replacement = Array(text.utf8)[...]
        for row in 0..<column.values.count {
            if !column.values.missing[row] {
                values.append(row: row, of: column.values)
            } else if !values.append(text: replacement) {
                // A replacement that the type cannot hold, as the mean of numbers whose sum is infinite.
                values.appendMissing()
            }
        }
        return Column(name: column.name, values: values, role: column.role)
    }
}
