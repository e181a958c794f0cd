import NIOCore
import NIOPosix

/// The address of an HTTP upstream.
package struct UpstreamAddress: Hashable, Sendable {
    package let host: String
    package let port: Int
    package let isTLS: Bool
    package let checks: UpstreamTLS.Checks
    /// What is shown to an upstream that asks who calls; nil for nothing.
    package let identity: ClientIdentity?
    /// The value of the Host field.
    package let authority: String
    /// Made once: the pool is asked for every call.
    private let hash: Int

    package init(
        host: String,
        port: Int,
        isTLS: Bool = false,
        checks: UpstreamTLS.Checks = .full,
        identity: ClientIdentity? = nil
    ) {
        self.identity = identity
        self.host = host
        self.port = port
        self.isTLS = isTLS
        self.checks = checks
        let name = host.contains(":") ? "[\(host)]" : host
        authority = port == (isTLS ? 443 : 80) ? name : "\(name):\(port)"
        hash = authority.hashValue
    }

    package func hash(into hasher: inout Hasher) { hasher.combine(hash) }
}

/// Kept-alive connections to upstreams, of one event loop; touched on that loop only.
package final class UpstreamPool {
    private let wire: WireLoop
    fileprivate let tls: UpstreamTLS
    private let resolver: NameResolver
    private var idle: [UpstreamAddress: [UpstreamConnection]] = [:]
    /// Of all upstreams.
    private var idleCount = 0

    package init(wire: WireLoop, tls: UpstreamTLS, resolver: NameResolver) {
        self.wire = wire
        self.tls = tls
        self.resolver = resolver
        let bound = NIOLoopBound(self, eventLoop: wire.loop)
        wire.loop.scheduleRepeatedTask(initialDelay: .seconds(1), delay: .seconds(1)) { _ in bound.value.sweep() }
    }

    /// An idle connection, the most recently used first, or a new one.
    ///
    /// - Parameter isRepeatable: whether the request may be sent again where the upstream ends the connection as it comes.
    package func connect(
        _ address: UpstreamAddress,
        isRepeatable: Bool,
        _ body: @escaping (Result<UpstreamConnection, any Error>) -> Void
    ) {
        while let connection = isRepeatable ? idle[address]?.popLast() : popProven(address) {
            idleCount -= 1
            if connection.isUsable, isRepeatable || isAtWork(connection) || connection.isOpen {
                connection.isReused = true
                return body(.success(connection))
            }
        }
        connectNew(address, body)
    }

    /// How long a connection that has answered once is let rest before it takes a request that cannot be sent again.
    ///
    /// Upstreams that end connections soon after an answer without saying so end them within this time, with the request in their hands.
    private static let restMin = TimeAmount.milliseconds(50)

    /// Answers after which a connection that is being used is not asked about before each request: asking costs a fifteenth of a call.
    private static let trustedAnswersMin = 16

    /// Whether a connection has answered often, and again since the last sweep: its upstream neither counts answers nor tires of waiting.
    private func isAtWork(_ connection: UpstreamConnection) -> Bool {
        connection.answerCount >= Self.trustedAnswersMin
            && connection.idleUntil >= wire.now + wire.limits.idleUpstreamTimeout
    }

    /// Takes a connection that its upstream is known to keep: it has answered more than once, or has rested since its first answer.
    private func popProven(_ address: UpstreamAddress) -> UpstreamConnection? {
        if let index = idle[address]?.lastIndex(where: \.isProven) { return idle[address]?.remove(at: index) }
        // The first one has rested longest.
        guard let first = idle[address]?.first, NIODeadline.now() >= first.restsSince + Self.restMin else { return nil }
        return idle[address]?.removeFirst()
    }

    package func connectNew(
        _ address: UpstreamAddress,
        _ body: @escaping (Result<UpstreamConnection, any Error>) -> Void
    ) {
        let end = NIODeadline.now() + wire.limits.connectTimeout
        let bound = NIOLoopBound((pool: self, body: body), eventLoop: wire.loop)
        resolver.resolve(address.host, on: wire.loop).whenComplete { result in
            switch result {
            case .success(let found): bound.value.pool.connect(address, found[...], until: end, bound.value.body)
            case .failure(let error): bound.value.body(.failure(error))
            }
        }
    }

    /// Tries the addresses of a name in turn.
    private func connect(
        _ address: UpstreamAddress,
        _ found: ArraySlice<String>,
        until end: NIODeadline,
        _ body: @escaping (Result<UpstreamConnection, any Error>) -> Void
    ) {
        guard let first = found.first, let place = try? SocketAddress(ipAddress: first, port: address.port) else {
            return body(.failure(NameResolver.NotFound(host: address.host)))
        }
        let connection = UpstreamConnection(address: address, remote: first, wire: wire)
        let bound = NIOLoopBound((connection: connection, pool: self, body: body), eventLoop: wire.loop)
        ClientBootstrap(group: wire.loop)
            .channelOption(.tcpOption(.tcp_nodelay), value: 1)
            .connectTimeout(max(.milliseconds(1), end - .now()))
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    if address.isTLS {
                        let handler = try bound.value.pool.tls.makeHandler(address)
                        try channel.pipeline.syncOperations.addHandler(handler)
                    }
                    try channel.pipeline.syncOperations.addHandler(bound.value.connection)
                }
            }
            .connect(to: place)
            .whenComplete { result in
                switch result {
                case .success: bound.value.body(.success(bound.value.connection))
                case .failure(let error):
                    let rest = found.dropFirst()
                    guard !rest.isEmpty, NIODeadline.now() < end else { return bound.value.body(.failure(error)) }
                    bound.value.pool.connect(address, rest, until: end, bound.value.body)
                }
            }
    }

    /// Takes a connection back whose last answer ended cleanly.
    package func release(_ connection: UpstreamConnection) {
        guard connection.isUsable, idle[connection.address]?.count ?? 0 < wire.limits.idleUpstreamsMax,
            idleCount < wire.limits.idleUpstreamsInAllMax, isCurrent(connection)
        else { return connection.close() }
        if !connection.isProven { connection.restsSince = .now() }
        connection.idleUntil = wire.now + wire.limits.idleUpstreamTimeout
        idle[connection.address, default: []].append(connection)
        idleCount += 1
    }

    /// Whether the upstream is still where the connection leads; asked once a second for each.
    private func isCurrent(_ connection: UpstreamConnection) -> Bool {
        guard wire.now > connection.nextCheck else { return true }
        connection.nextCheck = wire.now + .seconds(1)
        return resolver.isCurrent(connection.address.host, connection.remote)
    }

    private func sweep() {
        let now = NIODeadline.now()
        for (address, connections) in idle {
            var kept: [UpstreamConnection] = []
            for connection in connections {
                if connection.isUsable, connection.idleUntil > now, isCurrent(connection) {
                    kept.append(connection)
                } else {
                    connection.close()
                    idleCount -= 1
                }
            }
            idle[address] = kept.isEmpty ? nil : kept
        }
    }
}
