import DataTables
import Foundation

/// Edit Metadata: types, categories, roles and names of columns; the rows stay.
struct EditMetadataModule: StudioModule {
    static let descriptor = ModuleDescriptor(
        name: "Edit Metadata",
        category: ["Data Transformation", "Manipulation"],
        inputs: [.init("Dataset")],
        outputs: [.init("Results dataset")],
        parameters: [
            .init("Column", .columns, default: nil),
            .init(
                "Data type",
                .choice(["Unchanged", "String", "Integer", "Double", "Boolean", "DateTime"]),
                default: .string("Unchanged")
            ),
            .init(
                "Categorical",
                .choice(["Unchanged", "Make categorical", "Make non-categorical"]),
                default: .string("Unchanged")
            ),
            .init(
                "Fields",
                .choice([
                    "Unchanged", "Features", "Labels", "Weights", "Scores", "Clear feature", "Clear label",
                    "Clear weight", "Clear score",
                ]),
                default: .string("Unchanged")
            ),
            .init("New column names", .string, default: .string("")),
        ],
        // Categories are collected over the whole column.
        isRowWise: false
    )

    private let selection: ColumnSelection
    private let type: ColumnType?
    private let categorical: Bool?
    private let field: String
    private let names: [String]

    init(_ parameters: BoundParameters) {
        selection = parameters.columns("Column")
        type =
            switch parameters.string("Data type") {
            case "String": .string
            case "Integer": .int32
            case "Double": .double
            case "Boolean": .boolean
            case "DateTime": .dateTime
            default: nil
            }
        categorical =
            switch parameters.string("Categorical") {
            case "Make categorical": true
            case "Make non-categorical": false
            default: nil
            }
        field = parameters.string("Fields")
        names = parameters.string("New column names").split(separator: ",")
            .map { $0.trimmingCharacters(in: .whitespaces) }.filter { !$0.isEmpty }
    }

    func run(_ inputs: [PortValue?], _ context: ModuleContext) throws(ModuleError) -> [PortValue] {
        let table = try table(inputs, 0)
        let places = try selection.resolve(in: table)
        guard !places.isEmpty else { throw ModuleError(.nothingSelected, "The column selection selects no columns.") }
        let selected = places.reduce(0) { $0 + $1.count }
        guard names.isEmpty || names.count == selected else {
            throw ModuleError(
                .wrongSelectionCount,
                "\"New column names\" holds \(names.count) names for \(selected) selected columns."
            )
        }
        var next = 0
        var place = 0
        var elements: [DataTable.Element] = []
        for element in table.elements {
            let isTouched = places.contains { $0.overlaps(place..<(place + element.width)) }
            place += element.width
            guard isTouched else {
                elements.append(element)
                continue
            }
            switch element {
            case .column(let column):
                elements.append(.column(try edited(column, name: names.isEmpty ? nil : names[next])))
                next += 1
            case .sparse(var block):
                guard type == nil, categorical == nil, names.isEmpty,
                    places.contains(where: { $0.lowerBound <= place - element.width && $0.upperBound >= place })
                else {
                    throw ModuleError(
                        .unsupportedType,
                        "Of the hashed columns \"\(block.prefix)…\" only the field can be edited, and only of all at once."
                    )
                }
                block.role = role(block.role)
                elements.append(.sparse(block))
            }
        }
        let result = DataTable(elements: elements, rowCount: table.rowCount)
        try EditMetadataModule.checkNames(result)
        return [.table(result)]
    }

    private func edited(_ column: Column, name: String?) throws(ModuleError) -> Column {
        var values = column.values
        if let type, type != values.type || (values.isCategorical && categorical == false) {
            values = try ColumnConversion.convert(values, to: type, name: column.name)
        }
        switch categorical {
        case true? where !values.isCategorical: values = ColumnConversion.categorical(values)
        case false? where values.isCategorical:
            values = try ColumnConversion.convert(values, to: values.type, name: column.name)
        default: break
        }
        return Column(name: name ?? column.name, values: values, role: role(column.role))
    }

    private func role(_ role: ColumnRole) -> ColumnRole {
        switch field {
        case "Features": .feature
        case "Labels": .label
        case "Weights": .weight
        case "Scores": .score
        case "Clear feature": role == .feature ? .none : role
        case "Clear label": role == .label ? .none : role
        case "Clear weight": role == .weight ? .none : role
        case "Clear score": role == .score ? .none : role
        default: role
        }
    }

    private static func checkNames(_ table: DataTable) throws(ModuleError) {
        var seen: Set<String> = []
        for element in table.elements {
            guard case .column(let column) = element else { continue }
            guard seen.insert(column.name).inserted else {
                throw ModuleError(.duplicateNames, "The column name \"\(column.name)\" stands more than once.")
            }
        }
    }
}

/// Columns of one type to columns of another, through the text that both share.
enum ColumnConversion {
    static func convert(_ values: ColumnValues, to type: ColumnType, name: String) throws(ModuleError) -> ColumnValues {
        var result = ColumnValues(emptyOf: type)
        for row in 0..<values.count {
            let text = text(values, row, for: type)
            guard result.append(text: text.map { Array($0.utf8)[...] }) else {
                throw ModuleError(
                    .notConvertible,
                    "Cannot convert \"\(text?.prefix(40) ?? "")\" in column \"\(name)\", row \(row + 1), to \(type.rawValue)."
                )
            }
        }
        return result
    }

    static func categorical(_ values: ColumnValues) -> ColumnValues {
        var result = CategoricalValues(base: values.type)
        for row in 0..<values.count { result.append(values.text(row)) }
        return .categorical(result)
    }

    private static func text(_ values: ColumnValues, _ row: Int, for type: ColumnType) -> String? {
        switch (type, values.number(row)) {
        case (.boolean, let number?): number == 0 ? "false" : "true"
        case (.int32, let number?):
            abs(number) < 1e18 ? String(Int64(number.rounded(.toNearestOrEven))) : String(number)
        case (.double, let number?): String(number)
        default: values.text(row)
        }
    }
}
