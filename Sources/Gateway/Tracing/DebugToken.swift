import Crypto
import Foundation

/// Tokens that let their bearer trace calls of one API: `p=tracing&aid=…&ex=…&sn=…` (contracts/api-management.md 2.4).
package struct DebugTokens: Sendable {
    private let key: SymmetricKey

    /// - Parameter key: of this installation, for this purpose alone.
    package init(key: [UInt8]) { self.key = SymmetricKey(data: key) }

    /// - Parameters:
    ///   - api: whose calls it is for, in lower case.
    ///   - expires: seconds since 1970.
    package func make(api: String, expires: Int64) -> String {
        let words = "p=tracing&aid=\(Self.escaped(api))&ex=\(expires)"
        let signature = HMAC<SHA256>.authenticationCode(for: Data(words.utf8), using: key)
        return "\(words)&sn=\(Self.escaped(Data(signature).base64EncodedString()))"
    }

    package enum Verdict {
        case valid(api: String)
        case expired
        case invalid
    }

    package func judge(_ token: String, now: Int64) -> Verdict {
        guard let mark = token.range(of: "&sn=", options: .backwards),
            let signature = String(token[mark.upperBound...]).removingPercentEncoding.flatMap({
                Data(base64Encoded: $0)
            }),
            HMAC<SHA256>.isValidAuthenticationCode(
                signature,
                authenticating: Data(token[..<mark.lowerBound].utf8),
                using: key
            )
        else { return .invalid }
        var values: [String: String] = [:]
        for item in token[..<mark.lowerBound].split(separator: "&") {
            let halves = item.split(separator: "=", maxSplits: 1).map(String.init)
            if halves.count == 2 { values[halves[0]] = halves[1].removingPercentEncoding ?? "" }
        }
        guard values["p"] == "tracing", let api = values["aid"], let end = values["ex"].flatMap(Int64.init) else {
            return .invalid
        }
        return end > now ? .valid(api: api) : .expired
    }

    private static func escaped(_ text: String) -> String {
        text.addingPercentEncoding(withAllowedCharacters: .alphanumerics) ?? ""
    }
}
