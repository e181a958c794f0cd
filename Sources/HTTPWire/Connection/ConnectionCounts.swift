package import NIOCore
import Synchronization

/// Whom a connection is counted for: an IPv4 address, or the network of an IPv6 one, since a single customer is given 2^64 of those.
package struct ClientShare: Hashable, Sendable {
    private let isIPv4: Bool
    /// The address, or the first 64 bits of it.
    private let bits: UInt64

    /// Nil for who has no bound of its own: this machine, proxies, and what is no IP address.
    ///
    /// - Parameter proxies: their addresses as text.
    package init?(_ address: SocketAddress?, proxies: Set<[UInt8]>) {
        guard let address, !proxies.contains(Array((address.plainAddress ?? "").utf8)) else { return nil }
        // The address stands behind family and port, in IPv6 behind the flow too (`struct sockaddr_in`, `sockaddr_in6`).
        switch address {
        case .v4(let address):
            self.init(ipv4: withUnsafeBytes(of: address.address) { Array($0[4..<8]) })
        case .v6(let address):
            let bytes = withUnsafeBytes(of: address.address) { Array($0[8..<24]) }
            let isMapped = bytes[..<10].allSatisfy { $0 == 0 } && bytes[10] == 0xFF && bytes[11] == 0xFF
            if isMapped {
                self.init(ipv4: Array(bytes[12...]))
            } else {
                guard bytes != [UInt8](repeating: 0, count: 15) + [1] else { return nil }
                self.init(isIPv4: false, bytes[..<8])
            }
        case .unixDomainSocket: return nil
        }
    }

    private init?(ipv4 bytes: [UInt8]) {
        guard bytes[0] != 127 else { return nil }
        self.init(isIPv4: true, bytes[...])
    }

    private init(isIPv4: Bool, _ bytes: ArraySlice<UInt8>) {
        self.isIPv4 = isIPv4
        bits = bytes.reduce(0) { $0 << 8 | UInt64($1) }
    }
}

/// How many connections a door has, in all and of each address; asked once a connection, by all loops.
package final class ConnectionCounts: Sendable {
    package enum Admission: Equatable, Sendable {
        case entered
        case doorIsFull
        case addressIsFull
    }

    private struct State {
        var all = 0
        var byShare: [ClientShare: Int] = [:]

        mutating func add(_ share: ClientShare?, _ change: Int) {
            guard let share else { return }
            let count = byShare[share, default: 0] + change
            byShare[share] = count > 0 ? count : nil
        }
    }

    private let state = Mutex(State())

    package init() {}

    /// Counts a connection if there is room for it; then `leave` must be called at its end.
    package func enter(_ share: ClientShare?, _ limits: WireLimits) -> Admission {
        state.withLock { state in
            if let share, state.byShare[share, default: 0] >= limits.connectionsPerAddressMax { return .addressIsFull }
            guard state.all < limits.connectionsMax else { return .doorIsFull }
            state.all += 1
            state.add(share, 1)
            return .entered
        }
    }

    /// Counts a connection for which the door has no room any more.
    func enterBeyond(_ share: ClientShare?) {
        state.withLock { state in
            state.all += 1
            state.add(share, 1)
        }
    }

    /// Whether there are more connections than the door has room for.
    func isBeyond(_ limits: WireLimits) -> Bool { state.withLock { $0.all > limits.connectionsMax } }

    /// Gives the room of a connection that is being ended to another one.
    package func hand(from old: ClientShare?, to new: ClientShare?) {
        state.withLock { state in
            state.add(old, -1)
            state.add(new, 1)
        }
    }

    package func leave(_ share: ClientShare?) {
        state.withLock { state in
            state.all -= 1
            state.add(share, -1)
        }
    }
}
