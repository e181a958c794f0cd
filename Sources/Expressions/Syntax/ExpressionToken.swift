/// A word of an expression.
struct ExpressionToken: Equatable {
    enum Kind: Equatable {
        case identifier(String)
        case string(String)
        /// `$"…"`: literal text and the holes between.
        case interpolated([InterpolationPart])
        case int(Int64)
        case double(Double)
        /// An operator or a bracket.
        case symbol(String)
        case end
    }

    let kind: Kind
    let offset: Int
}

/// A piece of an interpolated string; a hole keeps its text until the parser reads it.
enum InterpolationPart: Equatable {
    case text(String)
    case hole(String, offset: Int)
}
