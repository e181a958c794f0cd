import Expressions

/// `rate-limit`: so many calls of a subscription in a sliding window.
struct RateLimitPolicy: PolicyStep {
    static let definition = PolicyDefinition(
        "rate-limit",
        sections: [.inbound],
        scopes: [.product, .api, .operation],
        isSingle: true
    ) { element, compiler, steps throws(PolicyDiagnostic) in
        try compiler.only(
            element,
            attributes: RateAnswer.attributes.union(["calls", "renewal-period"]),
            children: ["api"]
        )
        var limits: [Limit] = []
        // Of this limit of this document, however often it is compiled.
        var counter: String { "\(compiler.owner) \(steps.path) \(limits.count)" }
        limits.append(try Limit(element, compiler, counter, api: nil, operation: nil))
        for api in element.children {
            try compiler.only(api, attributes: ["name", "id", "calls", "renewal-period"], children: ["operation"])
            let apiName = try Target(api, compiler)
            limits.append(try Limit(api, compiler, counter, api: apiName, operation: nil))
            for operation in api.children {
                try compiler.only(operation, attributes: ["name", "id", "calls", "renewal-period"])
                limits.append(
                    try Limit(operation, compiler, counter, api: apiName, operation: try Target(operation, compiler))
                )
            }
        }
        steps.add(RateLimitPolicy(limits: limits, answer: try RateAnswer(element, compiler)))
    }

    /// Seconds of a window at most: the contract's bound of `rate-limit`.
    static let periodMax = 300
    static let callsMax = 1_000_000_000

    /// An API or operation that a limit is for: its id counts where both are given.
    private struct Target: Sendable {
        let id: String?
        let name: String?

        init(_ element: PolicyElement, _ compiler: PolicyCompiler) throws(PolicyDiagnostic) {
            id = try compiler.literal(element, "id")?.lowercased()
            name = try compiler.literal(element, "name")
            guard id != nil || name != nil else { throw compiler.missing("id\" or \"name", element) }
        }

        func matches(id: String, name: String) -> Bool { self.id.map { $0 == id.lowercased() } ?? (self.name == name) }
    }

    private struct Limit: Sendable {
        let counter: String
        let calls: Int
        let period: Int
        let api: Target?
        let operation: Target?

        init(
            _ element: PolicyElement,
            _ compiler: PolicyCompiler,
            _ counter: String,
            api: Target?,
            operation: Target?
        ) throws(PolicyDiagnostic) {
            self.counter = counter
            calls = try compiler.needNumber(element, "calls", 1...RateLimitPolicy.callsMax)
            period = try compiler.needNumber(element, "renewal-period", 1...RateLimitPolicy.periodMax)
            self.api = api
            self.operation = operation
        }

        func applies(_ facts: PolicyFacts) -> Bool {
            if let api, !api.matches(id: facts.api.id, name: facts.api.name) { return false }
            guard let operation else { return true }
            return facts.operation.map { operation.matches(id: $0.id, name: $0.name) } ?? false
        }
    }

    private let limits: [Limit]
    private let answer: RateAnswer

    func run(_ call: PolicyCall) throws(PolicyFailure) -> PolicyFlow {
        // Counted by subscription: a call without one has nobody to count for.
        guard let subscription = call.facts.subscription else { return .next }
        var least: (verdict: RateVerdict, calls: Int)?
        for limit in limits where limit.applies(call.facts) {
            let window = RateWindow(
                counter: limit.counter,
                subject: subscription.id,
                calls: limit.calls,
                period: limit.period
            )
            let verdict = call.effects.take(window, increment: 1)
            guard verdict.isAllowed else { throw answer.refusal(verdict, limit.calls, call) }
            if least.map({ verdict.remaining < $0.verdict.remaining }) ?? true { least = (verdict, limit.calls) }
        }
        if let least { answer.note(least.verdict, least.calls, call) }
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
    private let remainingHeader: String?
    private let remainingVariable: String?
    private let totalHeader: String?

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
        remainingHeader = try header("remaining-calls-header-name")
        remainingVariable = try compiler.literal(element, "remaining-calls-variable-name")
        totalHeader = try header("total-calls-header-name")
    }

    func note(_ verdict: RateVerdict, _ calls: Int, _ call: PolicyCall) {
        if let remainingVariable { call.variables[remainingVariable] = .int(Int64(verdict.remaining)) }
        if let remainingHeader { call.answerFields.append((remainingHeader, String(verdict.remaining))) }
        if let totalHeader { call.answerFields.append((totalHeader, String(calls))) }
    }

    func refusal(_ verdict: RateVerdict, _ calls: Int, _ call: PolicyCall) -> PolicyFailure {
        note(verdict, calls, call)
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
