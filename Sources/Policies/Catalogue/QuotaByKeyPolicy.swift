/// `quota-by-key`: so many calls of any key in fixed periods.
struct QuotaByKeyPolicy: PolicyStep {
    static let definition = PolicyDefinition("quota-by-key", sections: [.inbound]) {
        element,
        compiler,
        steps throws(PolicyDiagnostic) in
        try compiler.only(
            element,
            attributes: [
                "calls", "bandwidth", "renewal-period", "counter-key", "increment-condition", "increment-count",
                "first-period-start",
            ]
        )
        let calls = try compiler.value(element, "calls")
        let bandwidth = try compiler.value(element, "bandwidth")
        for (name, value) in [("calls", calls), ("bandwidth", bandwidth)] where value?.constantText != nil {
            _ = try compiler.needNumber(element, name, 1...CallLimit.callsMax)
        }
        guard calls != nil || bandwidth != nil else { throw compiler.missing("calls", element) }
        let period = try compiler.needNumber(element, "renewal-period", 0...QuotaAnswer.periodMax)
        guard period == 0 || period >= 300 else {
            throw compiler.problem(
                "\"renewal-period\" must be 0 or 300 seconds at least.",
                at: compiler.attribute(element, "renewal-period")?.offset ?? element.offset
            )
        }
        var firstPeriod = TimeText.yearOne
        if let text = try compiler.literal(element, "first-period-start") {
            guard let seconds = TimeText.seconds(text) else {
                throw compiler.problem(
                    "\"first-period-start\" must be a time as 2026-01-31T12:00:00Z.",
                    at: compiler.attribute(element, "first-period-start")?.offset ?? element.offset
                )
            }
            firstPeriod = seconds
        }
        let key = try compiler.needValue(element, "counter-key")
        let increment = try CallIncrement(element, &compiler)
        for (limit, isBandwidth) in [(calls, false), (bandwidth, true)] {
            guard let limit else { continue }
            steps.add(
                QuotaByKeyPolicy(
                    // One counter for a key over all scopes; an hour and a day of the same key are two.
                    counter: "\(QuotaWindow.byKeyStart)\(period) \(firstPeriod)"
                        + (isBandwidth ? QuotaWindow.bytesMark : ""),
                    limit: limit,
                    isBandwidth: isBandwidth,
                    period: period,
                    firstPeriod: firstPeriod,
                    policy: "\(compiler.owner) \(steps.path)",
                    key: key,
                    increment: increment
                )
            )
        }
    }

    let counter: String
    /// Calls, or kilobytes.
    let limit: CompiledValue
    let isBandwidth: Bool
    let period: Int
    let firstPeriod: Int64
    /// Whose counters these are, beside the caller's subscription.
    let policy: String
    let key: CompiledValue
    let increment: CallIncrement

    func run(_ call: PolicyCall) throws(PolicyFailure) -> PolicyFlow {
        let limit = try limit.int(call)
        guard (1...CallLimit.callsMax).contains(limit) else {
            throw .evaluation("\"\(isBandwidth ? "bandwidth" : "calls")\" must be within its bounds.")
        }
        let window = QuotaWindow(
            counter: counter,
            subject: try key.text(call),
            calls: isBandwidth ? limit * QuotaAnswer.kilobyte : limit,
            period: period,
            firstPeriod: firstPeriod,
            isBandwidth: isBandwidth,
            holder: CounterHolder(policy: policy, subscription: call.facts.subscription?.id ?? "")
        )
        // One call counts a key once, however many scopes ask for it.
        let counted = CountedKey(counter: counter, subject: window.subject)
        let isCounted = call.countedKeys.contains(counted)
        let count = isCounted || isBandwidth || increment.readsResponse ? 0 : try increment.count(call)
        let verdict = call.effects.take(window, increment: count, call)
        let flow = try QuotaAnswer.flow(verdict, window)
        guard case .allowed = verdict, !isCounted else { return flow }
        call.countedKeys.insert(counted)
        if isBandwidth {
            if increment.readsResponse {
                call.afterAnswer.append { [increment] call in
                    if let count = try? increment.count(call), count > 0 { call.bandwidth.append(window) }
                }
            } else if try increment.count(call) > 0 {
                call.bandwidth.append(window)
            }
            return flow
        }
        if increment.readsResponse {
            call.afterAnswer.append { [increment] call in
                // An expression that fails here counts nothing: the answer is on its way already.
                guard let count = try? increment.count(call), count > 0 else { return }
                call.effects.add(window, count)
            }
        }
        return flow
    }
}

