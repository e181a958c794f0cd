/// The element type of a column, named as on the wire of the web service contract.
package enum ColumnType: String, Sendable, CaseIterable {
    case string = "String"
    case int32 = "Int32"
    case int64 = "Int64"
    case double = "Double"
    case boolean = "Boolean"
    case dateTime = "DateTime"

    package var isNumeric: Bool { self == .int32 || self == .int64 || self == .double }
}

/// What a column is for, as Edit Metadata sets it.
package enum ColumnRole: String, Sendable {
    case feature, label, score, weight
    case none
}
