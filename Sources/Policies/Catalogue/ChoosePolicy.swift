/// `choose`: the first branch whose condition holds.
enum ChoosePolicy {
    static let definition = PolicyDefinition("choose") { element, compiler, steps throws(PolicyDiagnostic) in
        try compiler.only(element, attributes: [], children: ["when", "otherwise"])
        guard element.children.first?.name == "when" else {
            throw compiler.problem("<choose> needs a <when>.", at: element.offset)
        }
        var branches: [(condition: CompiledValue?, steps: [PolicyInstruction])] = []
        for (place, child) in element.children.enumerated() {
            let isOtherwise = child.name == "otherwise"
            guard !isOtherwise || place == element.children.count - 1 else {
                throw compiler.problem("<otherwise> must be the last branch.", at: child.offset)
            }
            let path = steps.path + (isOtherwise ? "/otherwise" : "/when[\(place + 1)]")
            try compiler.only(
                child,
                attributes: isOtherwise ? [] : ["condition"],
                children: Set(child.children.map(\.name))
            )
            branches.append(
                (
                    isOtherwise ? nil : try compiler.condition(child, "condition"),
                    try compiler.policies(child.children, below: path)
                )
            )
        }
        // A branch is its test, its steps and a jump behind the last branch.
        var left = branches.reduce(0) { $0 + $1.steps.count + ($1.condition == nil ? 0 : 2) }
        for branch in branches {
            if let condition = branch.condition {
                steps.add(Branch(condition: condition, otherwise: branch.steps.count + 2))
                steps.add(branch.steps)
                left -= branch.steps.count + 2
                steps.add(Jump(count: left + 1))
            } else {
                steps.add(branch.steps)
            }
        }
    }

    private struct Branch: PolicyStep {
        let condition: CompiledValue
        let otherwise: Int

        func run(_ call: PolicyCall) throws(PolicyFailure) -> PolicyFlow {
            try condition.bool(call) ? .next : .jump(otherwise)
        }
    }
}

/// Goes on elsewhere in the section.
struct Jump: PolicyStep {
    let count: Int

    func run(_ call: PolicyCall) throws(PolicyFailure) -> PolicyFlow { .jump(count) }
}
