import NIOCore
import NIOPosix

/// The address of an HTTP upstream.
package struct UpstreamAddress: Hashable, Sendable {
    package let host: String
    package let port: Int
    package let isTLS: Bool
    /// The value of the Host field.
    package let authority: String

    package init(host: String, port: Int, isTLS: Bool = false) {
        self.host = host
        self.port = port
        self.isTLS = isTLS
        let name = host.contains(":") ? "[\(host)]" : host
        authority = port == (isTLS ? 443 : 80) ? name : "\(name):\(port)"
    }
}

/// Kept-alive connections to upstreams, of one event loop; touched on that loop only.
package final class UpstreamPool {
    private let wire: WireLoop
    private let tls: UpstreamTLS
    private var idle: [UpstreamAddress: [UpstreamConnection]] = [:]

    package init(wire: WireLoop, tls: UpstreamTLS) {
        self.wire = wire
        self.tls = tls
        let bound = NIOLoopBound(self, eventLoop: wire.loop)
        wire.loop.scheduleRepeatedTask(initialDelay: .seconds(1), delay: .seconds(1)) { _ in bound.value.sweep() }
    }

    /// An idle connection, the most recently used first, or a new one.
    package func connect(_ address: UpstreamAddress, _ body: @escaping (Result<UpstreamConnection, any Error>) -> Void)
    {
        while let connection = idle[address]?.popLast() {
            if connection.isUsable {
                connection.isReused = true
                return body(.success(connection))
            }
        }
        connectNew(address, body)
    }

    package func connectNew(
        _ address: UpstreamAddress,
        _ body: @escaping (Result<UpstreamConnection, any Error>) -> Void
    ) {
        let limits = wire.limits
        let connection = UpstreamConnection(address: address, wire: wire)
        let bound = NIOLoopBound((connection: connection, body: body, tls: tls), eventLoop: wire.loop)
        ClientBootstrap(group: wire.loop)
            .channelOption(.tcpOption(.tcp_nodelay), value: 1)
            .connectTimeout(limits.connectTimeout)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    if address.isTLS {
                        let handler = try bound.value.tls.makeHandler(host: address.host)
                        try channel.pipeline.syncOperations.addHandler(handler)
                    }
                    try channel.pipeline.syncOperations.addHandler(bound.value.connection)
                }
            }
            .connect(host: address.host, port: address.port)
            .whenComplete { result in
                switch result {
                case .success: bound.value.body(.success(bound.value.connection))
                case .failure(let error): bound.value.body(.failure(error))
                }
            }
    }

    /// Takes a connection back whose last answer ended cleanly.
    package func release(_ connection: UpstreamConnection) {
        guard connection.isUsable, idle[connection.address]?.count ?? 0 < wire.limits.idleUpstreamsMax else {
            return connection.close()
        }
        connection.idleUntil = wire.now + wire.limits.idleUpstreamTimeout
        idle[connection.address, default: []].append(connection)
    }

    private func sweep() {
        let now = NIODeadline.now()
        for (address, connections) in idle {
            let kept = connections.filter { $0.isUsable && $0.idleUntil > now }
            for connection in connections where connection.idleUntil <= now { connection.close() }
            idle[address] = kept.isEmpty ? nil : kept
        }
    }
}
