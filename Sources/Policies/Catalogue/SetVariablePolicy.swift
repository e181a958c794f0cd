import Expressions

/// `set-variable`: keeps a value for later expressions of the same call.
struct SetVariablePolicy: PolicyStep {
    /// Variables of one call, and bytes of a text in one.
    private static let countMax = 1000
    private static let bytesMax = 1 << 20

    static let definition = PolicyDefinition("set-variable") { element, compiler, steps throws(PolicyDiagnostic) in
        try compiler.only(element, attributes: ["name", "value"])
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
        return .next
    }
}
