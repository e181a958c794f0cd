import Glibc
import HTTPWire
import Logging

/// The descriptors that the system gives this process, and who may have how many of them.
///
/// The stores come first: a connection that is not taken can be made again, a write that finds no descriptor cannot. So each door has a share of
/// what is left, whatever happens at the others.
struct Descriptors: Sendable {
    /// More than any door asks for; where there is no limit at all, it is counted from here.
    private static let most = 1 << 20
    /// What databases, content files, logs, listeners and event loops need: a quarter, within bounds.
    ///
    /// An idle server has some 50 descriptors, and
    /// sixty downloads at once open some twenty files more.
    private static let storesRange = 96...1024
    /// What a door has for its connections at least, however few descriptors there are.
    private static let connectionsMin = 4

    /// All that the process may have.
    let count: Int

    /// Raises the soft limit to the hard one, as the system lets everybody do.
    static func raise() -> Descriptors {
        var limit = rlimit()
        guard getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 else {
            return Descriptors(count: 1024)
        }
        var raised = limit
        raised.rlim_cur = limit.rlim_max
        if setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &raised) == 0 { limit = raised }
        return Descriptors(count: Int(min(limit.rlim_cur, rlim_t(most))))
    }

    /// Descriptors that doors must leave.
    var ofStores: Int { min(max(count / 4, Self.storesRange.lowerBound), Self.storesRange.upperBound) }

    /// Parts of what is left, and descriptors of a connection: a call of the gateway has one to its upstream too, a transfer of a blob a file.
    private static func share(_ door: ServeSettings.Door) -> (parts: Int, each: Int) {
        switch door {
        case .gateway: (4, 2)
        case .gatewayTLS, .blobs, .blobsTLS: (3, 2)
        case .services, .servicesTLS, .portal, .portalTLS: (2, 1)
        }
    }

    /// Connections that one of a server's doors may have, of which one address may have a half.
    func connections(_ door: ServeSettings.Door, of doors: [ServeSettings.Door]) -> Int {
        let all = doors.reduce(0) { $0 + Self.share($1).parts }
        let (parts, each) = Self.share(door)
        return max(Self.connectionsMin, max(0, count - ofStores) * parts / all / each)
    }

    /// The bounds of a door within its share.
    func bounded(
        _ limits: WireLimits,
        _ door: ServeSettings.Door,
        of doors: [ServeSettings.Door],
        loops: Int
    ) -> WireLimits {
        var limits = limits
        limits.connectionsMax = min(limits.connectionsMax, connections(door, of: doors))
        limits.connectionsPerAddressMax = min(limits.connectionsPerAddressMax, max(1, limits.connectionsMax / 2))
        // A half of those to upstreams may rest: the other half is at work at other times.
        limits.idleUpstreamsInAllMax = max(1, limits.connectionsMax / 2 / loops)
        return limits
    }
}
