/// `return-response`: ends the call with an answer of its own.
struct ReturnResponsePolicy: PolicyStep {
    static let definition = PolicyDefinition("return-response") { element, compiler, steps throws(PolicyDiagnostic) in
        if let attribute = compiler.attribute(element, "response-variable-name") {
            throw compiler.problem("\"response-variable-name\" is not supported yet.", at: attribute.offset)
        }
        try compiler.only(element, attributes: [], children: ["set-status", "set-header", "set-body"])
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
        steps.add(ReturnResponsePolicy(status: status, headers: headers, body: body))
    }

    let status: SetStatusPolicy?
    let headers: [SetHeaderPolicy]
    let body: CompiledValue?

    func run(_ call: PolicyCall) throws(PolicyFailure) -> PolicyFlow {
        var response = PolicyResponse(status: 200)
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
