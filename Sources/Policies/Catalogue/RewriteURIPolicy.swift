/// `rewrite-uri`: another path below the backend's address.
struct RewriteURIPolicy: PolicyStep {
    static let definition = PolicyDefinition("rewrite-uri", sections: [.inbound]) {
        element,
        compiler,
        steps throws(PolicyDiagnostic) in
        try compiler.only(element, attributes: ["template", "copy-unmatched-params"])
        let value = try compiler.needValue(element, "template")
        let target: Target
        if let text = value.constantText {
            target = .template(try AddressTemplate(text, element, compiler))
        } else {
            target = .expression(value)
        }
        steps.add(
            RewriteURIPolicy(
                target: target,
                copiesUnmatched: try compiler.flag(element, "copy-unmatched-params", default: true)
            )
        )
    }

    private enum Target: Sendable {
        case template(AddressTemplate)
        /// What it returns is a finished path and query, and never a template: it may hold what a caller wrote.
        case expression(CompiledValue)
    }

    private let target: Target
    private let copiesUnmatched: Bool

    func run(_ call: PolicyCall) throws(PolicyFailure) -> PolicyFlow {
        let (text, given) = try address(call)
        var path = text.hasPrefix("/") ? text : "/" + text
        // A parameter of the caller's must not lead out of the address that the policy names.
        guard !path.withUTF8({ PercentText.hasDotSegments(UnsafeRawBufferPointer($0)) }) else {
            throw .evaluation("The rewritten address holds a segment of dots.")
        }
        call.request.path = path
        var query = [given]
        if copiesUnmatched {
            // What the operation's own template did not name is appended as it came.
            let named = call.request.source.templateQueryNames
            query += QueryList(call.request.currentQuery).items
                .filter { !named.contains($0.name.lowercased()) }.map(\.text)
        }
        call.request.query = query.filter { !$0.isEmpty }.joined(separator: "&")
        return .next
    }

    private func address(_ call: PolicyCall) throws(PolicyFailure) -> (path: String, query: String) {
        switch target {
        case .template(let template): return try template.address(call)
        case .expression(let value):
            let halves = AddressTemplate.halves(Array(try value.text(call).utf8))
            return (
                PercentText.finished(halves.path, isQuery: false),
                PercentText.finished(halves.query ?? [], isQuery: true)
            )
        }
    }
}

/// A path and query with the operation's parameters in braces, read once.
struct AddressTemplate: Sendable {
    private enum Piece: Sendable {
        /// As it goes out.
        case text(String)
        /// - Parameter isDeclared: whether the operation declares it for its query, outside its own template.
        case parameter(String, isDeclared: Bool)
    }

    private let path: [Piece]
    private let query: [Piece]

    /// - Throws: `PolicyDiagnostic` where a brace is not closed, or where the document is one operation's and names a parameter that the
    ///   operation does not have.
    init(_ text: String, _ element: PolicyElement, _ compiler: PolicyCompiler) throws(PolicyDiagnostic) {
        let halves = AddressTemplate.halves(Array(text.trimmingBlanks.utf8))
        path = try AddressTemplate.pieces(halves.path, isQuery: false, element, compiler)
        query = try AddressTemplate.pieces(halves.query ?? [], isQuery: true, element, compiler)
    }

    /// What stands before and behind the first question mark.
    static func halves(_ text: [UInt8]) -> (path: ArraySlice<UInt8>, query: ArraySlice<UInt8>?) {
        guard let mark = text.firstIndex(of: 0x3F) else { return (text[...], nil) }
        return (text[..<mark], text[(mark + 1)...])
    }

    private static func pieces(
        _ text: ArraySlice<UInt8>,
        isQuery: Bool,
        _ element: PolicyElement,
        _ compiler: PolicyCompiler
    ) throws(PolicyDiagnostic) -> [Piece] {
        var pieces: [Piece] = []
        var rest = text
        while let open = rest.firstIndex(of: 0x7B) {
            if open > rest.startIndex { pieces.append(.text(PercentText.finished(rest[..<open], isQuery: isQuery))) }
            guard let close = rest[open...].firstIndex(of: 0x7D) else {
                throw problem("A \"{\" of the template is not closed.", element, compiler)
            }
            var name = String(decoding: rest[(open + 1)..<close], as: UTF8.self)
            if name.hasPrefix("*") { name.removeFirst() }
            pieces.append(.parameter(name, isDeclared: try isDeclared(name, element, compiler)))
            rest = rest[(close + 1)...]
        }
        if !rest.isEmpty { pieces.append(.text(PercentText.finished(rest, isQuery: isQuery))) }
        return pieces
    }

    private static func isDeclared(
        _ name: String,
        _ element: PolicyElement,
        _ compiler: PolicyCompiler
    ) throws(PolicyDiagnostic) -> Bool {
        guard compiler.scope == .operation, let operation = compiler.surroundings.operation else { return false }
        let lowercased = name.lowercased()
        if operation.template.contains(lowercased) { return false }
        guard operation.query.contains(lowercased) || !operation.refusesOthers else {
            let word = compiler.isQuotable(element, "template") ? String(name.prefix(80)) : "…"
            throw problem("The operation has no parameter \"\(word)\".", element, compiler)
        }
        return operation.query.contains(lowercased)
    }

    private static func problem(
        _ message: String,
        _ element: PolicyElement,
        _ compiler: PolicyCompiler
    ) -> PolicyDiagnostic {
        compiler.problem(message, at: compiler.attribute(element, "template")?.offset ?? element.offset)
    }

    func address(_ call: PolicyCall) throws(PolicyFailure) -> (path: String, query: String) {
        (try filled(path, isQuery: false, call), try filled(query, isQuery: true, call))
    }

    private func filled(_ pieces: [Piece], isQuery: Bool, _ call: PolicyCall) throws(PolicyFailure) -> String {
        var result = ""
        for piece in pieces {
            switch piece {
            case .text(let text): result += text
            case .parameter(let name, let isDeclared):
                if let value = call.request.source.templateText(name, isQuery: isQuery) {
                    result += value
                } else if isDeclared {
                    result += PercentText.encoded(QueryList(call.request.source.query).values(name).first ?? "")
                } else {
                    throw .evaluation("The operation has no parameter \"\(name.prefix(80))\".")
                }
            }
        }
        return result
    }
}
