/// `set-method`: another verb for the backend.
struct SetMethodPolicy: PolicyStep {
    static let definition = PolicyDefinition("set-method", sections: [.inbound, .backend]) {
        element,
        compiler,
        steps throws(PolicyDiagnostic) in
        try compiler.only(element, attributes: [], text: true)
        guard let text = element.text else { throw compiler.problem("<set-method> needs a verb.", at: element.offset) }
        let method = try compiler.value(text)
        if let word = method.constantText, !FieldText.isName(word.trimmingBlanks) {
            throw compiler.problem("The text is not an HTTP verb.", at: text.offset)
        }
        steps.add(SetMethodPolicy(method: method))
    }

    let method: CompiledValue

    func run(_ call: PolicyCall) throws(PolicyFailure) -> PolicyFlow {
        let word = try method.text(call).trimmingBlanks
        guard FieldText.isName(word), word.utf8.count <= 32 else { throw .evaluation("The text is not an HTTP verb.") }
        call.request.method = word
        return .next
    }
}
