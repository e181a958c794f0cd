/// `rate-limit-by-key`: so many calls of any key in a sliding window.
struct RateLimitByKeyPolicy: PolicyStep {
    static let definition = PolicyDefinition("rate-limit-by-key", sections: [.inbound]) {
        element,
        compiler,
        steps throws(PolicyDiagnostic) in
        try compiler.only(
            element,
            attributes: RateAnswer.attributes.union([
                "calls", "renewal-period", "counter-key", "increment-condition", "increment-count",
            ])
        )
        let calls = try compiler.needValue(element, "calls")
        if calls.constantText != nil { _ = try compiler.needNumber(element, "calls", 1...CallLimit.callsMax) }
        let period = try compiler.needValue(element, "renewal-period")
        if period.constantText != nil {
            _ = try compiler.needNumber(element, "renewal-period", 1...RateLimitPolicy.periodMax)
        }
        steps.add(
            RateLimitByKeyPolicy(
                calls: calls,
                period: period,
                policy: "\(compiler.owner) \(steps.path)",
                key: try compiler.needValue(element, "counter-key"),
                increment: try CallIncrement(element, &compiler),
                answer: try RateAnswer(element, compiler)
            )
        )
    }

    let calls: CompiledValue
    let period: CompiledValue
    /// Whose counters these are, beside the caller's subscription.
    let policy: String
    let key: CompiledValue
    let increment: CallIncrement
    let answer: RateAnswer

    func run(_ call: PolicyCall) throws(PolicyFailure) -> PolicyFlow {
        let calls = try calls.int(call)
        let period = try period.int(call)
        guard (1...CallLimit.callsMax).contains(calls), (1...RateLimitPolicy.periodMax).contains(period) else {
            throw .evaluation("\"calls\" and \"renewal-period\" must be within their bounds.")
        }
        // One counter for a key over all scopes, as the contract has it.
        let subject = try key.text(call)
        let window = RateWindow(
            counter: "by key",
            subject: subject,
            hash: WindowHash.of(subject),
            calls: calls,
            period: period,
            holder: CounterHolder(policy: policy, subscription: call.facts.subscription?.id ?? "")
        )
        let verdict = call.effects.take(window, increment: increment.readsResponse ? 0 : try increment.count(call))
        guard verdict.isAllowed else { throw answer.refusal(verdict, String(calls), call) }
        answer.note(verdict, String(calls), call)
        if increment.readsResponse {
            call.afterAnswer.append { [increment] call in
                // An expression that fails here counts nothing: the answer is on its way already.
                guard let count = try? increment.count(call), count > 0 else { return }
                _ = call.effects.take(window, increment: count)
            }
        }
        return .next
    }
}
