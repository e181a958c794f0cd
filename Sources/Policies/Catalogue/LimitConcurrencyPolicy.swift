/// `limit-concurrency`: so many calls of a key at once inside it.
enum LimitConcurrencyPolicy {
    static let definition = PolicyDefinition("limit-concurrency") {
        element,
        compiler,
        steps throws(PolicyDiagnostic) in
        try compiler.only(element, attributes: ["key", "max-count"], children: Set(element.children.map(\.name)))
        let max = try compiler.needValue(element, "max-count")
        if max.constantText != nil { _ = try compiler.needNumber(element, "max-count", 1...1_000_000) }
        let key = try compiler.needValue(element, "key")
        let inner = try compiler.policies(element.children, below: steps.path)
        steps.add(Enter(key: key, max: max))
        steps.add(inner)
        steps.add(Leave())
    }

    /// How many of the policies that begin among these steps do not end among them.
    static func depth(_ instructions: ArraySlice<PolicyInstruction>) -> Int {
        instructions.reduce(0) { $0 + ($1.step is Enter ? 1 : $1.step is Leave ? -1 : 0) }
    }

    private struct Enter: PolicyStep {
        let key: CompiledValue
        let max: CompiledValue

        func run(_ call: PolicyCall) throws(PolicyFailure) -> PolicyFlow {
            let key = try key.text(call)
            guard call.effects.acquire(key, max: try max.int(call)) else {
                // The wire's text is not published; the words are those of the other limit.
                throw PolicyFailure(
                    status: 429,
                    message: "Too many concurrent requests. Try again later.",
                    reason: "ConcurrencyLimitExceeded"
                )
            }
            call.permits.append(key)
            return .next
        }
    }

    private struct Leave: PolicyStep {
        func run(_ call: PolicyCall) throws(PolicyFailure) -> PolicyFlow {
            if let key = call.permits.popLast() { call.effects.release(key) }
            return .next
        }
    }
}
