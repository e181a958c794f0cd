/// `check-header`: refuses calls without a field, or with another value than these.
struct CheckHeaderPolicy: PolicyStep {
    static let definition = PolicyDefinition("check-header", sections: [.inbound]) {
        element,
        compiler,
        steps throws(PolicyDiagnostic) in
        try compiler.only(
            element,
            attributes: ["name", "failed-check-httpcode", "failed-check-error-message", "ignore-case"],
            children: ["value"]
        )
        let code = try compiler.needValue(element, "failed-check-httpcode")
        if code.constantText != nil { _ = try compiler.needNumber(element, "failed-check-httpcode", 200...999) }
        var values: [CompiledValue] = []
        for child in element.children {
            try compiler.only(child, attributes: [], text: true)
            guard let text = child.text else { throw compiler.problem("<value> needs a text.", at: child.offset) }
            values.append(try compiler.value(text))
        }
        guard compiler.attribute(element, "ignore-case") != nil else { throw compiler.missing("ignore-case", element) }
        steps.add(
            CheckHeaderPolicy(
                name: try compiler.needValue(element, "name"),
                code: code,
                message: try compiler.needValue(element, "failed-check-error-message"),
                ignoresCase: try compiler.condition(element, "ignore-case"),
                values: values
            )
        )
    }

    let name: CompiledValue
    let code: CompiledValue
    let message: CompiledValue
    let ignoresCase: CompiledValue
    let values: [CompiledValue]

    func run(_ call: PolicyCall) throws(PolicyFailure) -> PolicyFlow {
        let name = try name.text(call)
        let found = call.request.values(name)
        guard !found.isEmpty else {
            throw try refusal(call, "HeaderNotFound", "Header \(name) was not found in the request.")
        }
        guard !values.isEmpty else { return .next }
        let ignoresCase = try ignoresCase.bool(call)
        let given = found.joined(separator: ",")
        for value in values {
            let allowed = try value.text(call).trimmingBlanks
            if ignoresCase ? allowed.lowercased() == given.lowercased() : allowed == given { return .next }
        }
        throw try refusal(call, "HeaderValueNotAllowed", "Header \(name) value is not allowed.")
    }

    private func refusal(
        _ call: PolicyCall,
        _ reason: String,
        _ detail: String
    ) throws(PolicyFailure) -> PolicyFailure {
        let status = try code.int(call)
        guard (200...999).contains(status) else { throw .evaluation("The status must be from 200 to 999.") }
        return PolicyFailure(status: status, message: try message.text(call), reason: reason, detail: detail)
    }
}
