package import HTTPWire
package import Logging
package import NIOCore
import Policies
package import Telemetry

/// Answers requests of the gateway door on one event loop: route, key, policies, then the local service or the upstream.
package final class GatewayResponder: WireResponder {
    private let slot: SnapshotSlot
    private let local: any LocalBackend
    private let pool: UpstreamPool
    private let answers: GatewayAnswers
    private let surroundings: ExchangeSurroundings
    private let facts: FactRecorder
    private let quotas: QuotaCounters
    private let debugTokens: DebugTokens
    /// Where legacy traces are read, without their ids.
    private let traceLocation: () -> String
    /// Addresses of proxies that say by X-Forwarded-Proto how they were called.
    private let trustedProxies: [[UInt8]]
    /// The keyed hash of a raw key.
    private let hashKey: (UnsafeRawBufferPointer) -> [UInt8]
    private let held: HeldSnapshot
    private var snapshot: GatewaySnapshot {
        get { held.snapshot }
        set { held.snapshot = newValue }
    }
    /// Bytes of a request's body where its API says nothing else.
    private let bodyBytesMax: Int
    /// Held here: what is static is asked for by a function each time.
    private let usualKeyHeader = APIRoute.usualKeyHeader
    /// Whether callers speak TLS with this door.
    private let isTLS: Bool
    private var generation = 0
    /// Request lines with the keys that came with them, judged under this snapshot.
    private var known = VerifiedKeys()
    private var verified = VerifiedKeys()
    /// Request lines that were routed under this snapshot.
    private var matched = VerifiedKeys()
    /// What runs on error where no API was found, under this snapshot.
    private var unmatchedProgram: PolicyProgram?
    /// What runs for operations, under this snapshot; made when first asked for.
    private var policyPlans: [PlanKey: PolicyPlan] = [:]
    private var programs = PolicyPrograms()
    private var callPlans = CallPlans()

    package init(
        wire: WireLoop,
        slot: SnapshotSlot,
        local: any LocalBackend,
        counters: LimitCounters,
        quotas: QuotaCounters,
        upstreamTLS: UpstreamTLS,
        resolver: NameResolver,
        bodyBytesMax: Int,
        isTLS: Bool,
        trustedProxies: [String],
        serviceName: @escaping () -> String,
        publicURL: @escaping () -> String,
        hashKey: @escaping (UnsafeRawBufferPointer) -> [UInt8],
        facts: FactRecorder,
        cache: ResponseCache,
        traces: TraceStore,
        debugTokens: DebugTokens,
        traceLocation: @escaping () -> String,
        logger: Logger
    ) {
        self.slot = slot
        self.local = local
        self.hashKey = hashKey
        self.facts = facts
        self.quotas = quotas
        self.debugTokens = debugTokens
        self.traceLocation = traceLocation
        self.trustedProxies = trustedProxies.map { Array($0.utf8) }
        self.bodyBytesMax = bodyBytesMax
        self.isTLS = isTLS
        let held = HeldSnapshot()
        self.held = held
        pool = UpstreamPool(wire: wire, tls: upstreamTLS, resolver: resolver)
        answers = GatewayAnswers(wire: wire, publicURL: publicURL)
        surroundings = ExchangeSurroundings(
            wire: wire,
            pool: pool,
            local: local,
            answers: answers,
            counters: counters,
            quotas: quotas,
            serviceName: serviceName,
            logger: logger,
            facts: facts,
            backends: { held.snapshot.backends },
            cache: cache,
            traces: traces
        )
        GatewayResponder.handOn(NIOLoopBound(facts, eventLoop: wire.loop), after: .seconds(1))
    }

    /// Hands facts on every second, in turns that hold nobody up.
    private static func handOn(_ facts: NIOLoopBound<FactRecorder>, after delay: TimeAmount) {
        facts.eventLoop.scheduleTask(in: delay) {
            let isDone = facts.value.handOnSome()
            handOn(facts, after: isDone ? .seconds(1) : .milliseconds(FactRecorder.pauseMilliseconds))
        }
    }

    /// The snapshot that a loop works by, shared with what its exchanges ask.
    private final class HeldSnapshot {
        var snapshot = GatewaySnapshot.empty
    }

    /// What runs for the calls of an operation that came in by a product.
    private final class PolicyPlan {
        /// nil where calls are only forwarded.
        let program: PolicyProgram?
        let product: PolicyFacts.Product?

        init(program: PolicyProgram?, product: PolicyFacts.Product?) {
            self.program = program
            self.product = product
        }
    }

    /// Whose plan it is: entries live as long as the snapshot that the plans are of.
    private struct PlanKey: Hashable {
        let entry: ObjectIdentifier
        /// By which the call came in; empty for none.
        let product: String
    }

    private enum Decision {
        /// The path has segments that a reader behind us might resolve (`..`), and so lead elsewhere than it was judged for.
        case ambiguous
        /// - Parameter api: whose operation was not found; nil where there is no API either.
        case notFound(APIRoute?)
        case preflight(RouteMatch)
        case unauthorized(RouteMatch, isKeyMissing: Bool)
        case call(KnownCall)
    }

    // MARK: - WireResponder

    package func receiveHead(on connection: DownstreamConnection) -> BodyPlan {
        if slot.hasMoved(&generation) { takeSnapshot() }
        let exchange = exchange(connection)
        // Copied once: each copy counts a reference.
        let parser = connection.parser
        exchange.record.begin(connection, parser, at: MonotonicClock.nanoseconds())
        exchange.bodyBytesMax = .max
        let decision = decide(connection, parser)
        note(decision, exchange)
        switch decision {
        case .ambiguous:
            connection.send(answers.refusal(400, connection))
            connection.finish(close: true)
            return .answered
        case .notFound: return refuseUnmatched(connection)
        case .preflight(let match):
            guard let program = plan(match, snapshot.openAPIs[match.api.id]).program, program.answersPreflights else {
                return refuseUnmatched(connection)
            }
            let setup = setup(match.api, match.entry, match.offset, facts(match, nil, nil), connection)
            return exchange.answerPreflight(program, setup, connection)
        case .unauthorized(let match, let isKeyMissing):
            if let program = plan(match, nil).program, program.hasErrorPolicies {
                let setup = setup(match.api, match.entry, match.offset, facts(match, nil, nil), connection)
                return exchange.refuse(
                    answers.unauthorizedFailure(match.api, isKeyMissing: isKeyMissing),
                    program,
                    setup,
                    connection
                )
            }
            return answer(answers.unauthorized(match.api, isKeyMissing: isKeyMissing, connection), connection)
        case .call(let call):
            switch parser.framing {
            case .length(let length) where length > call.bodyBytesMax: return refuseTooLarge(connection)
            case .chunked: exchange.bodyBytesMax = call.bodyBytesMax
            case .none, .length, .untilClose: break
            }
            let offset = Int(call.offset)
            let trace = traceWish(call, connection, parser)
            if let program = call.program ?? (trace == nil ? nil : forwardingProgram) {
                let setup = setup(call.api, call.plan.entry, offset, call.plan.facts, connection, trace)
                return exchange.begin(program, setup, connection)
            }
            switch call.backend {
            case .local(let prefix):
                return exchange.beginLocal(connection, api: call.api, prefix: prefix, targetOffset: offset)
            case .http(let address, let prefix):
                exchange.beginForward(address, connection, prefix: prefix, targetOffset: offset)
                return .stream
            case .unsupported(let reason):
                exchange.refuse(connection, reason: reason)
                return .answered
            }
        }
    }

    /// Goes on with the newest snapshot; what was remembered under the one before is freed elsewhere.
    private func takeSnapshot() {
        let discarded = Discarded([
            held.snapshot, known, verified, matched, policyPlans, programs.age(), callPlans, facts.forgetCells(),
        ])
        held.snapshot = slot.snapshot
        known = VerifiedKeys()
        verified = VerifiedKeys()
        matched = VerifiedKeys()
        // As many are likely to be asked for again: growing step by step would hold callers up for as many at a time.
        policyPlans = Dictionary(minimumCapacity: policyPlans.count)
        callPlans = CallPlans()
        discarded.release()
        unmatchedProgram = program(api: nil, operation: nil, product: nil)
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

    package func ended(isWhole: Bool, on connection: DownstreamConnection) {
        exchange(connection).record.end(isWhole: isWhole, connection, facts, quotas)
    }

    // MARK: - Facts

    /// Whose call it is and what it was refused for.
    private func note(_ decision: Decision, _ exchange: GatewayExchange) {
        switch decision {
        case .ambiguous:
            exchange.record.error = GatewayResponder.ambiguousFault
            exchange.record.cell = facts.unmatchedCell
        case .notFound(let api):
            exchange.record.error = GatewayResponder.notFoundFault
            exchange.record.cell =
                api.map { api in
                    facts.cell(operation: api, subscription: nil, keyParameter: api.keyQuery) {
                        UsageSubject(api: api.facts.id, operation: "", product: "", subscription: "", user: "")
                    }
                } ?? facts.unmatchedCell
        case .preflight(let match):
            exchange.record.cell = cell(match, nil, nil)
        case .unauthorized(let match, let isKeyMissing):
            exchange.record.error = isKeyMissing ? GatewayResponder.keyMissingFault : GatewayResponder.keyInvalidFault
            exchange.record.cell = cell(match, nil, nil)
        case .call(let call):
            exchange.record.cell = call.cell
        }
    }

    private func cell(_ match: RouteMatch, _ subscription: SubscriptionEntry?, _ product: String?) -> FactRecorder.Cell
    {
        if facts.isFull { Discarded([facts.forgetCells()]).release() }
        return facts.cell(operation: match.entry, subscription: subscription, keyParameter: match.api.keyQuery) {
            UsageSubject(
                api: match.api.facts.id,
                operation: match.entry.id,
                product: product.map { snapshot.products[$0]?.id ?? $0 } ?? "",
                subscription: subscription?.id ?? "",
                user: subscription?.owner ?? ""
            )
        }
    }

    private static let ambiguousFault = RequestFault(
        source: "configuration",
        reason: "AmbiguousPath",
        section: "",
        policy: ""
    )
    private static let notFoundFault = RequestFault(
        source: "configuration",
        reason: "OperationNotFound",
        section: "",
        policy: ""
    )
    private static let keyMissingFault = RequestFault(
        source: "authorization",
        reason: "SubscriptionKeyNotFound",
        section: "",
        policy: ""
    )
    private static let keyInvalidFault = RequestFault(
        source: "authorization",
        reason: "SubscriptionKeyInvalid",
        section: "",
        policy: ""
    )

    // MARK: - Inside

    private func answer(_ bytes: ByteBuffer, _ connection: DownstreamConnection) -> BodyPlan {
        connection.send(bytes)
        connection.finish()
        return .answered
    }

    private func exchange(_ connection: DownstreamConnection) -> GatewayExchange {
        // Only this method sets it; a checked cast costs as much as the route.
        if let exchange = connection.exchange { return unsafeDowncast(exchange, to: GatewayExchange.self) }
        let exchange = GatewayExchange(surroundings)
        connection.exchange = exchange
        return exchange
    }

    private func refuseTooLarge(_ connection: DownstreamConnection) -> BodyPlan {
        connection.send(answers.refusal(413, connection))
        connection.finish(close: true)
        return .answered
    }

    // MARK: - Policies

    private func plan(_ match: RouteMatch, _ product: String?) -> PolicyPlan {
        let key = PlanKey(entry: ObjectIdentifier(match.entry), product: product ?? "")
        if let known = policyPlans[key] { return known }
        let plan = PolicyPlan(
            program: program(api: match.api.resource, operation: match.entry.id, product: product),
            product: product.flatMap { snapshot.products[$0] }
        )
        policyPlans[key] = plan
        return plan
    }

    private func program(api: String?, operation: String?, product: String?) -> PolicyProgram? {
        programs.program(snapshot.policies.documents(api: api, operation: operation, product: product))
    }

    private func facts(
        _ match: RouteMatch,
        _ subscription: SubscriptionEntry?,
        _ product: PolicyFacts.Product?
    ) -> PolicyFacts {
        PolicyFacts(
            api: match.api.facts,
            operation: match.entry.facts,
            product: product,
            subscription: subscription?.facts,
            user: subscription?.owner.flatMap { snapshot.users[$0] }
        )
    }

    private func setup(
        _ api: APIRoute,
        _ entry: OperationTable.Entry,
        _ offset: Int,
        _ facts: PolicyFacts,
        _ connection: DownstreamConnection,
        _ trace: TraceWish? = nil
    ) -> PolicySetup {
        PolicySetup(
            api: api,
            offset: offset,
            facts: facts,
            source: WireRequestSource(
                connection,
                entry: entry,
                offset: offset,
                key: facts.subscription == nil ? nil : api
            ),
            trace: trace
        )
    }

    /// What runs for a call without policies that somebody wants to see.
    private let forwardingProgram = PolicyProgram([.forwarding])

    /// Whether the caller may see what its call does, and asked for it.
    private func traceWish(
        _ call: KnownCall,
        _ connection: DownstreamConnection,
        _ parser: HeadParser
    ) -> TraceWish? {
        connection.head.withUnsafeReadableBytes { head in
            if let token = parser.value("apim-debug-authorization", in: head) {
                switch debugTokens.judge(
                    String(decoding: token, as: UTF8.self),
                    now: MonotonicClock.wallMilliseconds() / 1000
                ) {
                case .valid(let api):
                    return api == call.api.id ? .debug : .refused(field: "Apim-Debug-Authorization-WrongAPI")
                case .expired: return .refused(field: "Apim-Debug-Authorization-Expired")
                case .invalid: return nil
                }
            }
            guard call.mayTrace, let wish = parser.value("ocp-apim-trace", in: head), Octets.equal(wish, "true")
            else { return nil }
            return .legacy(location: traceLocation())
        }
    }

    private func refuseUnmatched(_ connection: DownstreamConnection) -> BodyPlan {
        guard let unmatchedProgram, unmatchedProgram.hasErrorPolicies else {
            return answer(answers.notFound(connection), connection)
        }
        let nothing = PolicyFacts.API(id: "", name: "", path: "")
        let setup = PolicySetup(
            api: nil,
            offset: 0,
            facts: PolicyFacts(api: nothing, operation: nil, product: nil, subscription: nil, user: nil),
            source: WireRequestSource(connection, entry: nil, offset: 0, key: nil),
            trace: nil
        )
        return exchange(connection).refuse(answers.notFoundFailure, unmatchedProgram, setup, connection)
    }

    // MARK: - Route and key

    private func decide(_ connection: DownstreamConnection, _ parser: HeadParser) -> Decision {
        connection.head.withUnsafeReadableBytes { head in
            // Method and target stand side by side, so that one look-up finds the operation of a known request line.
            let line = UnsafeRawBufferPointer(rebasing: head[..<parser.target.upperBound])
            // Nearly all keys come in the field of the usual name. Whether they do is known of a call before its API is.
            let field = parser.value(lowercased: usualKeyHeader, in: head)
            if let known = known.find(line, field) { return .call(unsafeDowncast(known, to: KnownCall.self)) }
            if let known = matched.find(line) {
                return remember(authorize(unsafeDowncast(known, to: RouteMatch.self), parser, head), line, field)
            }
            let path = UnsafeRawBufferPointer(rebasing: head[parser.target.lowerBound..<parser.pathEnd])
            guard !PercentText.hasDotSegments(path) else { return .ambiguous }
            let method = UnsafeRawBufferPointer(rebasing: head[parser.method])
            guard let place = snapshot.routes.find(path),
                let api = place.entry.find(
                    place.revision,
                    query: query(parser, head),
                    field: { parser.value(lowercased: $0, in: head) }
                ), isReachable(api, connection, head)
            else { return .notFound(nil) }
            let length = place.length
            let rest = UnsafeRawBufferPointer(rebasing: path[length...])
            guard let entry = api.operations.match(method: method, path: rest, query: query(parser, head)) else {
                return preflight(api, parser, head, rest, offset: length)
            }
            let match = RouteMatch(api: api, entry: entry, offset: length)
            // Where a field picks the version, the line alone does not say which it is.
            // The same where a proxy's field says whether the API may be called this way.
            guard !place.entry.readsFields, isTLS ? api.takesHTTPS : api.takesHTTP else {
                return authorize(match, parser, head)
            }
            matched.insert(line, value: match)
            return remember(authorize(match, parser, head), line, field)
        }
    }

    /// Remembers what a line means with a key, where nothing else of the request decided about it.
    private func remember(
        _ decision: Decision,
        _ line: UnsafeRawBufferPointer,
        _ field: UnsafeRawBufferPointer?
    ) -> Decision {
        if case .call(let call) = decision, call.api.hasUsualKeyHeader { known.insert(line, field, value: call) }
        return decision
    }

    /// Whether the API may be called as it was: by http, or by https at a proxy that is believed.
    private func isReachable(
        _ api: APIRoute,
        _ connection: DownstreamConnection,
        _ head: UnsafeRawBufferPointer
    ) -> Bool {
        if isTLS { return api.takesHTTPS }
        if api.takesHTTP { return true }
        guard api.takesHTTPS, trustedProxies.contains(connection.clientAddress) else { return false }
        // What the proxy itself said of its caller: members before it are that caller's word.
        return connection.parser.lastMember("x-forwarded-proto", in: head)
            .map { Octets.equal($0, "https") } ?? false
    }

    /// A browser that asks before a call sends no key and a verb that no operation has: it is answered for the one it asks for.
    private func preflight(
        _ api: APIRoute,
        _ parser: HeadParser,
        _ head: UnsafeRawBufferPointer,
        _ path: UnsafeRawBufferPointer,
        offset: Int
    ) -> Decision {
        guard head[parser.method].elementsEqual("OPTIONS".utf8), parser.value("origin", in: head) != nil,
            let method = parser.value("access-control-request-method", in: head),
            let entry = api.operations.match(method: method, path: path, query: query(parser, head))
        else { return .notFound(api) }
        return .preflight(RouteMatch(api: api, entry: entry, offset: offset))
    }

    private func query(_ parser: HeadParser, _ head: UnsafeRawBufferPointer) -> UnsafeRawBufferPointer {
        let start = min(parser.pathEnd + 1, parser.target.upperBound)
        return UnsafeRawBufferPointer(rebasing: head[start..<parser.target.upperBound])
    }

    /// The decision table of contracts/api-management.md 1.7.
    private func authorize(_ match: RouteMatch, _ parser: HeadParser, _ head: UnsafeRawBufferPointer) -> Decision {
        let api = match.api
        guard let key = api.key(parser, head), !key.text.isEmpty else {
            if let product = snapshot.openAPIs[api.id] { return call(match, callPlan(match, nil, product)) }
            return api.requiresKey ? .unauthorized(match, isKeyMissing: true) : call(match, callPlan(match, nil, nil))
        }
        guard let subscription = subscription(key) else { return .unauthorized(match, isKeyMissing: false) }
        if let known = callPlans.find(match.entry, subscription) { return call(match, known) }
        guard snapshot.isGood(subscription), snapshot.covers(subscription, api: api.id) else {
            return .unauthorized(match, isKeyMissing: false)
        }
        // Policies of a product are those of calls that came in by it.
        if case .product(let product) = subscription.scope {
            return call(match, callPlan(match, subscription, product))
        }
        return call(match, callPlan(match, subscription, nil))
    }

    private func call(_ match: RouteMatch, _ plan: CallPlan) -> Decision {
        .call(KnownCall(match, plan, bodyBytesMax: bodyBytesMax))
    }

    private func callPlan(_ match: RouteMatch, _ subscription: SubscriptionEntry?, _ product: String?) -> CallPlan {
        if let known = callPlans.find(match.entry, subscription) { return known }
        let policies = plan(match, product)
        let plan = CallPlan(
            entry: match.entry,
            subscription: subscription,
            program: policies.program,
            facts: facts(match, subscription, policies.product),
            cell: cell(match, subscription, product)
        )
        callPlans.insert(plan)
        return plan
    }

    /// A key of the query is read as forms are written; one that was put there as it is serves as well.
    private func subscription(_ key: APIRoute.PresentedKey) -> SubscriptionEntry? {
        if key.isEscaped, let found = Array(key.decoded.utf8).withUnsafeBytes({ subscription($0) }) { return found }
        return subscription(key.text)
    }

    private func subscription(_ key: UnsafeRawBufferPointer) -> SubscriptionEntry? {
        if let known = verified.find(key) { return unsafeDowncast(known, to: SubscriptionEntry.self) }
        guard let digest = KeyDigest(hashKey(key)), let found = snapshot.keys[digest] else { return nil }
        verified.insert(key, value: found)
        return found
    }
}
