import Foundation
package import ResourceModel

/// Where a blob, a container or an account is, and what opens it.
package struct BlobLocation: Sendable {
    package enum Credential: Sendable {
        case key(account: String, key: [UInt8])
        /// A shared access signature without its question mark.
        case signature(String)
        /// The address says it all.
        case none
    }

    /// Encoded, without a query.
    package let url: String
    package let credential: Credential

    package init(url: String, credential: Credential) {
        self.url = url
        self.credential = credential
    }

    /// Below the account of a connection string; names are encoded here.
    package init(_ connection: ConnectionString, container: String = "", blob: String = "") {
        var url = connection.endpoint
        if !container.isEmpty { url += "/" + Self.encoded(container) }
        if !blob.isEmpty { url += "/" + Self.encoded(blob) }
        let credential: Credential
        if let key = connection.key {
            credential = .key(account: connection.account, key: key)
        } else {
            credential = connection.signature.map(Credential.signature) ?? .none
        }
        self.init(url: url.hasSuffix("/") ? String(url.dropLast()) : url, credential: credential)
    }

    /// An address as somebody wrote it, its signature in the query.
    ///
    /// - Throws: `APIError` 400 for anything but http and https.
    package init(address: String) throws(APIError) {
        guard let parts = URLComponents(string: address), let scheme = parts.scheme?.lowercased(), parts.host != nil,
            ["http", "https"].contains(scheme), parts.user == nil, parts.password == nil
        else { throw .validation("url", "The address must be http or https, without a user.") }
        let halves = address.split(separator: "#")[0].split(separator: "?", maxSplits: 1).map(String.init)
        self.init(url: halves[0], credential: halves.count > 1 ? .signature(halves[1]) : .none)
    }

    package var host: String { URLComponents(string: url)?.host?.lowercased() ?? "" }
    package var port: Int? { URLComponents(string: url)?.port }

    /// The address without what opens it: for logs and messages.
    package var shown: String { url }

    package static func encoded(_ name: String) -> String {
        var allowed = CharacterSet(charactersIn: "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789")
        allowed.insert(charactersIn: "-._~/$")
        return name.addingPercentEncoding(withAllowedCharacters: allowed) ?? name
    }
}

/// Which hosts this installation may read from and write to on somebody's word.
///
/// Whoever may name an address could otherwise make this server call what only it can reach.
package struct AllowedHosts: Sendable {
    private let patterns: [String]?
    private let ownAddress: @Sendable () -> String

    /// - Parameters:
    ///   - patterns: `host`, `host:port`, or `*.suffix`.
    ///   - own: the address of our own store, which is always allowed.
    package init(_ patterns: [String], own: @Sendable @escaping () -> String) {
        self.patterns = patterns.map { $0.lowercased() }
        ownAddress = own
    }

    private init() {
        patterns = nil
        ownAddress = { "" }
    }

    /// For commands: the user's own machine, on the user's own word.
    package static let any = AllowedHosts()

    package func allows(_ location: BlobLocation) -> Bool {
        guard let patterns else { return true }
        let host = location.host
        let own = URLComponents(string: ownAddress())
        if let own, own.host?.lowercased() == host, own.port == location.port { return true }
        return patterns.contains { pattern in
            if pattern.hasPrefix("*.") { return host.hasSuffix(pattern.dropFirst()) }
            return pattern == host || pattern == location.port.map { "\(host):\($0)" }
        }
    }

    package func check(_ location: BlobLocation) throws(APIError) {
        guard allows(location) else {
            throw .validation(
                "url",
                "The host \(location.host) is not allowed; the setting blob-hosts-allowed names those that are."
            )
        }
    }
}
