/// `mock-response`: answers with what the operation's description says of its answers.
struct MockResponsePolicy: PolicyStep {
    static let definition = PolicyDefinition("mock-response", sections: [.inbound, .outbound, .onError]) {
        element,
        compiler,
        steps throws(PolicyDiagnostic) in
        try compiler.only(element, attributes: ["status-code", "content-type"])
        let contentType = try compiler.literal(element, "content-type")
        if let contentType, !FieldText.isValue(contentType) {
            throw compiler.problem(
                "\"content-type\" cannot stand in a header.",
                at: compiler.attribute(element, "content-type")?.offset ?? element.offset
            )
        }
        steps.add(
            MockResponsePolicy(
                status: try compiler.number(element, "status-code", 200...999) ?? 200,
                contentType: contentType
            )
        )
    }

    let status: Int
    let contentType: String?

    func run(_ call: PolicyCall) throws(PolicyFailure) -> PolicyFlow {
        let samples = call.facts.operation?.samples.filter { $0.status == status } ?? []
        let found =
            contentType.map { wanted in
                samples.first { MockResponsePolicy.bare($0.contentType) == MockResponsePolicy.bare(wanted) }
            } ?? samples.first
        var response = PolicyResponse(status: status)
        if let type = found?.contentType ?? contentType { response.headers.set("Content-Type", [type]) }
        if let body = found?.body { response.body = .bytes(Array(body.utf8)) }
        call.response = response
        return .finish
    }

    /// Without parameters, in lower case.
    private static func bare(_ type: String) -> String {
        String(type.lowercased().prefix { $0 != ";" }).trimmingBlanks
    }
}
