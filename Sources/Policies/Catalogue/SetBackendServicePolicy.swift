/// `set-backend-service`: another place for the call to go.
struct SetBackendServicePolicy: PolicyStep {
    static let definition = PolicyDefinition("set-backend-service", sections: [.inbound, .backend]) {
        element,
        compiler,
        steps throws(PolicyDiagnostic) in
        if let attribute = compiler.attribute(element, "backend-id") {
            throw compiler.problem("\"backend-id\" is not supported yet.", at: attribute.offset)
        }
        try compiler.only(element, attributes: ["base-url"])
        steps.add(SetBackendServicePolicy(url: try compiler.needValue(element, "base-url")))
    }

    let url: CompiledValue

    func run(_ call: PolicyCall) throws(PolicyFailure) -> PolicyFlow {
        call.request.backendURL = try url.text(call)
        return .next
    }
}
