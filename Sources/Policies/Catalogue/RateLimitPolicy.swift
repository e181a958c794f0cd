import Expressions

/// `rate-limit`: so many calls of a subscription in a sliding window.
struct RateLimitPolicy: PolicyStep {
    static let definition = PolicyDefinition(
        "rate-limit",
        sections: [.inbound],
        scopes: [.product, .api, .operation],
        isSingle: true
    ) { element, compiler, steps throws(PolicyDiagnostic) in
        let limits = try CallLimit.all(
            element,
            compiler,
            attributes: RateAnswer.attributes,
            periods: 1...RateLimitPolicy.periodMax,
            path: steps.path
        )
        steps.add(RateLimitPolicy(limits: limits, answer: try RateAnswer(element, compiler)))
    }

    /// Seconds of a window at most: the contract's bound of `rate-limit`.
    static let periodMax = 300

    private let limits: [CallLimit]
    private let answer: RateAnswer

    func run(_ call: PolicyCall) throws(PolicyFailure) -> PolicyFlow {
        // Counted by subscription: a call without one has nobody to count for.
        guard let subscription = call.facts.subscription else { return .next }
        var least: (verdict: RateVerdict, limit: Int)?
        for place in limits.indices where limits[place].applies(call.facts) {
            let limit = limits[place]
            let window = RateWindow(
                counter: limit.counter,
                subject: subscription.id,
                hash: limit.hash ^ subscription.hash,
                calls: limit.calls,
                period: limit.period
            )
            let verdict = call.effects.take(window, increment: 1)
            guard verdict.isAllowed else { throw answer.refusal(verdict, limit.callsText, call) }
            if least.map({ verdict.remaining < $0.verdict.remaining }) ?? true { least = (verdict, place) }
        }
        if let least { answer.note(least.verdict, limits[least.limit].callsText, call) }
        return .next
    }
}

/// What callers are told of a window: fields and variables, by the attributes that both rate limits share.
struct RateAnswer: Sendable {
    static let attributes: Set<String> = [
        "retry-after-header-name", "retry-after-variable-name", "remaining-calls-header-name",
        "remaining-calls-variable-name", "total-calls-header-name",
    ]

    private let retryAfterHeader: String
    private let retryAfterVariable: String?
    private let remainingHeader: FieldName?
    private let remainingVariable: String?
    private let totalHeader: FieldName?

    init(_ element: PolicyElement, _ compiler: PolicyCompiler) throws(PolicyDiagnostic) {
        func header(_ name: String) throws(PolicyDiagnostic) -> String? {
            guard let text = try compiler.literal(element, name) else { return nil }
            guard FieldText.isName(text) else {
                throw compiler.problem(
                    "\"\(name)\" is not the name of a header.",
                    at: compiler.attribute(element, name)?.offset ?? element.offset
                )
            }
            return text
        }
        retryAfterHeader = try header("retry-after-header-name") ?? "Retry-After"
        retryAfterVariable = try compiler.literal(element, "retry-after-variable-name")
        remainingHeader = try header("remaining-calls-header-name").map { FieldName($0) }
        remainingVariable = try compiler.literal(element, "remaining-calls-variable-name")
        totalHeader = try header("total-calls-header-name").map { FieldName($0) }
    }

    /// - Parameter calls: of the whole window.
    func note(_ verdict: RateVerdict, _ calls: @autoclosure () -> String, _ call: PolicyCall) {
        if let remainingVariable { call.variables[remainingVariable] = .int(Int64(verdict.remaining)) }
        if let remainingHeader { call.answerFields.set(remainingHeader, to: String(verdict.remaining)) }
        if let totalHeader { call.answerFields.set(totalHeader, to: calls()) }
    }

    func refusal(_ verdict: RateVerdict, _ calls: @autoclosure () -> String, _ call: PolicyCall) -> PolicyFailure {
        note(verdict, calls(), call)
        if let retryAfterVariable { call.variables[retryAfterVariable] = .int(Int64(verdict.retryAfter)) }
        return PolicyFailure(
            status: 429,
            message: "Rate limit is exceeded. Try again in \(verdict.retryAfter) seconds.",
            reason: "RateLimitExceeded",
            detail: "Rate limit is exceeded",
            fields: [(retryAfterHeader, String(verdict.retryAfter))]
        )
    }
}
