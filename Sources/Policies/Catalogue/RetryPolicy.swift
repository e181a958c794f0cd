/// `retry`: its policies once, and again while its condition holds.
enum RetryPolicy {
    static let definition = PolicyDefinition("retry", sections: [.inbound, .backend, .outbound, .onError]) {
        element,
        compiler,
        steps throws(PolicyDiagnostic) in
        try compiler.only(
            element,
            attributes: ["condition", "count", "interval", "max-interval", "delta", "first-fast-retry"],
            children: Set(element.children.map(\.name))
        )
        let condition = try compiler.condition(element, "condition")
        let pause = Pause(
            interval: try compiler.needNumber(element, "interval", 0...3600),
            delta: try compiler.number(element, "delta", 0...3600),
            maxInterval: try compiler.number(element, "max-interval", 1...3600),
            firstIsFast: try compiler.flag(element, "first-fast-retry", default: false)
        )
        let test = Test(condition: condition, count: try compiler.needNumber(element, "count", 1...50))
        let inner = try compiler.policies(element.children, below: steps.path)
        steps.add(inner)
        steps.add(test)
        steps.add(pause)
        steps.add(Jump(count: -(inner.count + 2)))
    }

    /// Leaves the loop, or goes on to its pause.
    private struct Test: PolicyStep {
        let condition: CompiledValue
        let count: Int

        func run(_ call: PolicyCall) throws(PolicyFailure) -> PolicyFlow {
            let done = call.attempts[call.currentPlace, default: 0]
            guard done < count, try condition.bool(call) else {
                call.attempts[call.currentPlace] = nil
                return .jump(3)
            }
            call.attempts[call.currentPlace] = done + 1
            return .next
        }
    }

    private struct Pause: PolicyStep {
        /// Seconds.
        let interval: Int
        let delta: Int?
        let maxInterval: Int?
        let firstIsFast: Bool

        func run(_ call: PolicyCall) throws(PolicyFailure) -> PolicyFlow {
            let attempt = call.attempts[call.currentPlace - 1, default: 1]
            if firstIsFast, attempt == 1 { return .next }
            let pause = milliseconds(attempt)
            guard pause > 0 else { return .next }
            call.effects.wait(pause, call)
            return .wait
        }

        /// Fixed, linear or exponential, by which attributes are there (contracts/api-management.md 3.2).
        private func milliseconds(_ attempt: Int) -> Int64 {
            guard let delta else { return Int64(interval) * 1000 }
            guard let maxInterval else { return Int64(interval + (attempt - 1) * delta) * 1000 }
            let spread = Double(delta) * Double.random(in: 0.8...1.2)
            let growth = Double((1 << min(attempt, 30)) - 1) * spread
            return Int64(min(Double(interval) + growth, Double(maxInterval)) * 1000)
        }
    }
}
