/// `set-body`: a body in the place of the request's or the response's; templates are refused.
struct SetBodyPolicy: PolicyStep {
    static let definition = PolicyDefinition("set-body", sections: [.inbound, .backend, .outbound, .onError]) {
        element,
        compiler,
        steps throws(PolicyDiagnostic) in
        steps.add(
            SetBodyPolicy(
                body: try SetBodyPolicy.body(element, compiler),
                isResponse: compiler.section == .outbound || compiler.section == .onError
            )
        )
    }

    let body: CompiledValue
    let isResponse: Bool

    static func body(_ element: PolicyElement, _ compiler: PolicyCompiler) throws(PolicyDiagnostic) -> CompiledValue {
        for name in ["template", "xsi-nil", "parse-date"] {
            if let attribute = compiler.attribute(element, name) {
                throw compiler.problem("Bodies by template are not supported yet.", at: attribute.offset)
            }
        }
        // Any element may stand inside: the body is a document of its own.
        try compiler.only(element, attributes: [], children: Set(element.children.map(\.name)), text: true)
        guard element.children.isEmpty else { return .constant(element.inner.trimmingBlanks) }
        guard let text = element.text else { return .constant("") }
        return try compiler.value(text)
    }

    func run(_ call: PolicyCall) throws(PolicyFailure) -> PolicyFlow {
        let bytes = Array(try body.text(call).utf8)
        if isResponse { call.response?.body = .bytes(bytes) } else { call.request.body = .replaced(bytes) }
        return .next
    }
}
