import Foundation

/// The parts of a service URL that forwarding needs.
struct UpstreamURL {
    let scheme: String
    let host: String
    let port: Int?
    /// Percent-encoded, as it goes on the wire.
    let path: String

    init?(_ text: String) {
        guard let components = URLComponents(string: text), let scheme = components.scheme?.lowercased(),
            let host = components.host, !host.isEmpty
        else { return nil }
        self.scheme = scheme
        // IPv6 literals stand in brackets in URLs only.
        self.host = host.hasPrefix("[") && host.hasSuffix("]") ? String(host.dropFirst().dropLast()) : host
        port = components.port
        path = components.percentEncodedPath
    }
}
