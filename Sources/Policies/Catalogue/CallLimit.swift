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

    /// What an element says itself; nil where it leaves it out.
    private struct Numbers {
        let calls: Int?
        let bandwidth: Int?
        let period: Int?

        init(
            _ element: PolicyElement,
            _ compiler: PolicyCompiler,
            _ periods: ClosedRange<Int>
        ) throws(PolicyDiagnostic) {
            calls = try compiler.number(element, "calls", 1...CallLimit.callsMax)
            bandwidth = try compiler.number(element, "bandwidth", 1...CallLimit.callsMax)
            period = try compiler.number(element, "renewal-period", periods)
        }

        private init(calls: Int?, bandwidth: Int?, period: Int?) {
            self.calls = calls
            self.bandwidth = bandwidth
            self.period = period
        }

        /// What counts for an element inside another: what it leaves out is the outer one's.
        ///
        /// One that says how many calls or bytes says nothing of the others, which the outer one counts anyway.
        func within(_ outer: Numbers) -> Numbers {
            let isCounted = calls != nil || bandwidth != nil
            return Numbers(
                calls: isCounted ? calls : outer.calls,
                bandwidth: isCounted ? bandwidth : outer.bandwidth,
                period: period ?? outer.period
            )
        }

        /// Whether an element that leaves everything out counts nothing that the outer one does not count.
        var isEmpty: Bool { calls == nil && bandwidth == nil && period == nil }
    }

    private init(
        _ numbers: Numbers,
        _ element: PolicyElement,
        _ compiler: PolicyCompiler,
        _ counter: String,
        api: Target?,
        operation: Target?
    ) throws(PolicyDiagnostic) {
        guard numbers.calls != nil || numbers.bandwidth != nil else { throw compiler.missing("calls", element) }
        guard let period = numbers.period else { throw compiler.missing("renewal-period", element) }
        self.counter = counter
        hash = WindowHash.of(counter)
        bandwidth = numbers.bandwidth ?? 0
        calls = numbers.calls ?? 0
        callsText = String(calls)
        self.period = period
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
        let names = attributes.intersection(["bandwidth"]).union(["calls", "renewal-period"])
        try compiler.only(element, attributes: attributes.union(names), children: ["api"])
        var limits: [CallLimit] = []
        // Elements are counted, not limits: a counter keeps its name where one of them begins or ceases to have numbers of its own.
        var count = 0
        func add(
            _ element: PolicyElement,
            _ own: Numbers,
            within outer: Numbers?,
            api: Target?,
            operation: Target?
        ) throws(PolicyDiagnostic) -> Numbers {
            let counter = "\(compiler.owner) \(path) \(count)"
            count += 1
            let numbers = outer.map { own.within($0) } ?? own
            if outer != nil, own.isEmpty { return numbers }
            // The outermost one may leave all counting to those inside it.
            if outer == nil, !element.children.isEmpty, own.calls == nil, own.bandwidth == nil { return numbers }
            limits.append(
                try CallLimit(numbers, element, compiler, counter, api: api, operation: operation)
            )
            return numbers
        }
        let own = try Numbers(element, compiler, periods)
        let outer = try add(element, own, within: nil, api: nil, operation: nil)
        for api in element.children {
            try compiler.only(api, attributes: names.union(["name", "id"]), children: ["operation"])
            let target = try Target(api, compiler)
            let ofAPI = try add(
                api,
                try Numbers(api, compiler, periods),
                within: outer,
                api: target,
                operation: nil
            )
            for operation in api.children {
                try compiler.only(operation, attributes: names.union(["name", "id"]))
                _ = try add(
                    operation,
                    try Numbers(operation, compiler, periods),
                    within: ofAPI,
                    api: target,
                    operation: try Target(operation, compiler)
                )
            }
        }
        guard !limits.isEmpty else { throw compiler.missing("calls", element) }
        return limits
    }

    func applies(_ facts: PolicyFacts) -> Bool {
        if let api, !api.matches(id: facts.api.id, name: facts.api.name) { return false }
        guard let operation else { return true }
        return facts.operation.map { operation.matches(id: $0.id, name: $0.name) } ?? false
    }
}
