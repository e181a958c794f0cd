import DataTables
import ResourceModel

/// Tables with hashed features as text: one JSON object a row, in which only the columns that are not zero stand.
enum SparseText {
    static func write(_ table: DataTable) -> [UInt8] {
        var output: [UInt8] = []
        for row in 0..<table.rowCount {
            var object = JSONObject()
            for element in table.elements {
                switch element {
                case .column(let column): object[column.name] = JSONValue(column.values.text(row))
                case .sparse(let block):
                    let pairs = block.range(row).map {
                        (String(block.numbers[$0]), JSONValue.int(Int(block.counts[$0])))
                    }
                    object[block.prefix] = .object(JSONObject(pairs.map { (name: $0.0, value: $0.1) }))
                }
            }
            output += JSONValue.object(object).bytes
            output.append(0x0A)
        }
        return output
    }
}
