import NIOCore

/// What trusted proxies say of a request: what anybody else says of it is not believed.
extension TaskHead {
    /// Whether the request came over TLS, to this door or to a trusted proxy before it.
    ///
    /// The proxy must say nothing else beside, since a caller's own line may stand before the proxy's.
    package func isSecure(trusting proxies: Set<String>) -> Bool {
        if isTLS { return true }
        guard proxies.contains(clientAddress) else { return false }
        let words = members(of: "x-forwarded-proto")
        return !words.isEmpty && words.allSatisfy { $0.lowercased() == "https" }
    }

    /// The address that the request came from before it came to proxies that are trusted.
    ///
    /// Proxies append the address that called them: what stands before the last one of a stranger is the stranger's word.
    package func callerAddress(trusting proxies: Set<String>) -> String {
        guard proxies.contains(clientAddress) else { return clientAddress }
        var address = clientAddress
        for word in members(of: "x-forwarded-for").reversed() {
            guard let before = (try? SocketAddress(ipAddress: word, port: 0))?.plainAddress else { break }
            address = before
            if !proxies.contains(before) { break }
        }
        return address
    }

    /// Whether the connection is from this machine.
    package var isLoopback: Bool {
        clientAddress.hasPrefix("127.") || clientAddress == "::1" || clientAddress.hasPrefix("::ffff:127.")
    }

    private func members(of field: String) -> [String] {
        fields.filter { $0.name.lowercased() == field }
            .flatMap { $0.value.split(separator: ",") }
            .map { member in
                let word = member.drop { $0 == " " || $0 == "\t" }
                return String(word.reversed().drop { $0 == " " || $0 == "\t" }.reversed())
            }
    }
}
