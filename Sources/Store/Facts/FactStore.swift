package import Telemetry

/// Keeps what the gateway tells of its calls: roll-ups by minute and the latest calls singly.
package protocol FactStore: Sendable {
    /// Writes roll-ups and calls; durable before it answers.
    ///
    /// A roll-up stands in the place of the earlier one of its minute, subject and run, and is added to those of other runs when
    /// it is read: a process that starts within a minute does not know what the one before it had counted.
    func write(_ usage: [UsageRow], _ requests: [RequestRow]) async throws

    /// Forgets what is older than these times, and the oldest of more calls than these.
    ///
    /// - Parameters:
    ///   - minute: of roll-ups, since 1970.
    ///   - milliseconds: of calls, since 1970.
    func forget(usageBefore minute: Int64, requestsBefore milliseconds: Int64, requestsMax: Int) async throws

    /// Adds minutes that are over up to hours and days, a piece at a time.
    ///
    /// - Parameter minute: since 1970, now.
    /// - Returns: whether there is more to add up.
    func fold(now minute: Int64) async throws -> Bool

    func close() throws
}

/// The calls of a subject in a minute as one run of the process counted them.
package struct UsageRow: Sendable {
    /// Since 1970.
    package let minute: Int64
    package let run: Int64
    package let subject: UsageSubject
    package let totals: UsageTotals

    package init(minute: Int64, run: Int64, subject: UsageSubject, totals: UsageTotals) {
        self.minute = minute
        self.run = run
        self.subject = subject
        self.totals = totals
    }
}

/// A call with its method and URL as they may be written down.
package struct RequestRow: Sendable {
    package let event: RequestEvent
    package let method: String
    /// Path and query, without secrets.
    package let url: String

    package init(event: RequestEvent, method: String, url: String) {
        self.event = event
        self.method = method
        self.url = url
    }
}
