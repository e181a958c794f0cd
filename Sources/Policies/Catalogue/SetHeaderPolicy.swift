/// `set-header`: sets, adds to, or takes out a field of the request or, later, of the response.
struct SetHeaderPolicy: PolicyStep {
    static let definition = PolicyDefinition("set-header") { element, compiler, steps throws(PolicyDiagnostic) in
        steps.add(try SetHeaderPolicy(element, &compiler))
    }

    enum ExistsAction: String, CaseIterable, Sendable {
        case override, skip, append, delete
    }

    /// Fields whose values stand in lines of their own; those of others are joined by commas.
    private static let separate: Set<String> = [
        "user-agent", "www-authenticate", "proxy-authenticate", "cookie", "set-cookie", "warning", "date", "expires",
        "if-modified-since", "if-unmodified-since", "last-modified", "retry-after",
    ]
    /// Fields that frame the message or belong to the connection: the gateway's own.
    private static let reserved: Set<String> = ["content-length", "transfer-encoding", "connection", "keep-alive"]

    private let name: CompiledValue
    private let action: ExistsAction
    private let values: [CompiledValue]
    private let isResponse: Bool

    init(_ element: PolicyElement, _ compiler: inout PolicyCompiler, isResponse: Bool? = nil) throws(PolicyDiagnostic) {
        try compiler.only(element, attributes: ["name", "exists-action"], children: ["value"])
        name = try compiler.needValue(element, "name")
        action = try compiler.choice(element, "exists-action", default: .override)
        let written = try compiler.values(element)
        // People leave values in what deletes: they mean nothing, and nobody computes them.
        let values = action == .delete ? [] : written
        self.values = values
        self.isResponse = isResponse ?? (compiler.section == .outbound || compiler.section == .onError)
        if let text = name.constantText { try check(text, element, compiler) }
        guard action == .delete || !values.isEmpty else {
            throw compiler.problem("<set-header> needs a <value>.", at: element.offset)
        }
        for (value, child) in zip(values, element.children) {
            if let text = value.constantText, !FieldText.isValue(text.trimmingBlanks) {
                throw compiler.problem("The value cannot stand in a header.", at: child.offset)
            }
        }
    }

    private func check(_ text: String, _ element: PolicyElement, _ compiler: PolicyCompiler) throws(PolicyDiagnostic) {
        let offset = compiler.attribute(element, "name")?.offset ?? element.offset
        guard FieldText.isName(text) else { throw compiler.problem("The name is not one of a header.", at: offset) }
        guard !SetHeaderPolicy.reserved.contains(text.lowercased()) else {
            throw compiler.problem("This header is set by the gateway itself.", at: offset)
        }
    }

    func run(_ call: PolicyCall) throws(PolicyFailure) -> PolicyFlow {
        if isResponse {
            guard var response = call.response else { return .next }
            let before = response
            try apply(&response.headers, call) { before.values($0) }
            call.response = response
        } else {
            // Worked on apart: the values' expressions read the request meanwhile.
            let before = call.request
            var headers = before.headers
            try apply(&headers, call) { before.values($0) }
            call.request.headers = headers
        }
        return .next
    }

    func apply(
        _ edits: inout HeaderEdits,
        _ call: PolicyCall,
        before: (String) -> [String]
    ) throws(PolicyFailure) {
        let name = try name.text(call)
        guard FieldText.isName(name), !SetHeaderPolicy.reserved.contains(name.lowercased()) else {
            throw .evaluation("The name is not one of a header that may be set.")
        }
        var given: [String] = []
        for value in values { given.append(try value.fieldText(call)) }
        switch action {
        case .delete: edits.set(name, [])
        case .override: edits.set(name, joined(name, given))
        case .skip:
            if before(name).isEmpty { edits.set(name, joined(name, given)) }
        case .append: edits.set(name, joined(name, before(name) + given))
        }
    }

    private func joined(_ name: String, _ values: [String]) -> [String] {
        SetHeaderPolicy.separate.contains(name.lowercased()) ? values : [values.joined(separator: ",")]
    }
}
