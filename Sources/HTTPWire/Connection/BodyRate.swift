import NIOCore

/// Judges whether a body comes fast enough, by its last seconds: what came early does not buy time for ever.
///
/// A body has credit for so many bytes as the least rate would bring in the time of grace. What comes adds to it, up to that, and each second
/// takes the least rate; who has none left is too slow.
package struct BodyRate {
    private let rateMin: Int
    private let creditMax: Int
    private var credit: Int
    /// Bytes that were counted already.
    private var counted: Int

    /// - Parameter received: bytes that are no part of the body's rate, as its head.
    package init(_ limits: WireLimits, received: Int = 0) {
        counted = received
        rateMin = limits.bodyRateMin
        creditMax = rateMin * max(1, Int(limits.bodyRateGrace.nanoseconds / 1_000_000_000))
        credit = creditMax
    }

    /// Called every second in which the body was waited for.
    ///
    /// - Parameter received: bytes until now.
    package mutating func isTooSlow(received: Int) -> Bool {
        credit = min(creditMax, credit + received - counted - rateMin)
        counted = received
        return credit < 0
    }

    /// Bytes that came in a second in which the caller was not waited for count for nothing and against nobody.
    package mutating func pass(received: Int) { counted = received }
}
