import HTTPWire
import Logging
import NIOCore
import Policies
import Telemetry

/// What the exchanges of one event loop share.
struct ExchangeSurroundings {
    let wire: WireLoop
    let pool: UpstreamPool
    let local: any LocalBackend
    let answers: GatewayAnswers
    let counters: LimitCounters
    let quotas: QuotaCounters
    /// What the installation is called now.
    let serviceName: () -> String
    let logger: Logger
    let facts: FactRecorder
    /// Of the snapshot in force.
    let backends: () -> [String: ManagedBackend]
    let cache: ResponseCache
    let traces: TraceStore
}

/// One call on its way through the gateway; kept with its connection and used again for its next request.
final class GatewayExchange: UpstreamReceiver {
    /// Bytes of a request kept while its upstream connection is made.
    private static let connectBufferMax = 64 << 10
    /// Answers in turn that point elsewhere and are followed: more go in circles.
    static let redirectsMax = 10

    enum State {
        case idle
        /// Policies have not said yet where the call goes.
        case waiting
        case local(target: ByteBuffer)
        case scoring
        case connecting
        case forwarding(UpstreamConnection)
    }

    let surroundings: ExchangeSurroundings
    var state = State.idle
    var connection: DownstreamConnection?
    private var localCall: (any LocalCall)?
    private(set) var address: UpstreamAddress?
    /// What stands before the operation's path at the upstream.
    private(set) var pathPrefix = ""
    /// What policies do with the call; nil for one without any.
    var policies: PolicyRun?
    /// Bytes for the upstream that are not sent yet: the head until the body's first piece comes, all while connecting.
    var outgoing = ByteBuffer()
    var isRequestWhole = false
    /// The whole request, where it may be sent again on a fresh connection.
    private var replay: ByteBuffer?
    private var isIdempotent = false
    private var isHEAD = false
    private var wantsWebSocket = false
    /// Bytes of the head in what is to go out.
    private(set) var headCount = 0
    /// Bytes of the body that may come and have come.
    var bodyBytesMax = Int.max
    private var bodyBytes = 0
    var incoming: ByteBuffer?
    var hasSentHead = false
    var closesAfterAnswer = false
    /// Tells answers of an abandoned call from those of the current one.
    var turn = 0
    /// What is told of the call when it has ended.
    var record: CallRecord

    init(_ surroundings: ExchangeSurroundings) {
        self.surroundings = surroundings
        record = CallRecord(cell: surroundings.facts.unmatchedCell)
    }

    private var pool: UpstreamPool { surroundings.pool }

    // MARK: - Local services

    /// The key's query parameter ends here: it is the gateway's own, and a service of this installation knows none of that
    /// name.
    func beginLocal(
        _ connection: DownstreamConnection,
        api: APIRoute,
        prefix: String,
        targetOffset: Int
    ) -> BodyPlan {
        reset(connection)
        goLocal(connection, api: api, prefix: prefix, targetOffset: targetOffset)
        return judgeLocal(connection)
    }

    /// Lets the service judge a request whose body is still to come, so that none is kept that would be refused.
    func judgeLocal(_ connection: DownstreamConnection) -> BodyPlan {
        guard case .local(let target) = state, !connection.hasWholeBody else {
            return .collect(bytesMax: surroundings.local.bodyBytesMax)
        }
        switch surroundings.local.judge(target, connection) {
        case .wantsBody(let bytesMax, let isAnonymous):
            return .collect(bytesMax: bytesMax, isAnonymous: isAnonymous && policies == nil)
        case .answered(let answer):
            state = .scoring
            record.serviceBegins()
            takeLocal(answer, connection)
            return .answered
        }
    }

    /// A local service's answer has come.
    private func takeLocal(_ answer: WholeAnswer, _ connection: DownstreamConnection) {
        record.serviceEnds()
        record.backendStatus = answer.status
        if policies != nil { return localAnswer(answer) }
        state = .idle
        self.connection = nil
        connection.send(answer.bytes)
        connection.finish()
    }

    func goLocal(_ connection: DownstreamConnection, api: APIRoute, prefix: String, targetOffset: Int) {
        let range = connection.parser.target
        let pathEnd = connection.parser.pathEnd
        let start = range.lowerBound + targetOffset
        var target = ByteBuffer()
        connection.head.withUnsafeReadableBytes { head in
            let query = UnsafeRawBufferPointer(
                rebasing: head[min(pathEnd + 1, range.upperBound)..<range.upperBound]
            )
            var hasKey = false
            QueryText.forEachItem(query) { name, _ in hasKey = hasKey || PathText.equal(name, api.keyQuery) }
            guard hasKey || !prefix.isEmpty else { return }
            target.reserveCapacity(prefix.utf8.count + range.upperBound - start)
            target.writeString(prefix)
            target.writeBytes(UnsafeRawBufferPointer(rebasing: head[start..<pathEnd]))
            var separator = UInt8(0x3F)
            QueryText.forEachItem(query) { name, item in
                guard !PathText.equal(name, api.keyQuery) else { return }
                target.writeInteger(separator)
                target.writeBytes(item)
                separator = 0x26
            }
        }
        if target.readableBytes == 0 {
            let place = connection.head.readerIndex + start
            target = connection.head.getSlice(at: place, length: range.upperBound - start) ?? target
        }
        state = .local(target: target)
    }

