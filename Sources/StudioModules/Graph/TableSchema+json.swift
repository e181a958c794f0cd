package import DataTables
package import ResourceModel

extension TableSchema {
    /// The form that records and service definitions keep.
    package var json: JSONValue {
        .array(
            elements.map { element in
                switch element {
                case .column(let column):
                    [
                        "name": .string(column.name), "type": .string(column.type.rawValue),
                        "categorical": .bool(column.isCategorical), "role": .string(column.role.rawValue),
                    ]
                case .sparse(let prefix, let kept, let role):
                    [
                        "prefix": .string(prefix),
                        "kept": .array(kept.map { [.int($0.lowerBound), .int($0.upperBound)] }),
                        "role": .string(role.rawValue),
                    ]
                }
            }
        )
    }

    package init(json: JSONValue) {
        self.init(
            elements: (json.array ?? []).compactMap { element in
                let role = element["role"]?.string.flatMap(ColumnRole.init(rawValue:)) ?? .feature
                if let prefix = element["prefix"]?.string {
                    let kept = (element["kept"]?.array ?? []).compactMap { pair -> Range<Int>? in
                        guard let low = pair.array?.first?.int, let high = pair.array?.last?.int, low <= high else {
                            return nil
                        }
                        return low..<high
                    }
                    return .sparse(prefix: prefix, kept: kept, role: role)
                }
                guard let name = element["name"]?.string,
                    let type = element["type"]?.string.flatMap(ColumnType.init(rawValue:))
                else { return nil }
                let isCategorical = element["categorical"]?.bool ?? false
                return .column(ColumnSchema(name: name, type: type, isCategorical: isCategorical, role: role))
            }
        )
    }
}
