/// A number of calls in a time, for all calls of a document, for one API, or for one operation of it.
final class CallLimit: Sendable {
    static let callsMax = 1_000_000_000

    /// An API or operation that a limit is for: its id counts where both are given.
    private struct Target: Sendable {
        let id: String?
        let name: String?

        init(_ element: PolicyElement, _ compiler: PolicyCompiler) throws(PolicyDiagnostic) {
            id = try compiler.literal(element, "id")?.lowercased()
            name = try compiler.literal(element, "name")
            guard id != nil || name != nil else { throw compiler.missing("id\" or \"name", element) }
        }

        func matches(id: String, name: String) -> Bool { self.id.map { $0 == id.lowercased() } ?? (self.name == name) }
    }

    /// Names what counts: the same however often the document is compiled.
    let counter: String
    let hash: Int
    /// 0 where only bytes are limited.
    let calls: Int
    let callsText: String
    /// Kilobytes of requests and answers; 0 where only calls are limited.
    let bandwidth: Int
    /// Seconds.
    let period: Int
    private let api: Target?
    private let operation: Target?

    private init(
        _ element: PolicyElement,
        _ compiler: PolicyCompiler,
        _ counter: String,
        _ periods: ClosedRange<Int>,
        api: Target?,
        operation: Target?
    ) throws(PolicyDiagnostic) {
        self.counter = counter
        hash = WindowHash.of(counter)
        let kilobytes = try compiler.number(element, "bandwidth", 1...CallLimit.callsMax)
        bandwidth = kilobytes ?? 0
        calls =
            kilobytes == nil
            ? try compiler.needNumber(element, "calls", 1...CallLimit.callsMax)
            : try compiler.number(element, "calls", 1...CallLimit.callsMax) ?? 0
        callsText = String(calls)
        period = try compiler.needNumber(element, "renewal-period", periods)
        self.api = api
        self.operation = operation
    }

    /// The limits of an element and of the `api` and `operation` elements in it: all of them hold side by side.
    ///
    /// - Parameters:
    ///   - attributes: that the element has beside its numbers.
    ///   - path: of the policy in its document.
    static func all(
        _ element: PolicyElement,
        _ compiler: PolicyCompiler,
        attributes: Set<String>,
        periods: ClosedRange<Int>,
        path: String
    ) throws(PolicyDiagnostic) -> [CallLimit] {
        let numbers = attributes.intersection(["bandwidth"]).union(["calls", "renewal-period"])
        try compiler.only(element, attributes: attributes.union(numbers), children: ["api"])
        var limits: [CallLimit] = []
        var counter: String { "\(compiler.owner) \(path) \(limits.count)" }
        limits.append(try CallLimit(element, compiler, counter, periods, api: nil, operation: nil))
        for api in element.children {
            try compiler.only(api, attributes: numbers.union(["name", "id"]), children: ["operation"])
            let target = try Target(api, compiler)
            limits.append(try CallLimit(api, compiler, counter, periods, api: target, operation: nil))
            for operation in api.children {
                try compiler.only(operation, attributes: numbers.union(["name", "id"]))
                let inner = try Target(operation, compiler)
                limits.append(try CallLimit(operation, compiler, counter, periods, api: target, operation: inner))
            }
        }
        return limits
    }

    func applies(_ facts: PolicyFacts) -> Bool {
        if let api, !api.matches(id: facts.api.id, name: facts.api.name) { return false }
        guard let operation else { return true }
        return facts.operation.map { operation.matches(id: $0.id, name: $0.name) } ?? false
    }
}
