import ResourceModel

/// `set-backend-service`: another place for the call to go.
struct SetBackendServicePolicy: PolicyStep {
    static let definition = PolicyDefinition("set-backend-service", sections: [.inbound, .backend]) {
        element,
        compiler,
        steps throws(PolicyDiagnostic) in
        try compiler.only(element, attributes: ["base-url", "backend-id"])
        let url = try compiler.value(element, "base-url")
        let id = try compiler.value(element, "backend-id")
        guard (url == nil) != (id == nil) else {
            throw compiler.problem("<set-backend-service> needs \"base-url\" or \"backend-id\".", at: element.offset)
        }
        if let text = url?.constantText {
            guard !text.isEmpty else { throw compiler.missing("base-url", element) }
            do throws(BackendURL.Problem) { _ = try BackendURL(text) } catch {
                throw compiler.problem(
                    "\"base-url\" \(error.words).",
                    at: compiler.attribute(element, "base-url")?.offset ?? element.offset
                )
            }
        }
        if let text = id?.constantText {
            guard !text.isEmpty else { throw compiler.missing("backend-id", element) }
            guard compiler.surroundings.hasBackend(text) else {
                throw compiler.problem(
                    "There is no backend of this id.",
                    at: compiler.attribute(element, "backend-id")?.offset ?? element.offset
                )
            }
        }
        steps.add(SetBackendServicePolicy(url: url, id: id))
    }

    let url: CompiledValue?
    let id: CompiledValue?

    func run(_ call: PolicyCall) throws(PolicyFailure) -> PolicyFlow {
        if let id {
            call.request.backendID = try id.text(call)
            call.request.backendURL = nil
        } else if let url, call.request.backendID == nil {
            // A backend that an outer scope chose by its id gives way to another id only (contracts/api-management.md 3.2).
            call.request.backendURL = try url.text(call)
        }
        return .next
    }
}
