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
        let count = try compiler.needNumber(element, "count", 1...50)
        let inner = try compiler.policies(element.children, below: steps.path)
        let test = Test(condition: condition, count: count, innerCount: inner.count)
        steps.add(inner)
        steps.add(test)
        steps.add(pause)
        steps.add(Jump(count: -(inner.count + 2)))
    }

    static func stands(in instructions: [PolicyInstruction]) -> Bool { instructions.contains { $0.step is Test } }

    /// Where the loop goes on after the step at a place has failed: the index of the test behind it; nil outside of any loop.
    static func test(_ instructions: [PolicyInstruction], behind index: Int) -> Int? {
        instructions.indices.dropFirst(index + 1).first { found in
            guard let test = instructions[found].step as? Test else { return false }
            return found - test.innerCount <= index
        }
    }

    /// Places of `limit-concurrency` that the loop of a test holds where one of its steps is.
    static func permits(_ instructions: [PolicyInstruction], at index: Int, of test: Int) -> Int {
        guard let count = (instructions[test].step as? Test)?.innerCount else { return 0 }
        return LimitConcurrencyPolicy.depth(instructions[(test - count)..<index])
    }

    /// Leaves the loop, or goes on to its pause.
    private struct Test: PolicyStep {
        let condition: CompiledValue
        let count: Int
        /// Steps of the loop's policies, which stand right before this one.
        let innerCount: Int

        func run(_ call: PolicyCall) throws(PolicyFailure) -> PolicyFlow {
            let done = call.attempts[call.currentPlace, default: 0]
            let failed = call.failedAttempt
            var goesOn = done < count
            if goesOn { goesOn = if let failed { holds(call, failed) } else { try condition.bool(call) } }
            guard goesOn else {
                call.attempts[call.currentPlace] = nil
                if let failed { throw failed.failure }
                return .jump(3)
            }
            call.failedAttempt = nil
            call.attempts[call.currentPlace] = done + 1
            return .next
        }

        /// Whether the condition holds for an attempt that failed.
        ///
        /// It sees the answer that the caller would get, a 500 for a connection that failed, as API Management has it. Documents that ask
        /// whether there is no response mean such an attempt as well. One that cannot be worked out asks for nothing.
        private func holds(_ call: PolicyCall, _ failed: FailedAttempt) -> Bool {
            if (try? condition.bool(call)) == true { return true }
            guard failed.hasNoResponse else { return false }
            let response = call.response
            call.response = nil
            defer { call.response = response }
            return (try? condition.bool(call)) == true
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
