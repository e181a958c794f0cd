package import NIOCore

/// The bounds of the data path, each with its reason.
package struct WireLimits: Sendable {
    /// Fields of a head: more than any browser or SDK sends, few enough to walk.
    package var fieldsMax = 128
    /// Bytes of a head: cookies of a browser fit, a head is held in memory whole.
    package var headBytesMax = 32 << 10
    /// Bytes of a target: beyond what clients and proxies in front pass on.
    package var targetBytesMax = 16 << 10
    /// Time from the first byte of a head to its last: a slow sender must not hold a connection for nothing.
    package var headTimeout = TimeAmount.seconds(10)
    /// Time that a kept-alive connection may rest between requests.
    package var idleTimeout = TimeAmount.seconds(120)
    /// Time without a byte of a body before the request is given up.
    package var bodyTimeout = TimeAmount.seconds(60)
    /// Bytes of a body that must come in a second: a caller that drips holds a connection for nothing.
    package var bodyRateMin = 240
    /// The last time of a body over which its rate is judged (`BodyRate`): it may begin slowly, and rest as long.
    package var bodyRateGrace = TimeAmount.seconds(10)
    /// Bytes of a body that are read and dropped once its request is answered: reading a rest costs less than a new connection, up to here.
    package var droppedBytesMax = 64 << 20
    /// Time for the rest of a body whose request is answered: it is nobody's any more.
    package var droppedTimeout = TimeAmount.seconds(5)
    /// Bytes that unfinished bodies, which are collected whole, hold together: however many callers there are, memory is not theirs.
    package var collectedBytesMax = 256 << 20
    /// Time that a client may take no byte of an answer that waits for it; the system keeps it (TCP_USER_TIMEOUT).
    package var writeTimeout = TimeAmount.seconds(60)
    /// Open connections of one door: descriptors are bounded by the system, and each costs memory.
    package var connectionsMax = 10_000
    /// Open connections of one address, so that one client cannot take them all; loopback has no bound of its own.
    package var connectionsPerAddressMax = 5_000
    /// Addresses of proxies: behind them are many clients, so that they have no bound of their own either.
    package var proxies: Set<[UInt8]> = []
    /// Time for a connection to an upstream.
    package var connectTimeout = TimeAmount.seconds(10)
    /// Time from the end of a request to that of its answer's head (API Management's default for forward-request), and time in which an
    /// upstream may take no byte of a request.
    package var upstreamTimeout = TimeAmount.seconds(300)
    /// Time without a byte in an upstream's answer, or in either way of a WebSocket.
    package var upstreamIdleTimeout = TimeAmount.seconds(300)
    /// Time for TLS to be agreed on.
    package var handshakeTimeout = TimeAmount.seconds(10)
    /// Idle connections kept for each upstream on each loop.
    package var idleUpstreamsMax = 256
    /// Idle connections kept for all upstreams together on each loop: each is a descriptor.
    package var idleUpstreamsInAllMax = 4096
    /// Time that an idle connection to an upstream is kept: below the keep-alive time of common servers.
    package var idleUpstreamTimeout = TimeAmount.seconds(50)

    package init() {}
}
