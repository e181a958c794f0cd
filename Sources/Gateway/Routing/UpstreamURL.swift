import HTTPWire

extension APIRoute.Backend {
    /// The backend that an absolute URL names: a service URL, or the `base-url` of a policy.
    ///
    /// - Returns: nil where the text is not an absolute URL of http or https, or of a WebSocket's scheme, which begins as one of these.
    package init?(url: String) {
        guard let schemeEnd = url.firstRange(of: "://") else { return nil }
        let isTLS: Bool
        switch url[..<schemeEnd.lowerBound].lowercased() {
        case "http", "ws": isTLS = false
        case "https", "wss": isTLS = true
        default: return nil
        }
        let rest = url[schemeEnd.upperBound...]
        let pathStart = rest.firstIndex { $0 == "/" || $0 == "?" || $0 == "#" } ?? rest.endIndex
        let path = rest[pathStart...]
        // What stands in the request line must be bytes that a target can hold.
        guard !path.contains("?"), !path.contains("#"), path.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F }) else {
            return nil
        }
        var host = rest[..<pathStart]
        var port = isTLS ? 443 : 80
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
            UpstreamAddress(host: String(host), port: port, isTLS: isTLS),
            pathPrefix: path.hasSuffix("/") ? String(path.dropLast()) : String(path)
        )
    }
}
