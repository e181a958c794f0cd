import DataTables

/// Split Data's mode for triples of user, item and rating: test users keep some of their ratings for training.
struct RecommenderSplit {
    private let trainingOnlyUsers: Double
    private let testRatingsForTraining: Double
    private let coldUsers: Double
    private let coldItems: Double
    private let ignoredUsers: Double
    private let ignoredItems: Double
    private let removesColdItems: Bool
    private let seed: UInt64

    init(_ parameters: BoundParameters) {
        trainingOnlyUsers = parameters.double("Fraction of training-only users")
        testRatingsForTraining = parameters.double("Fraction of test user ratings for training")
        coldUsers = parameters.double("Fraction of cold users")
        coldItems = parameters.double("Fraction of cold items")
        ignoredUsers = parameters.double("Fraction of ignored users")
        ignoredItems = parameters.double("Fraction of ignored items")
        removesColdItems = parameters.bool("Remove occasionally produced cold items")
        seed = UInt64(parameters.int("Random seed for Recommender"))
    }

    /// - Throws: `ModuleError` 0022 unless the table has a user, an item and perhaps a rating column.
    func split(_ table: DataTable) throws(ModuleError) -> (training: [Int], test: [Int]) {
        guard (2...3).contains(table.elements.count), case .column(let users) = table.elements[0],
            case .column(let items) = table.elements[1]
        else {
            throw ModuleError(.wrongSelectionCount, "Recommender Split needs the columns user, item and rating.")
        }
        var generator = SeededGenerator(seed: seed)
        let (ignored, cold, trainingOnly) = draw(
            users.values,
            [ignoredUsers, coldUsers, trainingOnlyUsers],
            &generator
        )
        let (ignoredThings, coldThings, _) = draw(items.values, [ignoredItems, coldItems, 0], &generator)
        var training: [Int] = []
        var test: [Int] = []
        for row in 0..<table.rowCount {
            let user = users.values.text(row) ?? ""
            let item = items.values.text(row) ?? ""
            if ignored.contains(user) || ignoredThings.contains(item) { continue }
            let draw = Double.random(in: 0..<1, using: &generator)
            if coldThings.contains(item) {
                if !trainingOnly.contains(user) { test.append(row) }
            } else if cold.contains(user) {
                test.append(row)
            } else if trainingOnly.contains(user) || draw < testRatingsForTraining {
                training.append(row)
            } else {
                test.append(row)
            }
        }
        if removesColdItems {
            let known = Set(training.map { items.values.text($0) ?? "" })
            test.removeAll { row in
                let item = items.values.text(row) ?? ""
                return !known.contains(item) && !coldThings.contains(item)
            }
        }
        return (training, test)
    }

    /// Deals the distinct values to three groups by their shares, without overlap.
    private func draw(
        _ values: ColumnValues,
        _ shares: [Double],
        _ generator: inout SeededGenerator
    ) -> (Set<String>, Set<String>, Set<String>) {
        var order: [String] = []
        var seen: Set<String> = []
        for row in 0..<values.count {
            let value = values.text(row) ?? ""
            if seen.insert(value).inserted { order.append(value) }
        }
        var left = order.shuffled(using: &generator)[...]
        let groups = shares.map { share -> Set<String> in
            let count = min(left.count, Int((Double(order.count) * share).rounded(.toNearestOrEven)))
            defer { left = left.dropFirst(count) }
            return Set(left.prefix(count))
        }
        return (groups[0], groups[1], groups[2])
    }
}
