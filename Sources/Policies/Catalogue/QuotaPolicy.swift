/// `quota`: so many calls of a subscription in a fixed period from its start, or in its whole life.
struct QuotaPolicy: PolicyStep {
    static let definition = PolicyDefinition(
        "quota",
        sections: [.inbound],
        scopes: [.product],
        isSingle: true
    ) { element, compiler, steps throws(PolicyDiagnostic) in
        let limits = try CallLimit.all(
            element,
            compiler,
            attributes: ["bandwidth"],
            periods: 0...QuotaAnswer.periodMax,
            path: steps.path
        )
        for limit in limits {
            if limit.calls > 0 { steps.add(QuotaPolicy(limit, counter: limit.counter, isBandwidth: false)) }
            if limit.bandwidth > 0 {
                steps.add(QuotaPolicy(limit, counter: limit.counter + QuotaWindow.bytesMark, isBandwidth: true))
            }
        }
    }

    private let limit: CallLimit
    private let counter: String
    private let hash: Int
    private let isBandwidth: Bool

    private init(_ limit: CallLimit, counter: String, isBandwidth: Bool) {
        self.limit = limit
        self.counter = counter
        self.isBandwidth = isBandwidth
        hash = WindowHash.of(counter)
    }

    func run(_ call: PolicyCall) throws(PolicyFailure) -> PolicyFlow {
        // Counted by subscription: a call without one has nobody to count for.
        guard limit.applies(call.facts), let subscription = call.facts.subscription else { return .next }
        let window = QuotaWindow(
            counter: counter,
            subject: subscription.id,
            hash: hash ^ subscription.hash,
            calls: isBandwidth ? limit.bandwidth * QuotaAnswer.kilobyte : limit.calls,
            period: limit.period,
            firstPeriod: subscription.startSeconds,
            isBandwidth: isBandwidth
        )
        // What a call takes of the bytes is known when it has ended.
        let verdict = call.effects.take(window, increment: isBandwidth ? 0 : 1, call)
        if isBandwidth, case .allowed = verdict { call.bandwidth.append(window) }
        return try QuotaAnswer.flow(verdict, window)
    }
}

/// What callers are told of a quota, by both of its policies.
enum QuotaAnswer {
    /// Seconds of a period at most: a hundred years.
    static let periodMax = 3_155_760_000

    static let kilobyte = 1024

    static func flow(_ verdict: QuotaVerdict, _ window: QuotaWindow) throws(PolicyFailure) -> PolicyFlow {
        let what = window.isBandwidth ? "bandwidth quota" : "call volume quota"
        switch verdict {
        case .allowed: return .next
        case .pending: return .wait
        case .unavailable: throw .inside("QuotaUnavailable", "The quota's counter could not be read or written.")
        case .refused(let seconds?):
            throw PolicyFailure(
                status: 403,
                message: "Out of \(what). Quota will be replenished in \(span(seconds)).",
                reason: "QuotaExceeded",
                fields: [("Retry-After", String(seconds))]
            )
        case .refused(nil):
            throw PolicyFailure(status: 403, message: "Out of \(what).", reason: "QuotaExceeded")
        }
    }

    /// As .NET writes a time span: days only where there are some.
    static func span(_ seconds: Int64) -> String {
        func two(_ value: Int64) -> String { value < 10 ? "0\(value)" : "\(value)" }
        let clock = "\(two(seconds / 3600 % 24)):\(two(seconds / 60 % 60)):\(two(seconds % 60))"
        return seconds < 86_400 ? clock : "\(seconds / 86_400).\(clock)"
    }
}
