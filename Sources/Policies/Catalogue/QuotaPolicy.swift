/// `quota`: so many calls of a subscription in a fixed period from its start, or in its whole life.
struct QuotaPolicy: PolicyStep {
    static let definition = PolicyDefinition(
        "quota",
        sections: [.inbound],
        scopes: [.product],
        isSingle: true
    ) { element, compiler, steps throws(PolicyDiagnostic) in
        try QuotaAnswer.refuseBandwidth(element, compiler)
        let limits = try CallLimit.all(
            element,
            compiler,
            attributes: [],
            periods: 0...QuotaAnswer.periodMax,
            path: steps.path
        )
        for limit in limits { steps.add(QuotaPolicy(limit: limit)) }
    }

    let limit: CallLimit

    func run(_ call: PolicyCall) throws(PolicyFailure) -> PolicyFlow {
        // Counted by subscription: a call without one has nobody to count for.
        guard limit.applies(call.facts), let subscription = call.facts.subscription else { return .next }
        let window = QuotaWindow(
            counter: limit.counter,
            subject: subscription.id,
            calls: limit.calls,
            period: limit.period,
            firstPeriod: subscription.startSeconds
        )
        return try QuotaAnswer.flow(call.effects.take(window, increment: 1, call))
    }
}

/// What callers are told of a quota, by both of its policies.
enum QuotaAnswer {
    /// Seconds of a period at most: a hundred years.
    static let periodMax = 3_155_760_000

    static func refuseBandwidth(_ element: PolicyElement, _ compiler: PolicyCompiler) throws(PolicyDiagnostic) {
        for child in [element] + element.children + element.children.flatMap(\.children) {
            guard let attribute = compiler.attribute(child, "bandwidth") else { continue }
            throw compiler.problem("\"bandwidth\" is not supported yet.", at: attribute.offset)
        }
    }

    static func flow(_ verdict: QuotaVerdict) throws(PolicyFailure) -> PolicyFlow {
        switch verdict {
        case .allowed: return .next
        case .pending: return .wait
        case .unavailable: throw .inside("QuotaUnavailable", "The quota's counter could not be read or written.")
        case .refused(let seconds?):
            throw PolicyFailure(
                status: 403,
                message: "Out of call volume quota. Quota will be replenished in \(span(seconds)).",
                reason: "QuotaExceeded",
                fields: [("Retry-After", String(seconds))]
            )
        case .refused(nil):
            throw PolicyFailure(status: 403, message: "Out of call volume quota.", reason: "QuotaExceeded")
        }
    }

    /// As .NET writes a time span: days only where there are some.
    static func span(_ seconds: Int64) -> String {
        func two(_ value: Int64) -> String { value < 10 ? "0\(value)" : "\(value)" }
        let clock = "\(two(seconds / 3600 % 24)):\(two(seconds / 60 % 60)):\(two(seconds % 60))"
        return seconds < 86_400 ? clock : "\(seconds / 86_400).\(clock)"
    }
}
