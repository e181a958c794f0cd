import Crypto
import Foundation
package import ResourceModel

/// Lets requests through that carry one of a few tokens; compares in constant time.
package struct TokenGuard: Sendable {
    private let digests: [[UInt8]]

    package init(tokens: [String]) {
        // An empty token is none: it would let in whoever says nothing.
        digests = tokens.filter { !$0.isEmpty }.map { Array(SHA256.hash(data: Data($0.utf8))) }
    }

    package func admits(_ token: String?) -> Bool {
        guard let token, !token.isEmpty else { return false }
        // Digests have one length, so the comparison tells nothing of the token's.
        let digest = Array(SHA256.hash(data: Data(token.utf8)))
        var isAdmitted = false
        for known in digests where ConstantTime.equal(known, digest) { isAdmitted = true }
        return isAdmitted
    }

    /// - Throws: `APIError` 401 in the ARM shape.
    package func require(_ token: String?) throws(APIError) {
        guard admits(token) else {
            throw APIError(
                status: 401,
                code: token == nil ? "AuthenticationFailed" : "InvalidAuthenticationToken",
                message: token == nil
                    ? "Authentication failed. The 'Authorization' header is missing."
                    : "The access token is invalid."
            )
        }
    }
}
