import HTTPWire
import Logging
import NIOCore
import Policies
import ResourceModel
import Telemetry

/// What a call with policies is made of.
struct PolicySetup {
    /// nil for a call that no API was found for.
    let api: APIRoute?
    /// How many bytes of the path are the API's.
    let offset: Int
    let facts: PolicyFacts
    let source: WireRequestSource
    /// How the caller is told of the call's trace; nil where there is none.
    let trace: TraceWish?
}

/// The state of a call with policies, beside that of its exchange.
final class PolicyRun {
    /// Bytes of a request that are kept while its policies wait.
    static let earlyBytesMax = 64 << 10
    /// Bytes of a body that is waited for as a whole (the contract's bound of a buffered payload).
    static let bufferedBytesMax = 2 << 20

    let call: PolicyCall
    let setup: PolicySetup
    /// From the request's end to that of the answer's head; nil for the usual time.
    var timeout: TimeAmount?
    /// When the time of a call is over that went on from its first backend to others, by redirects; nil at the first one.
    var redirectsEnd: NIODeadline?
    /// The time that is left for the answer's head.
    var timeLeft: TimeAmount? { redirectsEnd.map { max(.milliseconds(1), $0 - .now()) } ?? timeout }
    /// What goes out in the place of the request's body.
    var replacedBody: ByteBuffer?
    /// What came of the request before the policies said where it goes, with its framing.
    var early: ByteBuffer?
    var isEarlyWhole = false
    /// What the current attempt sent of the body, with its framing, where `retry` may send it again; nil once it is too long to be kept.
    private(set) var sent: ByteBuffer?
    /// The whole request's body, where all of it is waited for.
    var collected: ByteBuffer?
    /// Whether the body is taken as a whole, and up to how many bytes.
    let collectsMax: Int?
    /// What waits for the whole body.
    var waitingForward: ForwardOptions?
    /// Whether the head of the connection is the one that the policies made.
    var isHeadEdited = false
    /// Whether a part of the body went to a backend already.
    var hasSentBody = false
    /// Whether the policies have the backend's answer and have not said yet what becomes of it.
    var holdsAnswer = false
    var heldBody: ByteBuffer?
    var isAnswerWhole = false
    /// A local service's answer.
    var localAnswer: LocalAnswer?
    /// Takes the answer's body on its way past, where it is wanted for the cache.
    var capture: AnswerCapture?
    /// What the current `forward-request` asks for.
    var options = ForwardOptions()
    /// Answers that pointed elsewhere and were followed.
    var redirectCount = 0
    /// The managed backend that the call went to.
    var backend: ManagedBackend?
    /// Those that could not be reached in the current attempt.
    var unreachable: Set<String> = []
    /// Whether the policies wait for the backend's answer: a failure is theirs.
    var awaitsAnswer = false
    /// By what the trace is found.
    let traceID: String?

    func beginAttempt() {
        early = nil
        isEarlyWhole = false
        sent = ByteBuffer()
        awaitsAnswer = true
    }

    func noteSent(_ body: ByteBuffer) {
        sent?.writeImmutableBuffer(body)
        if sent?.readableBytes ?? 0 > PolicyRun.earlyBytesMax { sent = nil }
    }

    init(call: PolicyCall, setup: PolicySetup, collectsMax: Int?, traceID: String?) {
        self.traceID = traceID
        self.call = call
        self.setup = setup
        self.collectsMax = collectsMax
    }
}

extension GatewayExchange {
    /// Runs a call's policies, as far as they go without waiting.
    func begin(_ program: PolicyProgram, _ setup: PolicySetup, _ connection: DownstreamConnection) -> BodyPlan {
        prepare(program, setup, connection).start()
        return plan(connection)
    }

    /// Answers a call that was refused, after its on-error policies.
    func refuse(
        _ failure: PolicyFailure,
        _ program: PolicyProgram,
        _ setup: PolicySetup,
        _ connection: DownstreamConnection
    ) -> BodyPlan {
        prepare(program, setup, connection).fail(failure)
        return plan(connection)
    }

    func answerPreflight(
        _ program: PolicyProgram,
        _ setup: PolicySetup,
        _ connection: DownstreamConnection
    ) -> BodyPlan {
        prepare(program, setup, connection).answerPreflight()
        return plan(connection)
    }