    func score(_ target: ByteBuffer, _ body: ByteBuffer, _ connection: DownstreamConnection) {
        state = .scoring
        record.serviceBegins()
        let current = turn
        localCall = surroundings.local.respond(to: target, connection, body: body) { [self] answer in
            guard current == turn, case .scoring = state else { return }
            localCall = nil
            takeLocal(answer, connection)
        }
        if case .scoring = state {} else { localCall = nil }
    }

    // MARK: - Upstreams

    func beginForward(
        _ address: UpstreamAddress,
        _ connection: DownstreamConnection,
        prefix: String,
        targetOffset: Int
    ) {
        reset(connection)
        goForward(address, connection, prefix: prefix, targetOffset: targetOffset)
        connect()
    }

    /// - Parameter host: in the place of the upstream's own Host.
    func goForward(
        _ address: UpstreamAddress,
        _ connection: DownstreamConnection,
        prefix: String,
        targetOffset: Int,
        host: String? = nil
    ) {
        self.address = address
        pathPrefix = prefix
        let parser = connection.parser
        connection.head.withUnsafeReadableBytes { head in
            let method = head[parser.method]
            isHEAD = method.elementsEqual("HEAD".utf8)
            wantsWebSocket =
                parser.upgradesToWebSocket && parser.framing == .none && method.elementsEqual("GET".utf8)
            isIdempotent = ["GET", "HEAD", "PUT", "DELETE", "OPTIONS", "TRACE"].contains {
                method.elementsEqual($0.utf8)
            }
            outgoing = RequestHead.forwarded(
                head,
                parser,
                host: host ?? address.authority,
                prefix: prefix,
                targetOffset: targetOffset,
                clientAddress: connection.clientAddress,
                wantsWebSocket: wantsWebSocket,
                trace: record.traceContext,
                isTraced: record.parent != nil
            )
        }
        headCount = outgoing.readableBytes
        state = .connecting
    }

    /// Takes a connection for the request whose head is ready.
    func connect() {
        guard let address else { return }
        record.serviceBegins()
        let current = turn
        // As `replay` will be: what comes in pieces is not kept.
        let isRepeatable = isIdempotent && (isRequestWhole || connection?.hasWholeBody ?? false)
        pool.connect(address, isRepeatable: isRepeatable) { [self] result in connected(result, current) }
    }

    private func connected(_ result: Result<UpstreamConnection, any Error>, _ current: Int) {
        guard current == turn, case .connecting = state, let connection else {
            // The client went away meanwhile: the connection is kept for the next call.
            if case .success(let upstream) = result { pool.release(upstream) }
            return
        }
        switch result {
        case .failure(let error):
            policies?.backend?.state.failed("BackendConnectionFailure", now: MonotonicClock.nanoseconds())
            // Nothing was sent yet: another one of the pool may do it.
            if goElsewhere() { return }
            fail(connection, reason: "BackendConnectionFailure: \(String(describing: type(of: error)))")
        case .success(let upstream):
            state = .forwarding(upstream)
            upstream.begin(self, isHEAD: isHEAD, wantsWebSocket: wantsWebSocket, timeout: policies?.timeLeft)
            if isRequestWhole || outgoing.readableBytes > GatewayExchange.connectBufferMax { flushRequest(upstream) }
            connection.setReading(true)
        }
    }

    private func flushRequest(_ upstream: UpstreamConnection) {
        guard outgoing.readableBytes > 0 else { return }
        let bytes = outgoing
        outgoing = ByteBuffer()
        upstream.send(bytes, isLast: isRequestWhole)
    }

    func receiveBody(_ body: ByteBuffer, isLast: Bool, _ connection: DownstreamConnection) {
        if bodyBytesMax != .max {
            bodyBytes += body.readableBytes
            if bodyBytes > bodyBytesMax { return refuseTooLarge(connection) }
        }
        switch state {
        case .local(let target): score(target, policies?.replacedBody ?? body, connection)
        case .waiting: keep(body, isLast, connection)
        // What policies put in its place is on its way already.
        case _ where policies?.replacedBody != nil: break
        case .scoring, .idle: break
        case .connecting:
            append(body, isLast)
            if outgoing.readableBytes > GatewayExchange.connectBufferMax { connection.setReading(false) }
        case .forwarding(let upstream):
            append(body, isLast)
            flushRequest(upstream)
            if !upstream.isWritable { connection.setReading(false) }
        }
    }

