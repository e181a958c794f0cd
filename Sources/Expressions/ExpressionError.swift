/// Why an expression was refused, with the place in its own text.
package struct ExpressionError: Error, Sendable, Equatable {
    package let message: String
    /// UTF-8 bytes from the expression's first character on.
    package let offset: Int

    package init(_ message: String, at offset: Int) {
        self.message = message
        self.offset = offset
    }
}

/// Why an expression has no value for this request, as .NET would throw: the cause of `ExpressionValueEvaluationFailure`.
package struct EvaluationFailure: Error, Sendable, Equatable {
    package let message: String

    package init(_ message: String) { self.message = message }
}