    private func prepare(
        _ program: PolicyProgram,
        _ setup: PolicySetup,
        _ connection: DownstreamConnection
    ) -> PolicyCall {
        reset(connection)
        state = .waiting
        let trace = setup.trace.map { _ in CallTrace.ofGateway(start: record.start, hiding: program.secrets) }
        let call = PolicyCall(
            program: program,
            facts: setup.facts,
            source: setup.source,
            effects: self,
            trace: trace
        )
        var collectsMax: Int?
        if program.buffersRequests { collectsMax = PolicyRun.bufferedBytesMax }
        if case .local? = setup.api?.backend { collectsMax = surroundings.local.bodyBytesMax }
        // Not to be guessed: whoever knows it may read the trace.
        let traceID = setup.trace.map { _ in Identifier.guid() }
        policies = PolicyRun(call: call, setup: setup, collectsMax: collectsMax, traceID: traceID)
        if let trace { beginTrace(trace, setup) }
        return call
    }

    /// How the body is wanted, by what the policies did so far.
    private func plan(_ connection: DownstreamConnection) -> BodyPlan {
        switch state {
        case .idle: return .answered
        case .local: return judgeLocal(connection)
        case .waiting where policies?.collectsMax != nil:
            return .collect(bytesMax: policies?.collectsMax ?? 0)
        case .waiting, .scoring, .connecting, .forwarding: return .stream
        }
    }

    /// Keeps what comes of a request while its policies wait.
    func keep(_ body: ByteBuffer, _ isLast: Bool, _ connection: DownstreamConnection) {
        guard let policies else { return }
        if policies.collectsMax != nil {
            policies.collected = body
            if let options = policies.waitingForward {
                policies.waitingForward = nil
                forward(policies.call, options)
            }
            return
        }
        var body = body
        policies.early.setOrWriteBuffer(&body)
        policies.isEarlyWhole = isLast
        if policies.early?.readableBytes ?? 0 > PolicyRun.earlyBytesMax { connection.setReading(false) }
    }

    // MARK: - Answers

    /// A backend's head has come: the policies go on with it.
    func upstreamAnswer(_ head: ByteBuffer, _ upstream: UpstreamConnection) {
        let source = WireResponseSource(head: head, parser: upstream.parser)
        if let policies, policies.options.followsRedirects, follow(source, upstream, policies) { return }
        holdAnswer(source, source.parser.status)
    }

    /// A local service's whole answer.
    func localAnswer(_ whole: WholeAnswer) {
        let answer = LocalAnswer(whole, limits: surroundings.wire.limits)
        policies?.localAnswer = answer
        holdAnswer(answer, answer.status)
    }

    private func holdAnswer(_ source: any HeaderSource, _ status: Int) {
        guard let policies else { return }
        policies.awaitsAnswer = false
        policies.holdsAnswer = true
        policies.call.trace?.add("backend", "forward-request", ["response": ["status": .int(status)]])
        policies.call.forwarded(.success(PolicyResponse(status: status, source: source, body: .streamed)))
    }

    /// The policies have ended: their answer goes out.
    func ended(_ call: PolicyCall) {
        guard let policies, policies.call === call, let connection, var response = call.response else { return }
        record.cache = call.wasCached.map { $0 ? .hit : .miss } ?? .none
        record.bandwidth = call.bandwidth
        if let trace = policies.setup.trace, let id = policies.traceID {
            for field in trace.fields(id) { response.headers.set(FieldName(field.name), to: field.value) }
        }
        if let error = call.lastError { record.note(error) }
        if let error = call.lastError, response.status == 500 {
            surroundings.logger.warning(
                "call failed",
                metadata: ["request.id": "\(call.requestID)", "error.code": "\(error.source)/\(error.reason)"]
            )
        }
        switch response.body {
        case .bytes(let bytes): sendOwn(response, bytes, connection)
        case .kept(let bytes): sendOwn(response, bytes, isOwnBody: true, connection)
        case .streamed:
            if let local = policies.localAnswer { return send(local, response, policies, connection) }
            guard let source = response.wireSource else { return }
            if !Self.fits(response.status, source.parser.status) {
                return sendOwn(response, [], connection)
            }
            var head = EditedHead.response(response, source)
            let isTunnel = if case .forwarding(let upstream) = state { upstream.isTunnel } else { false }
            if isTunnel {
                RequestHead.writeUpgrade(to: &head)
            } else if closesAfterAnswer || connection.willClose {
                head.writeStaticString("Connection: close\r\n")
            }
            head.writeStaticString("\r\n")
            policies.holdsAnswer = false
            if let held = policies.heldBody { head.writeImmutableBuffer(held) }
            incoming = head
            guard case .forwarding(let upstream) = state else { return }
            if isTunnel { openTunnel(connection) }
            if policies.isAnswerWhole { return upstreamEnd(upstream) }
            upstream.resumeReading()
        }
    }

