import ResourceModel

/// Lists for people: a column a property, as wide as it must be.
enum TableText {
    static func print(_ columns: [(title: String, path: [String])], _ rows: [JSONValue]) {
        var lines = [columns.map(\.title)]
        for row in rows { lines.append(columns.map { text(row, $0.path) }) }
        let widths = columns.indices.map { place in lines.map { $0[place].count }.max() ?? 0 }
        for line in lines {
            let cells = line.enumerated().map { place, cell in
                place == line.count - 1 ? cell : cell + String(repeating: " ", count: widths[place] - cell.count)
            }
            Swift.print(cells.joined(separator: "  "))
        }
    }

    private static func text(_ row: JSONValue, _ path: [String]) -> String {
        let value = path.reduce(Optional(row)) { value, name in value?[name] }
        switch value {
        case .string(let text)?: return text
        case .array(let items)?: return items.map { $0.string ?? $0.text }.joined(separator: ",")
        case .null?, nil: return "-"
        case let other?: return other.text
        }
    }
}
