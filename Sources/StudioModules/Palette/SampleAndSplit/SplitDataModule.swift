import DataTables

/// Split Data: the rows of a table to two tables, by fraction, by a pattern or by a comparison.
///
/// The parameters' labels follow the module's page in the classic Studio; contracts/ml-modules.md names only the mode.
struct SplitDataModule: StudioModule {
    static let descriptor = ModuleDescriptor(
        name: "Split Data",
        category: ["Data Transformation", "Sample and Split"],
        inputs: [.init("Dataset")],
        outputs: [.init("Results dataset1"), .init("Results dataset2")],
        parameters: [
            .init(
                "Splitting mode",
                .choice(["Split Rows", "Recommender Split", "Regular Expression", "Relative Expression"]),
                default: .string("Split Rows")
            ),
            .init("Fraction of rows in the first output dataset", .float(0...1), default: .double(0.5)),
            .init("Randomized split", .boolean, default: .bool(true)),
            .init("Random seed", .integer(0...Int(Int32.max)), default: .int(0)),
            .init("Stratified split", .boolean, default: .bool(false)),
            .init("Stratification key column", .columns, default: .columns(ColumnSelection(clauses: []))),
            .init("Regular expression", .string, default: .string("\\\"column name\" ^start")),
            .init("Relational expression", .string, default: .string("\\\"column name\" > 3")),
            .init("Fraction of training-only users", .float(0...1), default: .double(0.5)),
            .init("Fraction of test user ratings for training", .float(0...1), default: .double(0.25)),
            .init("Fraction of cold users", .float(0...1), default: .double(0)),
            .init("Fraction of cold items", .float(0...1), default: .double(0)),
            .init("Fraction of ignored users", .float(0...1), default: .double(0)),
            .init("Fraction of ignored items", .float(0...1), default: .double(0)),
            .init("Remove occasionally produced cold items", .boolean, default: .bool(false)),
            .init("Random seed for Recommender", .integer(0...Int(Int32.max)), default: .int(0)),
        ],
        isRowWise: false
    )

    private let parameters: BoundParameters
    private let filter: RowFilter?

    init(_ parameters: BoundParameters) throws(ModuleError) {
        self.parameters = parameters
        filter =
            switch parameters.string("Splitting mode") {
            case "Regular Expression": try RowFilter(pattern: parameters.string("Regular expression"))
            case "Relative Expression": try RowFilter(relation: parameters.string("Relational expression"))
            default: nil
            }
    }

    func run(_ inputs: [PortValue?], _ context: ModuleContext) throws(ModuleError) -> [PortValue] {
        let table = try table(inputs, 0)
        let first: Set<Int>
        if let filter {
            first = Set(try filter.matchingRows(table))
        } else if parameters.string("Splitting mode") == "Recommender Split" {
            let split = try RecommenderSplit(parameters).split(table)
            return [.table(table.selecting(rows: split.training)), .table(table.selecting(rows: split.test))]
        } else {
            first = try fraction(table)
        }
        let rows = 0..<table.rowCount
        return [
            .table(table.selecting(rows: rows.filter { first.contains($0) })),
            .table(table.selecting(rows: rows.filter { !first.contains($0) })),
        ]
    }

    /// The rows of the first table: by their order or by a seeded draw, in each stratum by itself.
    private func fraction(_ table: DataTable) throws(ModuleError) -> Set<Int> {
        let fraction = parameters.double("Fraction of rows in the first output dataset")
        var generator = SeededGenerator(seed: UInt64(parameters.int("Random seed")))
        var result: Set<Int> = []
        for rows in try strata(table) {
            let count = Int((Double(rows.count) * fraction).rounded(.toNearestOrEven))
            let ordered = parameters.bool("Randomized split") ? rows.shuffled(using: &generator) : rows
            result.formUnion(ordered.prefix(count))
        }
        return result
    }

    private func strata(_ table: DataTable) throws(ModuleError) -> [[Int]] {
        let rows = Array(0..<table.rowCount)
        guard parameters.bool("Stratified split") else { return [rows] }
        let places = try parameters.columns("Stratification key column").resolve(in: table)
        let key = table.selecting(places: places)
        guard key.columnCount == 1, case .column(let column)? = key.elements.first else {
            throw ModuleError(.wrongSelectionCount, "\"Stratification key column\" must select one column.")
        }
        var order: [String] = []
        var groups: [String: [Int]] = [:]
        for row in rows {
            // A missing key is a stratum of its own, apart from every text.
            let value = column.values.text(row).map { "=" + $0 } ?? ""
            if groups[value] == nil { order.append(value) }
            groups[value, default: []].append(row)
        }
        return order.compactMap { groups[$0] }
    }
}

/// SplitMix64: the same rows for the same seed on every machine.
struct SeededGenerator: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ mixed >> 30) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ mixed >> 27) &* 0x94D0_49BB_1331_11EB
        return mixed ^ mixed >> 31
    }
}
