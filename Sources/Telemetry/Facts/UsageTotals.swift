/// Whose calls are added up: an operation as a product's subscription calls it; empty where there is none.
///
/// Told apart by what it says; an object, so that handing it on counts one reference and not those of each name.
package final class UsageSubject: Sendable, Hashable {
    package let api: String
    package let operation: String
    package let product: String
    package let subscription: String
    package let user: String
    /// Where the callers are; nil where nothing is known of it.
    package let place: CallerPlace?

    package init(
        api: String,
        operation: String,
        product: String,
        subscription: String,
        user: String,
        place: CallerPlace? = nil
    ) {
        self.api = api
        self.operation = operation
        self.product = product
        self.subscription = subscription
        self.user = user
        self.place = place
    }

    /// The same calls, as far as they come from there.
    func at(_ place: CallerPlace) -> UsageSubject {
        UsageSubject(
            api: api,
            operation: operation,
            product: product,
            subscription: subscription,
            user: user,
            place: place
        )
    }

    package static func == (left: UsageSubject, right: UsageSubject) -> Bool {
        left === right
            || left.operation == right.operation && left.subscription == right.subscription && left.api == right.api
                && left.product == right.product && left.user == right.user && left.place == right.place
    }

    package func hash(into hasher: inout Hasher) {
        hasher.combine(api)
        hasher.combine(operation)
        hasher.combine(product)
        hasher.combine(subscription)
        hasher.combine(user)
        hasher.combine(place)
    }

    /// Calls that no API was found for.
    package static let unmatched = UsageSubject(api: "", operation: "", product: "", subscription: "", user: "")
}

/// What the response cache had to do with a call.
package enum CacheOutcome: UInt8, Sendable {
    case none, hit, miss

    package var word: String {
        switch self {
        case .none: "none"
        case .hit: "hit"
        case .miss: "miss"
        }
    }
}

/// Calls added up (contracts/api-management.md 6); times in microseconds, sizes in bytes.
package struct UsageTotals: Sendable, Equatable {
    // What nearly every call adds to stands together.

    package var latency = LatencyHistogram()
    package var time = Span()
    /// Statuses up to 301, 304 and 307.
    package var success: Int64 = 0
    /// Of requests and answers, heads among them.
    package var bandwidth: Int64 = 0
    /// Of calls that went to a backend.
    package var serviceTime = Span()
    /// 401, 403 and 429.
    package var blocked: Int64 = 0
    /// 400, and 500 to 600.
    package var failed: Int64 = 0
    package var other: Int64 = 0
    package var cacheHits: Int64 = 0
    package var cacheMisses: Int64 = 0

    /// A sum with its ends.
    package struct Span: Sendable, Equatable {
        package var count: Int64 = 0
        package var sum: Int64 = 0
        package var min: Int64 = .max
        package var max: Int64 = 0

        package init() {}

        package init(count: Int64, sum: Int64, min: Int64, max: Int64) {
            self.count = count
            self.sum = sum
            self.min = min
            self.max = max
        }

        @inline(__always)
        mutating func add(_ value: Int64) {
            count &+= 1
            sum &+= value
            if value < min { min = value }
            if value > max { max = value }
        }

        mutating func merge(_ other: Span) {
            count &+= other.count
            sum &+= other.sum
            min = Swift.min(min, other.min)
            max = Swift.max(max, other.max)
        }
    }

    package init() {}

    package var calls: Int64 { time.count }

    mutating func add(
        status: Int,
        bytes: Int,
        microseconds: Int64,
        serviceMicroseconds: Int64?,
        cache: CacheOutcome
    ) {
        switch status {
        case 401, 403, 429: blocked &+= 1
        // A call without a whole answer has status 0, and is no success.
        case 1...301, 304, 307: success &+= 1
        case 400, 500...600: failed &+= 1
        default: other &+= 1
        }
        bandwidth &+= Int64(bytes)
        switch cache {
        case .none: break
        case .hit: cacheHits &+= 1
        case .miss: cacheMisses &+= 1
        }
        time.add(microseconds)
        if let serviceMicroseconds { serviceTime.add(serviceMicroseconds) }
        latency.record(microseconds: UInt64(max(0, microseconds)))
    }

    package mutating func merge(_ more: UsageTotals) {
        success &+= more.success
        blocked &+= more.blocked
        failed &+= more.failed
        other &+= more.other
        bandwidth &+= more.bandwidth
        cacheHits &+= more.cacheHits
        cacheMisses &+= more.cacheMisses
        time.merge(more.time)
        serviceTime.merge(more.serviceTime)
        latency.merge(more.latency)
    }
}
