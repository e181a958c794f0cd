import DataTables

/// Feature Hashing: counts of hashed n-grams, Vowpal Wabbit's way, as 2^k columns for each target column.
struct FeatureHashingModule: StudioModule {
    static let descriptor = ModuleDescriptor(
        name: "Feature Hashing",
        category: ["Text Analytics"],
        inputs: [.init("Dataset")],
        outputs: [.init("Transformed dataset")],
        parameters: [
            .init("Target columns", .columns, default: .columns(.types(["string"], kinds: ["feature"]))),
            .init("Hashing bitsize", .integer(1...31), default: .int(10)),
            .init("N-grams", .integer(0...10), default: .int(2)),
        ],
        isRowWise: true
    )

    private let targets: ColumnSelection
    private let bits: Int
    private let ngrams: Int
    /// The numbers of the columns of a block.
    private let numbers: [Range<Int>]
    /// What was worked out for the columns that a service gets.
    private var layout: Layout?

    init(_ parameters: BoundParameters) {
        targets = parameters.columns("Target columns")
        bits = parameters.int("Hashing bitsize")
        ngrams = parameters.int("N-grams")
        numbers = [0..<(1 << bits)]
    }

    /// The targets among certain columns, and what the names of their features begin with.
    private final class Layout: Sendable {
        /// For more columns finding out whether they are the same takes as long as the work it saves.
        static let columnsMax = 64

        let columns: [ColumnSchema]
        let places: [Range<Int>]
        let prefixes: [String]

        init(columns: [ColumnSchema], places: [Range<Int>], prefixes: [String]) {
            self.columns = columns
            self.places = places
            self.prefixes = prefixes
        }

        func fits(_ elements: [DataTable.Element]) -> Bool {
            guard elements.count == columns.count else { return false }
            for place in elements.indices {
                guard case .column(let column) = elements[place], case .string = column.values,
                    column.role == columns[place].role, column.name == columns[place].name
                else { return false }
            }
            return true
        }
    }

    /// For tables of texts alone, which are what services are asked about.
    func prepared(for inputs: [PortValue?]) -> FeatureHashingModule {
        guard let table = inputs.first??.table, table.elements.count <= Layout.columnsMax,
            let output = try? run(inputs, ModuleContext()).first?.table, let places = try? targets.resolve(in: table)
        else { return self }
        let columns = table.schema.columns
        guard columns.count == table.elements.count, columns.allSatisfy({ $0.type == .string && !$0.isCategorical })
        else { return self }
        let prefixes = output.elements.compactMap { element -> String? in
            if case .sparse(let block) = element { return block.prefix }
            return nil
        }
        var prepared = self
        prepared.layout = Layout(columns: columns, places: places, prefixes: prefixes)
        return prepared
    }

    func run(_ inputs: [PortValue?], _ context: ModuleContext) throws(ModuleError) -> [PortValue] {
        let table = try table(inputs, 0)
        let layout = layout.flatMap { $0.fits(table.elements) ? $0 : nil }
        let places = if let layout { layout.places } else { try targets.resolve(in: table) }
        guard !places.isEmpty else {
            throw ModuleError(.nothingSelected, "The selection \"Target columns\" selects no columns.")
        }
        var elements: [DataTable.Element] = []
        elements.reserveCapacity(table.elements.count * 2)
        elements += table.elements
        var place = 0
        var block = 0
        for element in table.elements {
            if places.contains(where: { $0.contains(place) }) {
                guard case .column(let column) = element, case .string(let texts) = column.values,
                    column.role == .feature
                else { throw unsupported(element) }
                let hasher = NGramHasher(bits: bits, ngrams: ngrams)
                let prefix = layout?.prefixes[block] ?? prefix(column.name, elements)
                elements.append(.sparse(try hasher.block(texts, prefix: prefix, numbers: numbers, context)))
                block += 1
            } else if case .sparse = element, places.contains(where: { $0.overlaps(place..<(place + element.width)) }) {
                throw unsupported(element)
            }
            place += element.width
        }
        return [.table(DataTable(elements: elements, rowCount: table.rowCount))]
    }

    private func unsupported(_ element: DataTable.Element) -> ModuleError {
        switch element {
        case .column(let column):
            ModuleError(
                .unsupportedType,
                "Cannot process column \"\(column.name)\" of type \(column.values.type.rawValue). "
                    + "Feature Hashing takes string columns that are features."
            )
        case .sparse(let block):
            ModuleError(.unsupportedType, "Cannot process column \"\(block.prefix)…\" of type Int32.")
        }
    }

    /// `{column}_HashingFeature.`, and `{column}_HashingFeature2.` where that name is taken.
    private func prefix(_ column: String, _ elements: [DataTable.Element]) -> String {
        var attempt = 1
        while true {
            // Made by joining: interpolation takes as long as hashing a short text.
            let prefix = attempt == 1 ? column + "_HashingFeature." : column + "_HashingFeature" + String(attempt) + "."
            let isTaken = elements.contains { element in
                switch element {
                case .column(let other):
                    other.name.utf8.count >= prefix.utf8.count && other.name.hasPrefix(prefix)
                case .sparse(let block): block.prefix == prefix
                }
            }
            if !isTaken { return prefix }
            attempt += 1
        }
    }
}