    /// Sends a local service's answer with what the policies made of its head.
    private func send(
        _ answer: LocalAnswer,
        _ response: PolicyResponse,
        _ policies: PolicyRun,
        _ connection: DownstreamConnection
    ) {
        let body = answer.body
        if let capture = policies.capture {
            capture.take(body)
            capture.isWhole = true
        }
        let isAsItCame = response.status == answer.status && response.reason == nil
        if isAsItCame, let bytes = answer.adding(response.headers.edits, closes: connection.willClose) {
            connection.send(bytes)
            return end(connection)
        }
        guard let source = answer.parsed, Self.fits(response.status, answer.status) else {
            return sendOwn(response, [], connection)
        }
        var head = EditedHead.response(response, source, bodyCount: body.readableBytes)
        if connection.willClose { head.writeStaticString("Connection: close\r\n") }
        head.writeStaticString("\r\n")
        head.writeImmutableBuffer(body)
        connection.send(head)
        end(connection)
    }

    private func sendOwn(
        _ response: PolicyResponse,
        _ bytes: [UInt8],
        isOwnBody: Bool = false,
        _ connection: DownstreamConnection
    ) {
        var head = EditedHead.response(
            response,
            bodyCount: bytes.count,
            isOwnBody: isOwnBody,
            surroundings.wire
        )
        if connection.willClose { head.writeStaticString("Connection: close\r\n") }
        head.writeStaticString("\r\n")
        let isHEAD = policies?.setup.source.isHEAD == true
        if !isHEAD, !Self.hasNoBody(response.status) { head.writeBytes(bytes) }
        connection.send(head)
        // The rest of what the backend says is not wanted.
        if case .forwarding(let upstream) = state { upstream.close() }
        end(connection)
    }

    /// Statuses whose answers end with their head (RFC 9112, 6.3).
    static func hasNoBody(_ status: Int) -> Bool { status == 204 || status == 304 }

    /// Whether an answer's framing may stay where policies gave it another status.
    ///
    /// A status without a body fits none but itself: what a 304 says of a length is nothing for a 204.
    private static func fits(_ status: Int, _ original: Int) -> Bool {
        status == original || !hasNoBody(status) && !hasNoBody(original)
    }

    /// What is done with a call's capture and trace once its answer is whole, or has broken off.
    func finish(_ policies: PolicyRun) {
        if let capture = policies.capture, let answer = capture.answer {
            let now = MonotonicClock.nanoseconds()
            let end = now &+ UInt64(capture.seconds) &* 1_000_000_000
            surroundings.cache.insert(answer, at: capture.place, end: end, now: now)
        }
        policies.capture = nil
        if let trace = policies.call.trace, let id = policies.traceID { endTrace(trace, id, policies) }
    }

    private func end(_ connection: DownstreamConnection) {
        state = .idle
        turn += 1
        if let policies { finish(policies) }
        policies = nil
        self.connection = nil
        incoming = nil
        connection.finish()
    }
}

// MARK: - What policies do

extension GatewayExchange: PolicyEffects {
    var serviceName: String { surroundings.serviceName() }

    func makeRequestID() -> String { record.id.guid }

    func reason(_ status: Int) -> String { ResponseBytes.reason(status) }

    func take(_ window: RateWindow, increment: Int) -> RateVerdict {
        surroundings.counters.take(window, increment: increment)
    }

    func take(_ window: QuotaWindow, increment: Int, _ call: PolicyCall) -> QuotaVerdict {
        surroundings.quotas.take(window, increment: increment) {
            let current = turn
            let loop = surroundings.wire.loop
            let bound = NIOLoopBound((exchange: self, call: call), eventLoop: loop)
            return {
                loop.execute {
                    guard bound.value.exchange.turn == current else { return }
                    bound.value.call.tryAgain()
                }
            }
        }
    }

    func add(_ window: QuotaWindow, _ count: Int) { surroundings.quotas.add(window, count) }

    func acquire(_ key: String, max: Int) -> Bool { surroundings.counters.acquire(key, max: max) }

    func release(_ key: String) { surroundings.counters.release(key) }

    func cached(_ request: CacheRequest) -> CachedAnswer? {
        surroundings.cache.find(request, now: MonotonicClock.nanoseconds()).map { found in
            let source = found.answer.source
            return CachedAnswer(
                response: PolicyResponse(
                    status: source.parser.status,
                    source: source,
                    body: .kept(found.answer.body)
                ),
                secondsKept: found.secondsKept,
                secondsLeft: found.secondsLeft
            )
        }
    }

    func keep(_ response: PolicyResponse, _ request: CacheRequest, varyingBy names: [String], seconds: Int) {
        guard let policies, let place = ResponseCache.Place(request, varyingBy: names) else { return }
        switch response.body {
        case .kept: break
        case .bytes(let bytes):
            capture(response, place, seconds, isOwnBody: false, isChunked: false)
            policies.capture?.take(ByteBuffer(bytes: bytes))
            policies.capture?.isWhole = true
        case .streamed:
            // How long a body until the connection's end is cannot be told from one that broke off.
            guard let framing = response.wireSource?.parser.framing, framing != .untilClose else {
                return
            }
            capture(response, place, seconds, isOwnBody: true, isChunked: framing == .chunked)
            if let held = policies.heldBody { policies.capture?.take(held) }
            policies.capture?.isWhole = policies.isAnswerWhole
        }
    }

