package import DataTables

extension ColumnSelection {
    /// The places of the selected columns, from 0: ascending and once each, or as named where order is kept.
    ///
    /// Places come as ranges, so that 2^31 hashed columns are one.
    /// - Throws: `ModuleError` 0001 for a column that is not there.
    package func resolve(in table: DataTable) throws(ModuleError) -> [Range<Int>] {
        if clauses.count == 1, !clauses[0].isExclude, !keepsOrder {
            let found = try places(clauses[0].rule, in: table)
            return found.count <= 1 ? found : PlaceRanges.union(found)
        }
        var included: [Range<Int>] = []
        var excluded: [Range<Int>] = []
        for clause in clauses {
            let places = try places(clause.rule, in: table)
            if clause.isExclude { excluded += places } else { included += places }
        }
        if keepsOrder { return included.flatMap { PlaceRanges.subtract(excluded, from: [$0]) } }
        return PlaceRanges.subtract(excluded, from: PlaceRanges.union(included))
    }

    /// Whether the rules only speak of types, so that a column need not be named to be selected.
    private func places(_ rule: Rule, in table: DataTable) throws(ModuleError) -> [Range<Int>] {
        switch rule {
        case .all: return [0..<table.columnCount]
        case .names(let names):
            var places: [Range<Int>] = []
            for name in names {
                guard let place = table.place(of: name) else {
                    throw ModuleError(.columnNotFound, "Column with name or index \"\(name)\" does not exist.")
                }
                places.append(place..<(place + 1))
            }
            return places
        case .indexes(let ranges):
            for range in ranges where range.upperBound > table.columnCount {
                throw ModuleError(.columnNotFound, "Column with name or index \"\(range.upperBound)\" does not exist.")
            }
            return ranges.map { ($0.lowerBound - 1)..<$0.upperBound }
        case .types(let types, let kinds):
            var places: [Range<Int>] = []
            var place = 0
            for element in table.elements {
                let (type, isCategorical, role): (ColumnType, Bool, ColumnRole) =
                    switch element {
                    case .column(let column): (column.values.type, column.values.isCategorical, column.role)
                    case .sparse(let block): (.int32, false, block.role)
                    }
                let isOfKind = kinds.contains("all") || kinds.contains(role.rawValue)
                if isOfKind, types.contains(where: { ColumnSelection.matches($0, type, isCategorical) }) {
                    places.append(place..<(place + element.width))
                }
                place += element.width
            }
            return places
        }
    }

    private static func matches(_ word: String, _ type: ColumnType, _ isCategorical: Bool) -> Bool {
        switch word {
        case "all": true
        case "numeric": type.isNumeric && !isCategorical
        case "integer": type == .int32 || type == .int64
        case "double": type == .double
        case "string": type == .string
        case "boolean": type == .boolean
        case "datetime": type == .dateTime
        case "categorical": isCategorical
        case "noncategorical": !isCategorical
        default: false
        }
    }
}

extension DataTable {
    /// The columns at these places, in the order of the ranges; a sparse block stays one where it stays whole.
    package func selecting(places: [Range<Int>]) -> DataTable {
        var result: [Element] = []
        for range in places {
            var start = 0
            for element in elements {
                let common = range.clamped(to: start..<(start + element.width))
                if !common.isEmpty {
                    switch element {
                    case .column: result.append(element)
                    case .sparse(let block):
                        let inside = (common.lowerBound - start)..<(common.upperBound - start)
                        result.append(.sparse(block.keeping(PlaceRanges.numbers(block.kept, at: inside))))
                    }
                }
                start += element.width
            }
        }
        return DataTable(elements: result, rowCount: rowCount)
    }
}

/// Sets of places as sorted ranges.
enum PlaceRanges {
    static func union(_ ranges: [Range<Int>]) -> [Range<Int>] {
        var result: [Range<Int>] = []
        for range in ranges.sorted(by: { $0.lowerBound < $1.lowerBound }) {
            if let last = result.last, range.lowerBound <= last.upperBound {
                result[result.count - 1] = last.lowerBound..<max(last.upperBound, range.upperBound)
            } else {
                result.append(range)
            }
        }
        return result
    }

    static func subtract(_ excluded: [Range<Int>], from ranges: [Range<Int>]) -> [Range<Int>] {
        excluded.reduce(ranges) { ranges, hole in
            ranges.flatMap { range -> [Range<Int>] in
                guard range.overlaps(hole) else { return [range] }
                return [
                    range.lowerBound..<max(range.lowerBound, hole.lowerBound),
                    min(range.upperBound, hole.upperBound)..<range.upperBound,
                ].filter { !$0.isEmpty }
            }
        }
    }

    /// The column numbers that stand at these places among the kept ranges.
    static func numbers(_ kept: [Range<Int>], at places: Range<Int>) -> [Range<Int>] {
        var start = 0
        var result: [Range<Int>] = []
        for range in kept {
            let common = places.clamped(to: start..<(start + range.count))
            if !common.isEmpty {
                let shift = range.lowerBound - start
                result.append((common.lowerBound + shift)..<(common.upperBound + shift))
            }
            start += range.count
        }
        return result
    }
}
