import DataTables
import Foundation

/// The conditions of Split Data: `\"column" pattern` and `\"column" > 3 & <= 9`.
struct RowFilter {
    private enum Condition {
        case pattern(NSRegularExpression)
        /// Any of the groups, all of a group.
        case relation([[Comparison]])
    }

    private struct Comparison {
        let sign: String
        let operand: String
    }

    private let column: ColumnReference
    private let condition: Condition

    private enum ColumnReference {
        case name(String)
        /// From 0.
        case place(Int)
    }

    init(pattern text: String) throws(ModuleError) {
        let (column, rest) = try RowFilter.reference(text, "Regular expression")
        self.column = column
        do { condition = .pattern(try NSRegularExpression(pattern: rest)) } catch {
            throw ModuleError(.unparsable, "Parameter \"Regular expression\" is no regular expression: \(rest)")
        }
    }

    init(relation text: String) throws(ModuleError) {
        let (column, rest) = try RowFilter.reference(text, "Relational expression")
        self.column = column
        var groups: [[Comparison]] = []
        for group in rest.split(separator: "|") {
            var comparisons: [Comparison] = []
            for part in group.split(separator: "&") {
                let part = part.trimmingCharacters(in: .whitespaces)
                guard let sign = ["<=", ">=", "==", "!=", "<", ">"].first(where: { part.hasPrefix($0) }) else {
                    throw ModuleError(
                        .unparsable,
                        "Parameter \"Relational expression\" has no comparison in \"\(part)\"."
                    )
                }
                let operand = part.dropFirst(sign.count).trimmingCharacters(in: .whitespaces)
                guard !operand.isEmpty else {
                    throw ModuleError(
                        .unparsable,
                        "Parameter \"Relational expression\" compares with nothing in \"\(part)\"."
                    )
                }
                comparisons.append(Comparison(sign: sign, operand: operand))
            }
            groups.append(comparisons)
        }
        guard !groups.isEmpty else {
            throw ModuleError(.unparsable, "Parameter \"Relational expression\" holds no comparison.")
        }
        condition = .relation(groups)
    }

    func matchingRows(_ table: DataTable) throws(ModuleError) -> [Int] {
        let place: Int?
        let label: String
        switch column {
        case .name(let name): (place, label) = (table.place(of: name), name)
        case .place(let index): (place, label) = (index < table.columnCount ? index : nil, "\(index + 1)")
        }
        guard let place else {
            throw ModuleError(.columnNotFound, "Column with name or index \"\(label)\" does not exist.")
        }
        let values: ColumnValues
        switch table.selecting(places: [place..<(place + 1)]).elements.first {
        case .column(let column)?: values = column.values
        case .sparse(let block)?: values = block.column(block.number(at: 0)).values
        case nil: return []
        }
        var rows: [Int] = []
        for row in 0..<table.rowCount where try matches(values, row, label) { rows.append(row) }
        return rows
    }

    private func matches(_ values: ColumnValues, _ row: Int, _ label: String) throws(ModuleError) -> Bool {
        guard let text = values.text(row) else { return false }
        switch condition {
        case .pattern(let expression):
            return expression.firstMatch(in: text, range: NSRange(text.startIndex..., in: text)) != nil
        case .relation(let groups):
            for group in groups {
                var all = true
                for comparison in group where try !holds(comparison, values, row, text, label) { all = false }
                if all { return true }
            }
            return false
        }
    }

    private func holds(
        _ comparison: Comparison,
        _ values: ColumnValues,
        _ row: Int,
        _ text: String,
        _ label: String
    ) throws(ModuleError) -> Bool {
        if let number = values.number(row) {
            guard let operand = Double(comparison.operand) else { throw incomparable(comparison, label) }
            return RowFilter.compare(number, comparison.sign, operand)
        }
        if case .dateTime(let ticks) = values, let left = ticks[row] {
            guard let operand = DateTimeText.ticks(Array(comparison.operand.utf8)[...]) else {
                throw incomparable(comparison, label)
            }
            return RowFilter.compare(left, comparison.sign, operand)
        }
        throw ModuleError(.unsupportedType, "Cannot compare column \"\(label)\" of type \(values.type.rawValue).")
    }

    private func incomparable(_ comparison: Comparison, _ label: String) -> ModuleError {
        ModuleError(.notConvertible, "\"\(comparison.operand)\" cannot be compared with column \"\(label)\".")
    }

    private static func compare<Value: Comparable>(_ left: Value, _ sign: String, _ right: Value) -> Bool {
        switch sign {
        case "<": left < right
        case "<=": left <= right
        case ">": left > right
        case ">=": left >= right
        case "==": left == right
        default: left != right
        }
    }

    /// `\"name" rest`, or `(\3) rest` for the third column.
    private static func reference(
        _ text: String,
        _ parameter: String
    ) throws(ModuleError) -> (ColumnReference, String) {
        if text.hasPrefix("(\\"), let close = text.firstIndex(of: ")") {
            let digits = text[text.index(text.startIndex, offsetBy: 2)..<close]
            if let number = Int(digits), number >= 1 {
                let rest = text[text.index(after: close)...].trimmingCharacters(in: .whitespaces)
                return (.place(number - 1), rest)
            }
        }
        if text.hasPrefix("\\\"") {
            let name = text.dropFirst(2)
            if let close = name.firstIndex(of: "\"") {
                let rest = name[name.index(after: close)...].trimmingCharacters(in: .whitespaces)
                return (.name(String(name[..<close])), rest)
            }
        }
        throw ModuleError(.unparsable, "Parameter \"\(parameter)\" must begin with a column, as \\\"name\" or (\\1).")
    }
}