    private func capture(
        _ response: PolicyResponse,
        _ place: ResponseCache.Place,
        _ seconds: Int,
        isOwnBody: Bool,
        isChunked: Bool
    ) {
        policies?.capture = AnswerCapture(
            EditedHead.kept(response, isOwnBody: isOwnBody),
            place: place,
            seconds: seconds,
            isChunked: isChunked,
            surroundings.wire.limits
        )
    }

    func emit(_ metric: EmittedMetric) {
        surroundings.facts.emit(
            MetricSample(
                name: metric.name,
                namespace: metric.namespace,
                value: metric.value,
                dimensions: metric.dimensions
            )
        )
    }

    func wait(_ milliseconds: Int64, _ call: PolicyCall) {
        let current = turn
        let bound = NIOLoopBound((exchange: self, call: call), eventLoop: surroundings.wire.loop)
        surroundings.wire.loop.scheduleTask(in: .milliseconds(milliseconds)) {
            guard bound.value.exchange.turn == current else { return }
            bound.value.call.resume()
        }
    }

    func forward(_ call: PolicyCall, _ options: ForwardOptions) {
        guard let policies else { return }
        policies.unreachable = []
        policies.redirectCount = 0
        policies.redirectsEnd = nil
        if policies.holdsAnswer { dropAnswer(policies) }
        attempt(call, options)
    }

    /// Sends the request to one backend; a failure is told to the policies.
    func attempt(_ call: PolicyCall, _ options: ForwardOptions) {
        guard let connection, let policies else { return }
        guard case .waiting = state, !policies.hasSentBody else {
            return call.forwarded(
                .failure(
                    .inside(
                        "BackendConnectionFailure",
                        "A body that is not buffered (buffer-request-body) is sent once."
                    )
                ),
                mayRepeat: false
            )
        }
        // A service of this installation judges by the head first, and waits for the body itself.
        if policies.collectsMax != nil, policies.collected == nil, case .original = call.request.body,
            connection.parser.framing != .none, call.program.buffersRequests || !isLocal(policies)
        {
            policies.waitingForward = options
            return
        }
        let backend: APIRoute.Backend
        do throws(PolicyFailure) { backend = try self.backend(policies) } catch {
            return call.forwarded(.failure(error))
        }
        policies.options = options
        policies.timeout = options.timeout.map { .milliseconds($0) }
        // A body that was waited for as a whole lost its framing; an empty one had one, too, where it came in chunks.
        if let collected = policies.collected, collected.readableBytes > 0 || connection.parser.framing != .none,
            case .http = backend, case .original = call.request.body
        {
            call.request.body = .replaced(Array(collected.readableBytesView))
        }
        if policies.isHeadEdited {
            // What an earlier attempt was sent with is not for this one.
            policies.isHeadEdited = !connection.replaceHead(policies.setup.source.original)
        }
        if let edited = editedHead(call, policies, connection) {
            policies.setup.source.keepFields()
            guard connection.replaceHead(edited) else {
                return call.forwarded(
                    .failure(.inside("BackendConnectionFailure", "The request that the policies made is not valid."))
                )
            }
            policies.isHeadEdited = true
        }
        let offset = policies.isHeadEdited ? 0 : policies.setup.offset
        if case .replaced(let bytes) = call.request.body { policies.replacedBody = ByteBuffer(bytes: bytes) }
        switch backend {
        case .unsupported(let reason): call.forwarded(.failure(.inside("BackendConnectionFailure", reason)))
        case .local(let prefix):
            guard let api = policies.setup.api else { return }
            goLocal(connection, api: api, prefix: prefix, targetOffset: offset)
            if let collected = policies.collected, case .local(let target) = state {
                score(target, policies.replacedBody ?? collected, connection)
            }
        case .http(let address, let prefix):
            let host = call.request.headers.edit("host")?.first
            let (early, isWhole) = (policies.early, policies.isEarlyWhole)
            policies.beginAttempt()
            goForward(address, connection, prefix: prefix, targetOffset: offset, host: host)
            if let body = policies.replacedBody {
                append(body, true)
            } else if connection.parser.framing == .none {
                append(ByteBuffer(), true)
            } else if early != nil || isWhole {
                append(early ?? ByteBuffer(), isWhole)
            }
            policies.hasSentBody = policies.replacedBody == nil && connection.parser.framing != .none
            connect()
        }
    }
}
