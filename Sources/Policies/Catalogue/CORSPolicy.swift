/// `cors`: what browsers may ask for from other origins (contracts/api-management.md 2.5).
struct CORSPolicy: PolicyStep {
    static let definition = PolicyDefinition("cors", sections: [.inbound], isSingle: true) {
        element,
        compiler,
        steps throws(PolicyDiagnostic) in
        steps.add(try CORSPolicy(element, compiler))
    }

    /// Either all, or those of a list.
    private enum Allowed: Sendable {
        case all
        case some([CompiledValue])
    }

    private let origins: Allowed
    private let methods: Allowed
    private let headers: Allowed
    private let exposed: Allowed?
    private let maxAge: CompiledValue?
    private let allowsCredentials: Bool
    private let terminatesUnmatched: Bool

    init(_ element: PolicyElement, _ compiler: PolicyCompiler) throws(PolicyDiagnostic) {
        try compiler.only(
            element,
            attributes: ["allow-credentials", "terminate-unmatched-request"],
            children: ["allowed-origins", "allowed-methods", "allowed-headers", "expose-headers"]
        )
        func list(_ name: String, of item: String, _ attributes: Set<String> = []) throws(PolicyDiagnostic) -> Allowed?
        {
            let found = element.children.filter { $0.name == name }
            guard let child = found.first else { return nil }
            guard found.count == 1 else { throw compiler.problem("<\(name)> stands twice.", at: found[1].offset) }
            try compiler.only(child, attributes: attributes, children: [item])
            var values: [CompiledValue] = []
            for one in child.children {
                try compiler.only(one, attributes: [], text: true)
                guard let text = one.text else { throw compiler.problem("<\(item)> needs a text.", at: one.offset) }
                values.append(try compiler.value(text))
            }
            guard !values.isEmpty else { throw compiler.problem("<\(name)> needs a <\(item)>.", at: child.offset) }
            return values.contains { $0.constantText?.trimmingBlanks == "*" } ? .all : .some(values)
        }
        guard let origins = try list("allowed-origins", of: "origin") else {
            throw compiler.problem("<cors> needs <allowed-origins>.", at: element.offset)
        }
        self.origins = origins
        methods =
            try list("allowed-methods", of: "method", ["preflight-result-max-age"])
            ?? .some([.constant("GET"), .constant("POST")])
        headers = try list("allowed-headers", of: "header") ?? .some([])
        exposed = try list("expose-headers", of: "header")
        allowsCredentials = try compiler.flag(element, "allow-credentials", default: false)
        terminatesUnmatched = try compiler.flag(element, "terminate-unmatched-request", default: true)
        maxAge = try element.children.first { $0.name == "allowed-methods" }
            .flatMap { child throws(PolicyDiagnostic) in try compiler.value(child, "preflight-result-max-age") }
    }

    private static let allowOrigin = FieldName("Access-Control-Allow-Origin")
    private static let allowCredentials = FieldName("Access-Control-Allow-Credentials")
    private static let exposeHeaders = FieldName("Access-Control-Expose-Headers")

    // MARK: - Calls

    func run(_ call: PolicyCall) throws(PolicyFailure) -> PolicyFlow {
        guard let origin = self.origin(call) else { return .next }
        guard try matches(origins, origin, call) else {
            guard terminatesUnmatched else { return .next }
            call.response = PolicyResponse(status: 200)
            return .finish
        }
        for field in try originFields(origin) { call.answerFields.set(field.name, to: field.value) }
        if let exposed {
            let text = try self.text(exposed, call) ?? "*"
            call.answerFields.set(CORSPolicy.exposeHeaders, to: text)
        }
        return .next
    }

    /// Answers the question that a browser asks before a call.
    ///
    /// - Returns: nil where a wider scope's policy may answer.
    func preflight(_ call: PolicyCall) throws(PolicyFailure) -> PolicyResponse? {
        var response = PolicyResponse(status: 200)
        let origin = self.origin(call) ?? ""
        let method = call.request.values("access-control-request-method").joined(separator: ",")
        let asked = call.request.values("access-control-request-headers").joined(separator: ",")
        let names = asked.split(separator: ",").map { String($0).trimmingBlanks }
        var isAllowed = try matches(origins, origin, call)
        if isAllowed { isAllowed = try matches(methods, method, call) }
        for name in names where isAllowed { isAllowed = try matches(headers, name, call) }
        guard isAllowed else { return terminatesUnmatched ? response : nil }
        for field in try originFields(origin) { response.headers.set(field.name, [field.value]) }
        response.headers.set("Access-Control-Allow-Methods", [try text(methods, call) ?? method])
        if !names.isEmpty { response.headers.set("Access-Control-Allow-Headers", [try text(headers, call) ?? asked]) }
        if let maxAge { response.headers.set("Access-Control-Max-Age", [try maxAge.fieldText(call)]) }
        return response
    }

    /// Several lines are read as the list that they make, which is no origin.
    private func origin(_ call: PolicyCall) -> String? {
        let lines = call.request.values("origin")
        return lines.isEmpty ? nil : lines.joined(separator: ",")
    }

    private func originFields(_ origin: String) throws(PolicyFailure) -> [(name: FieldName, value: String)] {
        guard FieldText.isValue(origin) else { throw .evaluation("The origin cannot stand in a header.") }
        // Browsers take no star together with credentials.
        if case .all = origins, !allowsCredentials { return [(CORSPolicy.allowOrigin, "*")] }
        let fields = [(CORSPolicy.allowOrigin, origin), (FieldName.vary, "Origin")]
        return allowsCredentials ? fields + [(CORSPolicy.allowCredentials, "true")] : fields
    }

    private func matches(_ allowed: Allowed, _ word: String, _ call: PolicyCall) throws(PolicyFailure) -> Bool {
        guard case .some(let values) = allowed else { return true }
        for value in values where try value.text(call).trimmingBlanks.lowercased() == word.lowercased() { return true }
        return false
    }

    /// The list as a field says it; nil where all is allowed.
    private func text(_ allowed: Allowed, _ call: PolicyCall) throws(PolicyFailure) -> String? {
        guard case .some(let values) = allowed else { return nil }
        var words: [String] = []
        for value in values { words.append(try value.fieldText(call)) }
        return words.joined(separator: ",")
    }
}
