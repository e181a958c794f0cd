import Crypto
package import Foundation
import ResourceModel

/// `id&yyyyMMddHHmm&signature`, by which users and gateways show who they are (contracts/api-management.md 4.2).
package enum SharedAccessToken {
    /// Days that a token may be good for: the contract's bound.
    private static let daysMax = 30.0

    /// - Parameter expires: seconds since 1970.
    package static func make(id: String, expires: Date, key: String) -> String {
        let time = stamp(expires)
        return "\(id)&\(time)&\(signature(id, time, key))"
    }

    /// The later form, and the one of the publisher portal's time: `uid=…&ex=…&sn=…`.
    ///
    /// - Returns: the id that a good token was made for.
    package static func judge(_ token: String, now: Date, key: (String) -> String?) -> String? {
        let parts = token.split(separator: "&", maxSplits: 2, omittingEmptySubsequences: false).map(String.init)
        guard parts.count == 3 else { return nil }
        let isLegacy = parts[0].hasPrefix("uid=") && parts[1].hasPrefix("ex=") && parts[2].hasPrefix("sn=")
        let id = isLegacy ? String(parts[0].dropFirst(4)) : parts[0]
        let time = isLegacy ? String(parts[1].dropFirst(3)) : parts[1]
        let sign = isLegacy ? String(parts[2].dropFirst(3)) : parts[2]
        guard let end = date(time), end > now, let key = key(id),
            ConstantTime.equal(Array(signature(id, time, key).utf8), Array(sign.utf8))
        else { return nil }
        return id
    }

    /// When a token asked for is to end.
    ///
    /// - Throws: `APIError` where the time is none, is over, or lies further ahead than a token may.
    static func expiry(_ body: JSONObject, field: String) throws(APIError) -> Date {
        guard let text = body[field]?.string, let time = SubscriptionRules.time(text) else {
            throw .validation(field, "The value must be a time of ISO 8601.")
        }
        guard time > Date(), time <= Date(timeIntervalSinceNow: daysMax * 86_400 + 60) else {
            throw .validation(field, "The time must lie ahead, by \(Int(daysMax)) days at most.")
        }
        return time
    }

    private static func signature(_ id: String, _ time: String, _ key: String) -> String {
        let code = HMAC<SHA512>.authenticationCode(
            for: Data("\(id)\n\(time)".utf8),
            using: SymmetricKey(data: Data(key.utf8))
        )
        return Data(code).base64EncodedString()
    }

    private static func stamp(_ date: Date) -> String {
        let parts = date.formatted(.iso8601).prefix(16)
        return String(parts.filter(\.isNumber))
    }

    private static func date(_ text: String) -> Date? {
        if text.count == 12, text.allSatisfy(\.isNumber) {
            let digits = Array(text)
            func part(_ range: Range<Int>) -> String { String(digits[range]) }
            return SubscriptionRules.time(
                "\(part(0..<4))-\(part(4..<6))-\(part(6..<8))T\(part(8..<10)):\(part(10..<12)):00Z"
            )
        }
        // .NET writes seven digits of a second.
        guard let dot = text.firstIndex(of: ".") else { return SubscriptionRules.time(text) }
        return SubscriptionRules.time(text[..<dot] + "Z")
    }
}
