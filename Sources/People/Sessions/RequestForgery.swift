import Crypto
import Foundation
import ResourceModel

/// Tells requests of our own pages from those that another site makes a browser send.
package enum RequestForgery {
    /// The token that forms and scripts send along: made from the cookie's secret, so that nothing has to be kept.
    package static func token(for secret: String) -> String {
        let code = HMAC<SHA256>.authenticationCode(
            for: Data("gatehouse form v1".utf8),
            using: SymmetricKey(data: Data(secret.utf8))
        )
        return Identifier.hex(Array(code))
    }

    /// Whether a token that was sent is the one that was given out.
    static func isSame(_ token: String, _ known: String) -> Bool {
        !known.isEmpty && ConstantTime.equal(Array(token.utf8), Array(known.utf8))
    }

    /// Whether a write comes from a page of this origin: browsers say so in `Origin`, or in `Sec-Fetch-Site`.
    ///
    /// - Parameter own: the origins under which the door is reached, without a closing slash.
    package static func isOwn(origin: String?, fetchSite: String?, own: [String]) -> Bool {
        if let origin { return own.contains { $0.lowercased() == origin.lowercased() } }
        // Old browsers and scripts of the terminal send neither; then the token alone decides.
        return fetchSite.map { $0 == "same-origin" || $0 == "none" } ?? true
    }
}
