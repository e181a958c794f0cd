/// `rewrite-uri`: another path below the backend's address.
struct RewriteURIPolicy: PolicyStep {
    static let definition = PolicyDefinition("rewrite-uri", sections: [.inbound]) {
        element,
        compiler,
        steps throws(PolicyDiagnostic) in
        try compiler.only(element, attributes: ["template", "copy-unmatched-params"])
        steps.add(
            RewriteURIPolicy(
                template: try compiler.needValue(element, "template"),
                copiesUnmatched: try compiler.flag(element, "copy-unmatched-params", default: true)
            )
        )
    }

    let template: CompiledValue
    let copiesUnmatched: Bool

    func run(_ call: PolicyCall) throws(PolicyFailure) -> PolicyFlow {
        let text = try filled(try template.text(call), call.request.source.matchedParameters)
        guard text.utf8.allSatisfy({ $0 > 0x20 && $0 != 0x7F && $0 != 0x23 }) else {
            throw .evaluation("The rewritten address holds a character that an address cannot hold.")
        }
        let halves = text.split(separator: "?", maxSplits: 1, omittingEmptySubsequences: false)
        var path = halves[0].hasPrefix("/") ? String(halves[0]) : "/" + halves[0]
        // A parameter of the caller's must not lead out of the address that the policy names.
        guard !path.withUTF8({ PercentText.hasDotSegments(UnsafeRawBufferPointer($0)) }) else {
            throw .evaluation("The rewritten address holds a segment of dots.")
        }
        call.request.path = path
        var query = halves.count > 1 ? [String(halves[1])] : []
        if copiesUnmatched {
            // What the operation's own template did not name is appended as it came.
            let named = call.request.source.templateQueryNames
            query += QueryList(call.request.currentQuery).items
                .filter { !named.contains($0.name.lowercased()) }.map(\.text)
        }
        call.request.query = query.filter { !$0.isEmpty }.joined(separator: "&")
        return .next
    }

    /// The template with its parameters put in, encoded.
    private func filled(
        _ template: String,
        _ parameters: [(name: String, value: String)]
    ) throws(PolicyFailure) -> String {
        var result = ""
        var rest = template[...]
        while let open = rest.firstIndex(of: "{") {
            result += rest[..<open]
            guard let close = rest[open...].firstIndex(of: "}") else {
                throw .evaluation("A \"{\" of the template is not closed.")
            }
            var name = rest[rest.index(after: open)..<close]
            let isWildcard = name.hasPrefix("*")
            if isWildcard { name = name.dropFirst() }
            guard let found = parameters.first(where: { $0.name.lowercased() == name.lowercased() }) else {
                throw .evaluation("The operation has no parameter \"\(name.prefix(80))\".")
            }
            result +=
                isWildcard
                ? found.value.split(separator: "/", omittingEmptySubsequences: false)
                    .map { PercentText.encoded(String($0)) }.joined(separator: "/")
                : PercentText.encoded(found.value)
            rest = rest[rest.index(after: close)...]
        }
        return result + rest
    }
}
