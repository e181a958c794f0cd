/// A column of few distinct values: one code a row into a list of levels.
package struct CategoricalValues: Sendable, Equatable {
    /// The distinct values in the order in which they were met.
    package private(set) var levels: [String] = []
    package private(set) var codes = FixedValues<Int32>(filler: -1)
    /// The type that the levels had before they became categories, and get back.
    package let base: ColumnType
    private var index: [String: Int32] = [:]

    package init(base: ColumnType) { self.base = base }

    package subscript(row: Int) -> String? { codes[row].map { levels[Int($0)] } }
    package var count: Int { codes.count }

    package mutating func append(_ level: String?) {
        guard let level else { return codes.append(nil) }
        if let code = index[level] { return codes.append(code) }
        let code = Int32(levels.count)
        index[level] = code
        levels.append(level)
        codes.append(code)
    }

    package func selecting(_ rows: [Int]) -> CategoricalValues {
        var result = self
        result.codes = codes.selecting(rows)
        return result
    }
}
