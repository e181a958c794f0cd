/// `return-response`: ends the call with an answer of its own.
struct ReturnResponsePolicy: PolicyStep {
    static let definition = PolicyDefinition("return-response") { element, compiler, steps throws(PolicyDiagnostic) in
        try compiler.only(
            element,
            attributes: ["response-variable-name"],
            children: ["set-status", "set-header", "set-body"]
        )
        var status: SetStatusPolicy?
        var headers: [SetHeaderPolicy] = []
        var body: CompiledValue?
        for child in element.children {
            switch child.name {
            case "set-status": status = try SetStatusPolicy(child, compiler)
            case "set-header": headers.append(try SetHeaderPolicy(child, &compiler, isResponse: true))
            default: body = try SetBodyPolicy.body(child, compiler)
            }
        }
        steps.add(
            ReturnResponsePolicy(
                variable: compiler.attribute(element, "response-variable-name") == nil
                    ? nil : try compiler.needLiteral(element, "response-variable-name"),
                status: status,
                headers: headers,
                body: body
            )
        )
    }

    /// That holds the answer which the rest is written over; nil for an empty one.
    let variable: String?
    let status: SetStatusPolicy?
    let headers: [SetHeaderPolicy]
    let body: CompiledValue?

    func run(_ call: PolicyCall) throws(PolicyFailure) -> PolicyFlow {
        var response = PolicyResponse(status: 200)
        if let variable {
            guard let kept = call.responses[variable] else {
                throw .evaluation("The variable '\(variable)' holds no response.")
            }
            guard body != nil || call.hasBody(of: kept) else {
                throw .evaluation(
                    "The body of the response in '\(variable)' has passed: another call went to the backend since."
                )
            }
            response = kept
        }
        try status?.apply(&response, call)
        for header in headers {
            let before = response
            try header.apply(&response.headers, call) { before.values($0) }
        }
        if let body { response.body = .bytes(Array(try body.text(call).utf8)) }
        call.response = response
        return .finish
    }
}
