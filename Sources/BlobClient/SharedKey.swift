import Crypto
import Foundation

/// A request as its signature sees it: the same words for who signs and for who checks.
package struct SignableRequest: Sendable {
    package var method: String
    /// Encoded, as it stands in the request line, without the query.
    package var path: String
    /// Decoded, in the order of the request.
    package var query: [(name: String, value: String)]
    /// Names in lower case.
    package var headers: [(name: String, value: String)]

    package init(
        method: String,
        path: String,
        query: [(name: String, value: String)],
        headers: [(name: String, value: String)]
    ) {
        self.method = method
        self.path = path
        self.query = query
        self.headers = headers
    }

    package func header(_ name: String) -> String? { headers.first { $0.name == name }?.value }
}

/// The two signatures of the account's key, as the Blob service's REST reference defines them (contracts/blob-storage.md).
package enum SharedKey {
    /// What `Authorization: SharedKey` signs.
    ///
    /// A length that was not sent is signed as nothing; one that was sent as 0 is signed as "0" before version 2015-02-21, and
    /// as nothing from it on.
    package static func stringToSign(_ request: SignableRequest, account: String) -> String {
        let version = request.header("x-ms-version") ?? ""
        var length = request.header("content-length") ?? ""
        if length == "0", version >= "2015-02-21" || version.isEmpty { length = "" }
        let hasDate = request.header("x-ms-date") != nil
        var lines = [request.method]
        for name in ["content-encoding", "content-language"] { lines.append(request.header(name) ?? "") }
        lines.append(length)
        for name in ["content-md5", "content-type"] { lines.append(request.header(name) ?? "") }
        lines.append(hasDate ? "" : request.header("date") ?? "")
        for name in ["if-modified-since", "if-match", "if-none-match", "if-unmodified-since", "range"] {
            lines.append(request.header(name) ?? "")
        }
        return lines.joined(separator: "\n") + "\n" + headers(request) + resource(request, account: account)
    }

    /// What `Authorization: SharedKeyLite` signs.
    package static func liteStringToSign(_ request: SignableRequest, account: String) -> String {
        let hasDate = request.header("x-ms-date") != nil
        let lines = [
            request.method, request.header("content-md5") ?? "", request.header("content-type") ?? "",
            hasDate ? "" : request.header("date") ?? "",
        ]
        let component = request.query.first { $0.name.lowercased() == "comp" }.map { "?comp=\($0.value)" } ?? ""
        return lines.joined(separator: "\n") + "\n" + headers(request) + "/\(account)\(request.path)\(component)"
    }

    /// base64(HMAC-SHA256(key, text)).
    package static func signature(_ text: String, key: [UInt8]) -> String {
        let code = HMAC<SHA256>.authenticationCode(for: Data(text.utf8), using: SymmetricKey(data: key))
        return Data(code).base64EncodedString()
    }

    private static func headers(_ request: SignableRequest) -> String {
        var values: [String: [String]] = [:]
        for (name, value) in request.headers where name.hasPrefix("x-ms-") {
            values[name, default: []].append(value.trimmingCharacters(in: .whitespaces))
        }
        return values.keys.sorted().map { "\($0):\(values[$0, default: []].joined(separator: ","))\n" }.joined()
    }

    private static func resource(_ request: SignableRequest, account: String) -> String {
        var values: [String: [String]] = [:]
        for (name, value) in request.query { values[name.lowercased(), default: []].append(value) }
        let lines = values.keys.sorted().map { "\n\($0):\(values[$0, default: []].sorted().joined(separator: ","))" }
        return "/\(account)\(request.path.isEmpty ? "/" : request.path)" + lines.joined()
    }
}

/// Shared access signatures: what their text signs, by their version.
package enum SharedAccess {
    /// The headers of answers that a service SAS may name, in the order in which they are signed.
    package static let overrides = ["rscc", "rscd", "rsce", "rscl", "rsct"]

    package static func signsOverrides(_ version: String) -> Bool { version >= "2013-08-15" }

    /// What the `sig` of an account SAS signs.
    package static func accountStringToSign(_ fields: [String: String], account: String) -> String {
        let value = { (name: String) in fields[name] ?? "" }
        var lines = [account] + ["sp", "ss", "srt", "st", "se", "sip", "spr", "sv"].map(value)
        if value("sv") >= "2020-12-06" { lines.append(value("ses")) }
        return lines.joined(separator: "\n") + "\n"
    }

    /// What the `sig` of a service SAS signs.
    ///
    /// - Parameters:
    ///   - path: `/container` or `/container/blob`, decoded.
    ///   - snapshot: of the request, for a snapshot's signature.
    package static func serviceStringToSign(
        _ fields: [String: String],
        account: String,
        path: String,
        snapshot: String
    ) -> String {
        let value = { (name: String) in fields[name] ?? "" }
        let version = value("sv")
        let resource = (version >= "2015-02-21" ? "/blob/" : "/") + account + path
        var lines = [value("sp"), value("st"), value("se"), resource, value("si")]
        if version >= "2015-04-05" { lines += [value("sip"), value("spr")] }
        lines.append(version)
        if version >= "2018-11-09" { lines += [value("sr"), snapshot] }
        if version >= "2020-12-06" { lines.append(value("ses")) }
        if signsOverrides(version) { lines += overrides.map(value) }
        return lines.joined(separator: "\n")
    }
}
