/// An expression as it is written, each part with its place.
package struct ExpressionSyntax: Sendable, Equatable {
    package indirect enum Kind: Sendable, Equatable {
        case null
        case bool(Bool)
        case int(Int64)
        case double(Double)
        case string(String)
        case interpolated([ExpressionSyntax])
        case name(String)
        /// - Parameter isConditional: whether it was written `?.`.
        case member(of: ExpressionSyntax, name: String, isConditional: Bool)
        case index(of: ExpressionSyntax, argument: ExpressionSyntax)
        case call(of: ExpressionSyntax, typeArguments: [String], arguments: [ExpressionSyntax])
        case cast(type: String, ExpressionSyntax)
        case unary(String, ExpressionSyntax)
        case binary(String, ExpressionSyntax, ExpressionSyntax)
        case conditional(ExpressionSyntax, ExpressionSyntax, ExpressionSyntax)
    }

    package let kind: Kind
    package let offset: Int
}
