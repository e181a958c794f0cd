import Synchronization

/// When a backend counts as broken (`circuitBreaker` of a backend).
package struct CircuitRule: Sendable, Equatable {
    /// Failures within the interval; nil where a part of all calls counts.
    package var count: Int?
    /// Percent of all calls within the interval.
    package var percentage: Int?
    /// Seconds.
    package var interval: Int
    /// Seconds.
    package var tripDuration: Int
    package var statuses: [ClosedRange<Int>]
    /// Words of `LastError.Reason`; all failures to connect where there are none.
    package var reasons: [String]
    /// Whether the backend's `Retry-After` says how long.
    package var acceptsRetryAfter: Bool

    package init(
        count: Int?,
        percentage: Int?,
        interval: Int,
        tripDuration: Int,
        statuses: [ClosedRange<Int>],
        reasons: [String],
        acceptsRetryAfter: Bool
    ) {
        self.count = count
        self.percentage = percentage
        self.interval = interval
        self.tripDuration = tripDuration
        self.statuses = statuses
        self.reasons = reasons
        self.acceptsRetryAfter = acceptsRetryAfter
    }
}

/// What is known of a backend's health by the outcome of calls; shared by all loops and kept while the backend changes.
package final class BackendState: Sendable {
    /// Parts of an interval that are counted and forgotten as a whole.
    private static let parts: UInt64 = 10
    /// Calls of an interval before a percentage says anything.
    private static let callsMin = 10
    /// Connections in turn that fail before a member of a pool is left out for a while.
    private static let failuresMax = 3
    /// Nanoseconds that it is left out for.
    private static let restTime: UInt64 = 10_000_000_000

    private struct Part {
        var number: UInt64 = .max
        var calls = 0
        var failures = 0
    }

    private struct Counts {
        var parts = [Part](repeating: Part(), count: Int(BackendState.parts))
        var failuresInTurn = 0
    }

    package let rule: CircuitRule?
    private let openUntil = Atomic<UInt64>(0)
    private let restsUntil = Atomic<UInt64>(0)
    private let counts = Mutex(Counts())

    package init(rule: CircuitRule?) { self.rule = rule }

    /// Whether calls may go there; `now` in nanoseconds of the clock that only goes on.
    package func isClosed(_ now: UInt64) -> Bool { openUntil.load(ordering: .relaxed) <= now }

    /// Whether connections were made of late.
    func isHealthy(_ now: UInt64) -> Bool { restsUntil.load(ordering: .relaxed) <= now }

    /// The backend answered.
    ///
    /// - Parameter retryAfter: seconds that it asks for.
    package func answered(_ status: Int, retryAfter: Int?, now: UInt64) {
        guard let rule else {
            // Asked before it is written: one word that all loops write would be in all their ways.
            if restsUntil.load(ordering: .relaxed) != 0 {
                restsUntil.store(0, ordering: .relaxed)
                counts.withLock { $0.failuresInTurn = 0 }
            }
            return
        }
        let isFailure = rule.statuses.contains { $0.contains(status) }
        note(isFailure, rule, retryAfter: retryAfter, now: now)
    }

    /// The backend could not be reached, or broke off.
    ///
    /// - Parameter reason: as `LastError.Reason`.
    package func failed(_ reason: String, now: UInt64) {
        counts.withLock { counts in
            counts.failuresInTurn += 1
            if counts.failuresInTurn >= BackendState.failuresMax {
                counts.failuresInTurn = 0
                restsUntil.store(now &+ BackendState.restTime, ordering: .relaxed)
            }
        }
        guard let rule else { return }
        let isFailure = rule.reasons.isEmpty || rule.reasons.contains { $0.lowercased() == reason.lowercased() }
        note(isFailure, rule, retryAfter: nil, now: now)
    }

    private func note(_ isFailure: Bool, _ rule: CircuitRule, retryAfter: Int?, now: UInt64) {
        let length = max(1, UInt64(rule.interval) &* 1_000_000_000 / BackendState.parts)
        let number = now / length
        let trips = counts.withLock { counts in
            let place = Int(number % BackendState.parts)
            if counts.parts[place].number != number { counts.parts[place] = Part(number: number) }
            counts.parts[place].calls += 1
            guard isFailure else {
                counts.failuresInTurn = 0
                return false
            }
            counts.parts[place].failures += 1
            let recent = counts.parts.filter { $0.number != .max && $0.number + BackendState.parts > number }
            let failures = recent.reduce(0) { $0 + $1.failures }
            let calls = recent.reduce(0) { $0 + $1.calls }
            let trips =
                rule.count.map { failures >= $0 }
                ?? rule.percentage.map { calls >= BackendState.callsMin && failures * 100 >= $0 * calls } ?? false
            if trips { counts = Counts() }
            return trips
        }
        guard trips else { return }
        var seconds = rule.tripDuration
        if rule.acceptsRetryAfter, let retryAfter, retryAfter > 0 { seconds = min(retryAfter, 86_400) }
        openUntil.store(now &+ UInt64(seconds) &* 1_000_000_000, ordering: .relaxed)
    }
}