/// A key that a call was counted for.
struct CountedKey: Hashable {
    let counter: String
    let subject: String
}

/// Times as policies write them.
package enum TimeText {
    /// 0001-01-01T00:00:00Z, the default of the contract.
    package static let yearOne: Int64 = -62_135_596_800

    /// - Returns: seconds since 1970, or nil where the text is no time of UTC.
    package static func seconds(_ text: String) -> Int64? {
        let parts = text.trimmingBlanks.uppercased().split(separator: "T", maxSplits: 1)
        guard let date = parts.first else { return nil }
        let day = date.split(separator: "-").map { Int64($0) }
        guard day.count == 3, let year = day[0], let month = day[1], let dayOfMonth = day[2], (1...9999).contains(year),
            (1...12).contains(month), (1...31).contains(dayOfMonth)
        else { return nil }
        var clock: [Int64?] = [0, 0, 0]
        if parts.count == 2 {
            guard parts[1].hasSuffix("Z") else { return nil }
            clock = parts[1].dropLast().split(separator: ":", omittingEmptySubsequences: false).map { word in
                // Fractions of a second are nobody's period.
                word.split(separator: ".", omittingEmptySubsequences: false).first.flatMap { Int64($0) }
            }
        }
        guard clock.count == 3, let hour = clock[0], let minute = clock[1], let second = clock[2],
            (0..<24).contains(hour), (0..<60).contains(minute), (0..<60).contains(second)
        else { return nil }
        // Days since 1970 of the proleptic Gregorian calendar, counted in years that begin in March.
        let shifted = month <= 2 ? year - 1 : year
        let era = shifted / 400
        let yearOfEra = shifted - era * 400
        let dayOfYear = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + dayOfMonth - 1
        let dayOfEra = yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear
        return ((era * 146_097 + dayOfEra - 719_468) * 24 + hour) * 3600 + minute * 60 + second
    }
}

/// What a call counts for, by the attributes that the policies by key share.
struct CallIncrement: Sendable {
    /// What one call may count for; sums of it stay far from what a number holds.
    private static let countMax = 1_000_000

    private let condition: CompiledValue?
    private let amount: CompiledValue?
    /// Whether it is known only once the answer is.
    let readsResponse: Bool

    init(_ element: PolicyElement, _ compiler: inout PolicyCompiler) throws(PolicyDiagnostic) {
        var condition: CompiledValue?
        if compiler.attribute(element, "increment-condition") != nil {
            condition = try compiler.condition(element, "increment-condition")
        }
        self.condition = condition
        amount = try compiler.value(element, "increment-count")
        if amount?.constantText != nil {
            _ = try compiler.needNumber(element, "increment-count", 1...CallIncrement.countMax)
        }
        readsResponse = (condition?.readsResponse ?? false) || (amount?.readsResponse ?? false)
    }

    func count(_ call: PolicyCall) throws(PolicyFailure) -> Int {
        if let condition, try !condition.bool(call) { return 0 }
        let count = try amount?.int(call) ?? 1
        guard (0...CallIncrement.countMax).contains(count) else {
            throw .evaluation("\"increment-count\" must be from 0 to \(CallIncrement.countMax).")
        }
        return count
    }
}
