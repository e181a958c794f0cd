import HTTPWire

extension APIRoute.Backend {
    /// The backend that an absolute URL names: a service URL, or the `base-url` of a policy.
    ///
    /// - Returns: nil where the text is not an absolute URL of http or https.
    package init?(url: String) {
        guard let schemeEnd = url.firstRange(of: "://") else { return nil }
        let scheme = url[..<schemeEnd.lowerBound].lowercased()
        guard scheme == "http" || scheme == "https" else { return nil }
        let rest = url[schemeEnd.upperBound...]
        let pathStart = rest.firstIndex { $0 == "/" || $0 == "?" || $0 == "#" } ?? rest.endIndex
        let path = rest[pathStart...]
        // What stands in the request line must be bytes that a target can hold.
        guard !path.contains("?"), !path.contains("#"), path.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F }) else {
            return nil
        }
        var host = rest[..<pathStart]
        var port = scheme == "http" ? 80 : 443
        if let bracket = host.lastIndex(of: "]") {
            guard host.hasPrefix("[") else { return nil }
            let after = host[host.index(after: bracket)...]
            if !after.isEmpty {
                guard after.hasPrefix(":"), let number = UInt16(after.dropFirst()) else { return nil }
                port = Int(number)
            }
            // IPv6 literals stand in brackets in URLs only.
            host = host[host.index(after: host.startIndex)..<bracket]
        } else if let colon = host.lastIndex(of: ":") {
            guard let number = UInt16(host[host.index(after: colon)...]) else { return nil }
            port = Int(number)
            host = host[..<colon]
        }
        guard !host.isEmpty, port > 0,
            host.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F && !"@/\\\"<>^`{|}".utf8.contains($0) })
        else { return nil }
        self = .http(
            UpstreamAddress(host: String(host), port: port, isTLS: scheme == "https"),
            pathPrefix: path.hasSuffix("/") ? String(path.dropLast()) : String(path)
        )
    }
}