    func append(_ body: ByteBuffer, _ isLast: Bool) {
        let isFirst = !isRequestWhole && replay == nil && outgoing.readableBytes > 0
        outgoing.writeImmutableBuffer(body)
        isRequestWhole = isLast
        if isLast, isFirst, isIdempotent { replay = outgoing }
        if let policies, policies.call.program.mayRepeat { policies.noteSent(body) }
    }

    // MARK: - UpstreamReceiver

    var takesUpstreamBytes: Bool { !(policies?.holdsAnswer ?? false) && connection?.isWritable ?? true }

    func upstreamHead(_ head: ByteBuffer, _ upstream: UpstreamConnection) {
        guard let connection else { return }
        replay = nil
        record.backendStatus = upstream.parser.status
        closesAfterAnswer = upstream.parser.framing == .untilClose
        if closesAfterAnswer { connection.endsWithConnection = true }
        if let backend = policies?.backend { note(head, upstream, backend) }
        if policies != nil { return upstreamAnswer(head, upstream) }
        var bytes = ByteBuffer()
        bytes.reserveCapacity(head.readableBytes + 512)
        head.withUnsafeReadableBytes { raw in
            RequestHead.copyFields(raw, upstream.parser, from: 0, to: &bytes)
        }
        if upstream.isTunnel {
            RequestHead.writeUpgrade(to: &bytes)
        } else if closesAfterAnswer || connection.willClose {
            bytes.writeStaticString("Connection: close\r\n")
        }
        bytes.writeStaticString("\r\n")
        incoming = bytes
        if upstream.isTunnel { openTunnel(connection) }
    }

    /// Both sides go on with the WebSocket protocol once the head is out.
    func openTunnel(_ connection: DownstreamConnection) {
        flushHead()
        connection.beginTunnel()
    }

    private func note(_ head: ByteBuffer, _ upstream: UpstreamConnection, _ backend: ManagedBackend) {
        let retryAfter = head.withUnsafeReadableBytes { raw in
            upstream.parser.value("retry-after", in: raw).flatMap { Int(String(decoding: $0, as: UTF8.self)) }
        }
        backend.state.answered(upstream.parser.status, retryAfter: retryAfter, now: MonotonicClock.nanoseconds())
    }

    func upstreamBody(_ body: ByteBuffer, _ upstream: UpstreamConnection) {
        guard let connection else { return }
        if let policies {
            policies.capture?.take(body)
            if policies.holdsAnswer {
                policies.heldBody.setOrWriteImmutableBuffer(body)
                return
            }
        }
        if var head = incoming {
            incoming = nil
            var body = body
            head.writeBuffer(&body)
            hasSentHead = true
            connection.send(head)
        } else {
            connection.send(body)
            if upstream.isTunnel { connection.touchTunnel() }
        }
    }

    func upstreamPause(_ upstream: UpstreamConnection) { flushHead() }

    func upstreamEnd(_ upstream: UpstreamConnection) {
        record.serviceEnds()
        policies?.capture?.isWhole = true
        if let policies, policies.holdsAnswer {
            policies.isAnswerWhole = true
            return
        }
        if let policies { finish(policies) }
        flushHead()
        guard let connection else { return }
        // An answer that came before the request was whole leaves the upstream in the middle of it.
        let isClean = isRequestWhole && outgoing.readableBytes == 0
        let closes = closesAfterAnswer
        state = .idle
        self.connection = nil
        policies = nil
        replay = nil
        if !isClean { upstream.close() }
        connection.finish(close: closes)
        // Only now: a request that came in one packet with this one would be sent on it before the upstream can have closed it.
        if isClean { pool.release(upstream) }
    }

    func upstreamFailed(_ upstream: UpstreamConnection) {
        guard let connection else { return }
        if let unsent = upstream.takeUnsent() {
            // Nothing has left: any request may go elsewhere.
            var whole = unsent
            whole.writeImmutableBuffer(outgoing)
            outgoing = whole
            state = .connecting
            if upstream.isReused, connectAnew() { return }
        } else if !upstream.hasAnswered, upstream.isReused, isIdempotent, let replay {
            // The upstream closed an idle connection as it was taken: nothing was answered, and saying it twice is safe.
            outgoing = replay
            state = .connecting
            if connectAnew() { return }
        }
        policies?.backend?.state.failed("BackendConnectionFailure", now: MonotonicClock.nanoseconds())
        let words = upstream.failure.map { " (\($0.prefix(200)))" } ?? ""
        fail(connection, reason: "BackendConnectionFailure: the connection ended before the answer did\(words)")
    }

