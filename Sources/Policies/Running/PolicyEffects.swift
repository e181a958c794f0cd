/// Hashes of the names that windows have, made once where a name lives longer than a call.
package enum WindowHash {
    /// Of this process: callers may choose names, and must not be able to choose which ones meet.
    package static func of(_ text: String) -> Int { text.hashValue }
}

/// Who makes counters of keys that callers may choose: their number is bounded for each.
package struct CounterHolder: Sendable, Hashable {
    /// Names the policy, as its document and its place in it.
    package let policy: String
    /// The caller's subscription; empty for calls without one.
    package let subscription: String

    package init(policy: String, subscription: String) {
        self.policy = policy
        self.subscription = subscription
    }
}

/// A sliding window of calls.
package struct RateWindow: Sendable {
    /// Names the policy that counts; the same for all calls that it counts.
    package let counter: String
    /// Whom it counts: a subscription, or whatever the policy's key is.
    package let subject: String
    /// Of counter and subject.
    package let hash: Int
    package let calls: Int
    /// Seconds.
    package let period: Int
    /// nil where subjects are subscriptions.
    package let holder: CounterHolder?

    package init(
        counter: String,
        subject: String,
        hash: Int? = nil,
        calls: Int,
        period: Int,
        holder: CounterHolder? = nil
    ) {
        self.counter = counter
        self.subject = subject
        self.hash = hash ?? WindowHash.of(counter) ^ WindowHash.of(subject)
        self.calls = calls
        self.period = period
        self.holder = holder
    }
}

/// What a window said to a call.
package struct RateVerdict: Sendable {
    package let isAllowed: Bool
    /// Calls that are left in the window after this one.
    package let remaining: Int
    /// Whole seconds until the window has room again; 0 where it has.
    package let retryAfter: Int

    package init(isAllowed: Bool, remaining: Int, retryAfter: Int) {
        self.isAllowed = isAllowed
        self.remaining = remaining
        self.retryAfter = retryAfter
    }
}

/// A number of calls, or of bytes, in fixed periods.
package struct QuotaWindow: Sendable {
    /// Ends the names of counters that count bytes.
    package static let bytesMark = " bytes"
    /// Begins the names of counters whose subjects are keys that policies compute of calls, and so perhaps what callers keep secret.
    package static let byKeyStart = "quota by key "

    /// Names the policy that counts; the same for all calls that it counts.
    package let counter: String
    package let subject: String
    /// Of counter and subject.
    package let hash: Int
    /// Or bytes.
    package let calls: Int
    /// Seconds; 0 for one period that never ends.
    package let period: Int
    /// When the first period began, in seconds since 1970.
    package let firstPeriod: Int64
    /// Whether bytes are counted in the place of calls.
    package let isBandwidth: Bool
    /// nil where subjects are subscriptions.
    package let holder: CounterHolder?

    package init(
        counter: String,
        subject: String,
        hash: Int? = nil,
        calls: Int,
        period: Int,
        firstPeriod: Int64,
        isBandwidth: Bool = false,
        holder: CounterHolder? = nil
    ) {
        self.counter = counter
        self.subject = subject
        self.hash = hash ?? WindowHash.of(counter) ^ WindowHash.of(subject)
        self.calls = calls
        self.period = period
        self.firstPeriod = firstPeriod
        self.isBandwidth = isBandwidth
        self.holder = holder
    }
}

package enum QuotaVerdict: Sendable {
    case allowed
    /// - Parameter seconds: until the next period; nil where there is none.
    case refused(Int64?)
    /// More must be reserved first: `PolicyCall.tryAgain` follows.
    case pending
    /// The counter cannot be read or written.
    case unavailable
}

/// What a backend is asked for by `forward-request`.
package struct ForwardOptions: Sendable {
    /// Milliseconds without an answer.
    package var timeout: Int64?
    /// Whether answers that point elsewhere are followed.
    package var followsRedirects = false

    package init() {}
}

/// A value for a metric.
package struct EmittedMetric: Sendable {
    package let name: String
    package let namespace: String
    package let value: Double
    package let dimensions: [(name: String, value: String)]
}

/// What policies do to the world, given by the gateway; called on the call's event loop only.
package protocol PolicyEffects: AnyObject {
    /// The name of the service that this installation is.
    var serviceName: String { get }

    /// The usual word of a status.
    func reason(_ status: Int) -> String

    /// Counts a call in a window if there is room.
    ///
    /// - Parameter increment: 0 asks without counting.
    func take(_ window: RateWindow, increment: Int) -> RateVerdict

    /// Counts a call in a quota if there is room; what passed is never forgotten, also where the process is killed.
    ///
    /// - Parameter increment: 0 asks without counting.
    func take(_ window: QuotaWindow, increment: Int, _ call: PolicyCall) -> QuotaVerdict

    /// Counts in a quota what is known only after the answer: it is counted even where there is no room.
    func add(_ window: QuotaWindow, _ count: Int)

    /// Takes one of the places of a key.
    ///
    /// - Returns: whether there was one; it must be given back by `release`.
    func acquire(_ key: String, max: Int) -> Bool
    func release(_ key: String)

    /// Sends the call's request on; `PolicyCall.forwarded` is called once, perhaps before this returns.
    func forward(_ call: PolicyCall, _ options: ForwardOptions)

    /// A name for the call, in logs and answers; asked for once, and only where one is needed.
    func makeRequestID() -> String

    /// An answer of the response cache; nil where there is none for this request.
    func cached(_ request: CacheRequest) -> CachedAnswer?

    /// Keeps an answer as it is now, once its body is whole; one that breaks off or is too long is not kept.
    ///
    /// - Parameter names: in lower case and sorted: fields of the request that it is for alone, beside what the key holds.
    func keep(_ response: PolicyResponse, _ request: CacheRequest, varyingBy names: [String], seconds: Int)

    func emit(_ metric: EmittedMetric)

    /// The program has ended: what `PolicyCall.response` holds goes out; called once.
    func ended(_ call: PolicyCall)

    /// Goes on with the call after some milliseconds, by `PolicyCall.resume`.
    func wait(_ milliseconds: Int64, _ call: PolicyCall)
}
