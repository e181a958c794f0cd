import ResourceModel

/// `trace`: a word of its author's in the request's trace.
struct TracePolicy: PolicyStep {
    enum Severity: String, CaseIterable, Sendable {
        case verbose, information, error
    }

    static let definition = PolicyDefinition("trace") { element, compiler, steps throws(PolicyDiagnostic) in
        try compiler.only(element, attributes: ["source", "severity"], children: ["message", "metadata"])
        let source = try compiler.needLiteral(element, "source")
        let severity = try compiler.choice(element, "severity", default: Severity.verbose)
        var message: CompiledValue?
        var metadata: [(name: String, value: CompiledValue)] = []
        for child in element.children {
            if child.name == "message" {
                guard message == nil else {
                    throw compiler.problem("<message> may stand once in <trace>.", at: child.offset)
                }
                try compiler.only(child, attributes: [], text: true)
                message = try child.text.map { text throws(PolicyDiagnostic) in try compiler.value(text) }
            } else {
                try compiler.only(child, attributes: ["name", "value"])
                metadata.append(
                    (try compiler.needLiteral(child, "name"), try compiler.needValue(child, "value"))
                )
            }
        }
        guard let message else { throw compiler.problem("<trace> needs a <message>.", at: element.offset) }
        steps.add(TracePolicy(source: source, severity: severity, message: message, metadata: metadata))
    }

    let source: String
    let severity: Severity
    let message: CompiledValue
    let metadata: [(name: String, value: CompiledValue)]

    func run(_ call: PolicyCall) throws(PolicyFailure) -> PolicyFlow {
        // Nobody looks: nothing is computed.
        guard let trace = call.trace else { return .next }
        var data: JSONObject = [
            "message": trace.shown(try message.text(call)), "severity": .string(severity.rawValue),
        ]
        for item in metadata { data[item.name] = trace.shown(try item.value.text(call)) }
        trace.add(call.currentSection, source, .object(data))
        return .next
    }
}
