package import HTTPWire
package import Logging
package import NIOCore

/// Answers requests of the gateway door on one event loop: route, key, then the local service or the upstream.
package final class GatewayResponder: WireResponder {
    private let slot: SnapshotSlot
    private let local: any LocalBackend
    private let pool: UpstreamPool
    private let answers: GatewayAnswers
    /// The keyed hash of a raw key.
    private let hashKey: (UnsafeRawBufferPointer) -> [UInt8]
    private let logger: Logger
    private var snapshot = GatewaySnapshot.empty
    private var generation = 0
    private var verified = VerifiedKeys()
    /// Request lines that were routed under this snapshot.
    private var matched = VerifiedKeys()

    package init(
        wire: WireLoop,
        slot: SnapshotSlot,
        local: any LocalBackend,
        publicURL: @escaping () -> String,
        hashKey: @escaping (UnsafeRawBufferPointer) -> [UInt8],
        logger: Logger
    ) {
        self.slot = slot
        self.local = local
        self.hashKey = hashKey
        self.logger = logger
        pool = UpstreamPool(wire: wire)
        answers = GatewayAnswers(wire: wire, publicURL: publicURL)
    }

    private final class RouteMatch {
        let api: APIRoute
        /// How much of the path is the API's.
        let offset: Int

        init(api: APIRoute, offset: Int) {
            self.api = api
            self.offset = offset
        }
    }

    private enum Decision {
        case notFound
        case missingKey(APIRoute)
        case invalidKey(APIRoute)
        /// - Parameter offset: where in the target the operation's path begins.
        case call(APIRoute, offset: Int)
    }

    // MARK: - WireResponder

    package func receiveHead(on connection: DownstreamConnection) -> BodyPlan {
        if slot.refresh(&snapshot, &generation) {
            verified.removeAll()
            matched.removeAll()
        }
        switch decide(connection) {
        case .notFound: return answer(answers.notFound(connection), connection)
        case .missingKey(let api):
            return answer(answers.unauthorized(api, isKeyMissing: true, connection), connection)
        case .invalidKey(let api):
            return answer(answers.unauthorized(api, isKeyMissing: false, connection), connection)
        case .call(let api, let offset):
            let exchange = exchange(connection)
            switch api.backend {
            case .local(let prefix):
                exchange.beginLocal(local, connection, api: api, prefix: prefix, targetOffset: offset)
                return .collect(bytesMax: local.bodyBytesMax)
            case .http(let address, let prefix):
                exchange.beginForward(address, connection, prefix: prefix, targetOffset: offset)
                return .stream
            case .unsupported(let reason):
                exchange.refuse(connection, reason: reason)
                return .answered
            }
        }
    }

    package func receiveBody(_ body: ByteBuffer, isLast: Bool, on connection: DownstreamConnection) {
        exchange(connection).receiveBody(body, isLast: isLast, connection)
    }

    package func abandon(on connection: DownstreamConnection) { exchange(connection).cancel() }

    package func resume(on connection: DownstreamConnection) { exchange(connection).downstreamResume() }

    package func checkTime(_ now: NIODeadline, on connection: DownstreamConnection) {
        exchange(connection).checkTime(now, connection)
    }

    package func refusal(_ status: Int, on connection: DownstreamConnection) -> ByteBuffer {
        answers.refusal(status, connection)
    }

    // MARK: - Inside

    private func answer(_ bytes: ByteBuffer, _ connection: DownstreamConnection) -> BodyPlan {
        connection.send(bytes)
        connection.finish()
        return .answered
    }

    private func exchange(_ connection: DownstreamConnection) -> GatewayExchange {
        // Only this method sets it; a checked cast costs as much as the route.
        if let exchange = connection.exchange { return unsafeDowncast(exchange, to: GatewayExchange.self) }
        let exchange = GatewayExchange(pool: pool, answers: answers, logger: logger)
        connection.exchange = exchange
        return exchange
    }

    private func decide(_ connection: DownstreamConnection) -> Decision {
        connection.head.withUnsafeReadableBytes { head in
            let parser = connection.parser
            // Method and target stand side by side, so that one look-up finds the operation of a known request line.
            let line = UnsafeRawBufferPointer(rebasing: head[..<parser.target.upperBound])
            let queryStart = min(parser.pathEnd + 1, parser.target.upperBound)
            let query = UnsafeRawBufferPointer(rebasing: head[queryStart..<parser.target.upperBound])
            if let known = matched.find(line) {
                let known = unsafeDowncast(known, to: RouteMatch.self)
                return authorize(known.api, parser, head, query, offset: known.offset)
            }
            let path = UnsafeRawBufferPointer(rebasing: head[parser.target.lowerBound..<parser.pathEnd])
            let method = UnsafeRawBufferPointer(rebasing: head[parser.method])
            guard let (api, length) = snapshot.routes.find(path), api.takesHTTP else { return .notFound }
            let rest = UnsafeRawBufferPointer(rebasing: path[length...])
            guard api.operations.match(method: method, path: rest, query: query) != nil else { return .notFound }
            matched.insert(line, RouteMatch(api: api, offset: length))
            return authorize(api, parser, head, query, offset: length)
        }
    }

    /// The decision table of contracts/api-management.md 1.7: the field first, the query only where there is no field.
    private func authorize(
        _ api: APIRoute,
        _ parser: HeadParser,
        _ head: UnsafeRawBufferPointer,
        _ query: UnsafeRawBufferPointer,
        offset: Int
    ) -> Decision {
        var key = parser.value(lowercased: api.keyHeader, in: head)
        if key == nil {
            QueryText.forEach(query) { name, value in
                if key == nil, name.elementsEqual(api.keyQuery) { key = value }
            }
        }
        guard let key, !key.isEmpty else {
            if snapshot.openAPIs.contains(api.id) || !api.requiresKey { return .call(api, offset: offset) }
            return .missingKey(api)
        }
        guard let subscription = subscription(key), subscription.isActive, snapshot.covers(subscription, api: api.id)
        else {
            return .invalidKey(api)
        }
        return .call(api, offset: offset)
    }

    private func subscription(_ key: UnsafeRawBufferPointer) -> SubscriptionEntry? {
        if let known = verified.find(key) { return unsafeDowncast(known, to: SubscriptionEntry.self) }
        guard let digest = KeyDigest(hashKey(key)), let found = snapshot.keys[digest] else { return nil }
        verified.insert(key, found)
        return found
    }
}
