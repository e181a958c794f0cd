/// One call of the gateway, as it ended.
package struct RequestEvent: Sendable {
    package var subject: UsageSubject
    /// Milliseconds since 1970 at the call's end.
    package var time: Int64 = 0
    /// Names the call in logs and answers, and in the trace that it is part of.
    package var id = TraceID(high: 0, low: 0)
    /// Method, a blank and target as they came; secrets in the query are taken out where it is written down.
    package var line: [UInt8] = []
    /// The caller's address as text.
    package var address: [UInt8] = []
    /// Names of query parameters that hold keys, in lower case.
    package var keyParameter: [UInt8] = []
    /// 0 where the caller went away before an answer.
    package var status = 0
    /// 0 where no backend answered.
    package var backendStatus = 0
    /// Whether the answer went out whole.
    package var isWhole = true
    package var requestBytes = 0
    package var responseBytes = 0
    package var microseconds: Int64 = 0
    package var serviceMicroseconds: Int64?
    package var cache = CacheOutcome.none
    package var error: RequestFault?
    /// How many calls this one stands for, where not all were written down.
    package var weight = 1

    package init(subject: UsageSubject) { self.subject = subject }
}

/// What a call failed by (`context.LastError`).
package struct RequestFault: Sendable {
    package let source: String
    package let reason: String
    /// Empty where it failed outside of policies.
    package let section: String
    /// The place of the policy in its section, with its id where it has one.
    package let policy: String

    package init(source: String, reason: String, section: String, policy: String) {
        self.source = source
        self.reason = reason
        self.section = section
        self.policy = policy
    }
}
