/// `set-status`: the status of the response.
struct SetStatusPolicy: PolicyStep {
    static let definition = PolicyDefinition("set-status", sections: [.backend, .outbound, .onError]) {
        element,
        compiler,
        steps throws(PolicyDiagnostic) in
        steps.add(try SetStatusPolicy(element, compiler))
    }

    private let code: CompiledValue
    private let reason: CompiledValue?

    init(_ element: PolicyElement, _ compiler: PolicyCompiler) throws(PolicyDiagnostic) {
        try compiler.only(element, attributes: ["code", "reason"])
        code = try compiler.needValue(element, "code")
        if code.constantText != nil { _ = try compiler.needNumber(element, "code", 200...999) }
        reason = try compiler.value(element, "reason")
        if let text = reason?.constantText, !FieldText.isValue(text) {
            throw compiler.problem("The reason cannot stand in a status line.", at: element.offset)
        }
    }

    func run(_ call: PolicyCall) throws(PolicyFailure) -> PolicyFlow {
        if var response = call.response {
            try apply(&response, call)
            call.response = response
        }
        return .next
    }

    func apply(_ response: inout PolicyResponse, _ call: PolicyCall) throws(PolicyFailure) {
        let status = try code.int(call)
        guard (200...999).contains(status) else { throw .evaluation("The status must be from 200 to 999.") }
        response.reason = try reason.map { reason throws(PolicyFailure) in try reason.fieldText(call) }
        response.status = status
    }
}
