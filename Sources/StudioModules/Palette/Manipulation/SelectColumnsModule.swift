import DataTables

/// Select Columns in Dataset: keeps the selected columns in the source's order.
struct SelectColumnsModule: StudioModule {
    static let descriptor = ModuleDescriptor(
        name: "Select Columns in Dataset",
        category: ["Data Transformation", "Manipulation"],
        inputs: [.init("Dataset")],
        outputs: [.init("Results dataset")],
        parameters: [.init("Select columns", .columns, default: nil)],
        isRowWise: true
    )

    private let selection: ColumnSelection

    init(_ parameters: BoundParameters) { selection = parameters.columns("Select columns") }

    func run(_ inputs: [PortValue?], _ context: ModuleContext) throws(ModuleError) -> [PortValue] {
        let table = try table(inputs, 0)
        let places = try selection.resolve(in: table)
        guard !places.isEmpty else {
            throw ModuleError(.nothingSelected, "The column selection selects no columns.")
        }
        return [.table(SelectColumnsModule.renamingDuplicates(table.selecting(places: places)))]
    }

    /// A column taken twice is named `name (2)`, as Studio's duplicates are.
    private static func renamingDuplicates(_ table: DataTable) -> DataTable {
        var seen: [String: Int] = [:]
        let elements = table.elements.map { element -> DataTable.Element in
            guard case .column(var column) = element else { return element }
            seen[column.name, default: 0] += 1
            if let count = seen[column.name], count > 1 { column.name += " (\(count))" }
            return .column(column)
        }
        return DataTable(elements: elements, rowCount: table.rowCount)
    }
}
