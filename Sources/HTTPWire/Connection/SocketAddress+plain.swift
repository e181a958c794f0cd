import NIOCore

extension SocketAddress {
    /// The address as text; IPv4 as itself also where a socket of IPv6 tells it (`::ffff:192.0.2.1`), so that it is known by one name.
    package var plainAddress: String? {
        guard let address = ipAddress else { return nil }
        let mark = "::ffff:"
        guard case .v6 = self, address.hasPrefix(mark), address.contains(".") else { return address }
        return String(address.dropFirst(mark.count))
    }
}
