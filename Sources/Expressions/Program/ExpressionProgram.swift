/// An expression that was read and bound: it runs against any context.
package struct ExpressionProgram: Sendable {
    indirect enum Node: Sendable {
        case constant(ExpressionValue)
        /// - Parameter isConditional: null, and no failure, where the thing is not there (`?.`).
        case read(ContextValue, isConditional: Bool)
        case isPresent(ContextObject)
        /// The texts of a name joined by commas, or else the fallback.
        case joined(ContextTable, Node, fallback: Node)
        case element(ContextTable, Node, index: Node)
        case contains(ContextTable, Node)
        /// - Parameter fallback: nil where a missing variable is a failure.
        case variable(Node, fallback: Node?, type: ExpressionType)
        case hasVariable(Node)
        case not(Node)
        case negate(Node)
        case and(Node, Node)
        case or(Node, Node)
        case compare(Comparison, Node, Node)
        case concatenate([Node])
        case coalesce(Node, Node)
        case conditional(Node, Node, Node)
        case cast(ExpressionType, Node)
    }

    enum Comparison: String, Sendable {
        case equal = "=="
        case notEqual = "!="
        case less = "<"
        case lessOrEqual = "<="
        case greater = ">"
        case greaterOrEqual = ">="
    }

    let root: Node
    /// What the expression gives.
    package let type: ExpressionType

    /// Reads and binds an expression; what is not supported is refused by name with its place.
    package init(_ text: String) throws(ExpressionError) {
        let bound = try ExpressionBinder().bind(try ExpressionParser.parse(text))
        root = try bound.value()
        type = bound.type
    }

    /// Whether an expression is `context.Response` itself: a thing without a value, which policies may keep and give back.
    package static func isResponse(_ text: String) -> Bool {
        guard case .member(let owner, "Response", false)? = try? ExpressionParser.parse(text).kind else { return false }
        return owner.kind == .name("context")
    }

    /// - Throws: `EvaluationFailure`, where .NET would throw.
    package func value(_ context: some ExpressionContext) throws(EvaluationFailure) -> ExpressionValue {
        try ExpressionEvaluator(context: context).value(root)
    }

    /// Whether the value is of the response, so that it is known only after it came.
    package var readsResponse: Bool { root.readsResponse }
}

extension ExpressionProgram.Node {
    var readsResponse: Bool {
        switch self {
        case .constant: false
        case .read(let value, _): value == .responseStatusCode || value == .responseStatusReason
        case .isPresent(let object): object == .response
        case .joined(let table, let name, let fallback):
            table == .responseHeaders || name.readsResponse || fallback.readsResponse
        case .element(let table, let name, let index):
            table == .responseHeaders || name.readsResponse || index.readsResponse
        case .contains(let table, let name): table == .responseHeaders || name.readsResponse
        case .variable(let name, let fallback, _): name.readsResponse || (fallback?.readsResponse ?? false)
        case .hasVariable(let inner), .not(let inner), .negate(let inner), .cast(_, let inner): inner.readsResponse
        case .and(let left, let right), .or(let left, let right), .compare(_, let left, let right),
            .coalesce(let left, let right):
            left.readsResponse || right.readsResponse
        case .concatenate(let parts): parts.contains { $0.readsResponse }
        case .conditional(let test, let yes, let no): test.readsResponse || yes.readsResponse || no.readsResponse
        }
    }
}
