/// A value while an expression runs.
///
/// Whole numbers have 64 bits; strings count UTF-16 units where anything counts them, as .NET's do.
package enum ExpressionValue: Sendable, Equatable {
    case null
    case bool(Bool)
    case int(Int64)
    case double(Double)
    case string(String)

    /// What stands where the value becomes text: nothing for null, `True` and `False` as .NET writes them.
    package var text: String {
        switch self {
        case .null: ""
        case .bool(let value): value ? "True" : "False"
        case .int(let value): String(value)
        case .double(let value): ExpressionValue.text(value)
        case .string(let value): value
        }
    }

    var typeName: String {
        switch self {
        case .null: "null"
        case .bool: "bool"
        case .int: "int"
        case .double: "double"
        case .string: "string"
        }
    }

    /// As .NET's invariant culture writes it: no fraction where there is none.
    private static func text(_ value: Double) -> String {
        if value.isNaN { return "NaN" }
        if value.isInfinite { return value < 0 ? "-Infinity" : "Infinity" }
        let text = "\(value)"
        guard !text.contains("e") else { return text.uppercased() }
        return text.hasSuffix(".0") ? String(text.dropLast(2)) : text
    }
}