    /// Takes a connection that nobody used before for the request whose bytes are `outgoing`.
    private func connectAnew() -> Bool {
        guard let address else { return false }
        let current = turn
        pool.connectNew(address) { [self] result in connected(result, current) }
        return true
    }

    /// Lets go of an attempt that failed, or whose answer is not wanted, so that policies may make another one.
    ///
    /// What has come of the body is kept where all of it is still there.
    func takeBack(_ policies: PolicyRun) {
        record.serviceEnds()
        policies.awaitsAnswer = false
        if policies.replacedBody == nil {
            var kept = policies.call.program.mayRepeat ? policies.sent : nil
            if case .connecting = state {
                // It waits behind the head that was made for the attempt.
                outgoing.moveReaderIndex(forwardBy: headCount)
                kept = outgoing
            }
            if let kept {
                policies.early = kept
                policies.isEarlyWhole = isRequestWhole
                policies.hasSentBody = false
            }
        }
        replay = nil
        outgoing = ByteBuffer()
        isRequestWhole = false
        closesAfterAnswer = false
        state = .waiting
    }

    func upstreamLate(_ upstream: UpstreamConnection) {
        guard let connection, case .forwarding(let current) = state, current === upstream else { return }
        endLate(upstream, connection)
    }

    func upstreamResume(_ upstream: UpstreamConnection) { connection?.setReading(true) }

    func flushHead() {
        guard let head = incoming, let connection else { return }
        incoming = nil
        hasSentHead = true
        connection.send(head)
    }

    // MARK: - Ends

    func downstreamResume() {
        if case .forwarding(let upstream) = state { upstream.resumeReading() }
    }

    func checkTime(_ now: NIODeadline, _ connection: DownstreamConnection) {
        guard case .forwarding(let upstream) = state, upstream.isLate(now) else { return }
        endLate(upstream, connection)
    }

    private func endLate(_ upstream: UpstreamConnection, _ connection: DownstreamConnection) {
        upstream.close()
        policies?.backend?.state.failed("Timeout", now: MonotonicClock.nanoseconds())
        fail(connection, reason: "Timeout")
    }

    /// A body that is longer than the API takes, and did not say so before.
    private func refuseTooLarge(_ connection: DownstreamConnection) {
        bodyBytesMax = .max
        if case .idle = state { return }
        let mayAnswer = !hasSentHead
        cancel()
        guard mayAnswer else { return connection.cut() }
        connection.send(surroundings.answers.refusal(413, connection))
        connection.finish(close: true)
    }

    /// Answers a call whose backend cannot be spoken to.
    func refuse(_ connection: DownstreamConnection, reason: String) {
        reset(connection)
        fail(connection, reason: reason)
    }

    /// Answers 500, or cuts an answer that has begun.
    func fail(_ connection: DownstreamConnection, reason: String) {
        if let policies, policies.awaitsAnswer {
            takeBack(policies)
            return policies.call.forwarded(
                .failure(.inside(String(reason.prefix { $0 != ":" }), reason)),
                // A body of which a part is gone is not sent again.
                mayRepeat: !policies.hasSentBody
            )
        }
        record.serviceEnds()
        if record.error == nil {
            let word = String(reason.prefix { $0 != ":" })
            record.error = RequestFault(source: "forward-request", reason: word, section: "backend", policy: "")
        }
        let activityID = record.id.guid
        surroundings.logger.warning(
            "backend failed",
            metadata: ["request.id": "\(activityID)", "error.code": "\(reason)"]
        )
        if let policies {
            policies.capture = nil
            finish(policies)
            policies.call.cancel()
        }
        policies = nil
        replay = nil
        state = .idle
        turn += 1
        self.connection = nil
        incoming = nil
        if hasSentHead { return connection.cut() }
        connection.send(surroundings.answers.internalError(activityID: activityID, connection))
        connection.finish()
    }

    /// The client has gone.
    func cancel() {
        turn += 1
        policies?.call.cancel()
        policies = nil
        if case .forwarding(let upstream) = state { upstream.close() }
        localCall?.cancel()
        localCall = nil
        state = .idle
        connection = nil
        incoming = nil
        replay = nil
        outgoing = ByteBuffer()
    }

    func reset(_ connection: DownstreamConnection) {
        turn += 1
        self.connection = connection
        policies = nil
        isRequestWhole = false
        replay = nil
        incoming = nil
        hasSentHead = false
        closesAfterAnswer = false
        outgoing = ByteBuffer()
        bodyBytes = 0
    }
}
