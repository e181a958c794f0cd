import Expressions

/// `set-variable`: keeps a value for later expressions of the same call.
struct SetVariablePolicy: PolicyStep {
    /// Variables of one call, and bytes of a text in one.
    private static let countMax = 1000
    private static let bytesMax = 1 << 20

    static let definition = PolicyDefinition("set-variable") { element, compiler, steps throws(PolicyDiagnostic) in
        try compiler.only(element, attributes: ["name", "value"])
        if let attribute = compiler.attribute(element, "value"), attribute.value.kind == .expression,
            ExpressionProgram.isResponse(attribute.value.text)
        {
            steps.add(KeepResponsePolicy(name: try compiler.needLiteral(element, "name")))
            return
        }
        guard let value = try compiler.value(element, "value") else { throw compiler.missing("value", element) }
        steps.add(SetVariablePolicy(name: try compiler.needLiteral(element, "name"), value: value))
    }

    let name: String
    let value: CompiledValue

    func run(_ call: PolicyCall) throws(PolicyFailure) -> PolicyFlow {
        let found = try value.value(call)
        guard found.text.utf8.count <= SetVariablePolicy.bytesMax, call.variables.count < SetVariablePolicy.countMax
        else {
            throw .evaluation("The variables of the call are too large.")
        }
        call.variables[name] = found
        call.responses[name] = nil
        return .next
    }
}

/// `set-variable` with `context.Response`: keeps the answer as it is now, for `return-response`.
struct KeepResponsePolicy: PolicyStep {
    /// Kept answers of one call: each may hold a body.
    private static let countMax = 10

    let name: String

    func run(_ call: PolicyCall) throws(PolicyFailure) -> PolicyFlow {
        guard call.responses[name] != nil || call.responses.count < KeepResponsePolicy.countMax else {
            throw .evaluation("The call keeps more than \(KeepResponsePolicy.countMax) responses.")
        }
        call.responses[name] = call.response
        // The variable is there, and is no text or number.
        call.variables[name] = .null
        return .next
    }
}
