package import HTTPWire
package import NIOCore
package import NIOPosix
import ResourceModel
import StudioModules

/// The web services of one event loop: target, key and body in, a whole answer out.
///
/// The services door and the gateway both call this, so that a managed call is answered by the same code in the same process.
package final class ServiceCalls: TurnWork {
    private let wire: WireLoop
    private let registry: ServiceRegistry
    private let workers: NIOThreadPool
    package let limits: ServiceLimits
    private let host: @Sendable () -> ServiceHost
    private let hashKey: (UnsafeRawBufferPointer) -> [UInt8]
    private let running: RunningTotal
    private let jobs: BatchJobs
    private var endpoints: [String: ScoringEndpoint] = [:]
    private var generation = 0
    /// Targets of scoring calls that were read before, byte for byte: clients call the same address again and again.
    private var targets = VerifiedKeys()
    /// Calls of this turn of the loop that are scored on it.
    private var waiting: [WaitingCall] = []
    /// Keys that were verified, and the endpoint they open.
    private var verified = VerifiedKeys()

    package init(
        wire: WireLoop,
        registry: ServiceRegistry,
        workers: NIOThreadPool,
        limits: ServiceLimits,
        running: RunningTotal,
        jobs: BatchJobs,
        host: @Sendable @escaping () -> ServiceHost,
        hashKey: @escaping (UnsafeRawBufferPointer) -> [UInt8]
    ) {
        self.wire = wire
        self.registry = registry
        self.workers = workers
        self.limits = limits
        self.running = running
        self.jobs = jobs
        self.host = host
        self.hashKey = hashKey
    }

    private enum Action {
        case answer(WholeAnswer)
        case score(ScoringTarget)
        case job(ScoringEndpoint, JobCall)
        /// The backend of the sample API.
        case echo
    }

    /// Answers a request.
    ///
    /// - Parameters:
    ///   - target: path and query, from the path's first slash on.
    ///   - completion: is called once, perhaps before this returns.
    /// - Returns: what ends the work, where it goes on.
    package func respond(
        to target: ByteBuffer,
        _ connection: DownstreamConnection,
        body: ByteBuffer,
        completion: @escaping (WholeAnswer) -> Void
    ) -> WorkerCall? {
        refresh()
        let action: Action
        do throws(ServiceError) {
            action = try decide(target, connection)
        } catch {
            completion(answer(error))
            return nil
        }
        switch action {
        case .answer(let answer):
            completion(answer)
            return nil
        case .echo:
            completion(EchoAnswer.make(connection, body, wire))
            return nil
        case .score(let scoring):
            let endpoint = scoring.endpoint
            let work = body.readableBytes * (endpoint.definition.outputWidth + 8)
            let bytes = body.getBytes(at: body.readerIndex, length: body.readableBytes) ?? []
            if endpoint.definition.isRowWise, work <= limits.inlineWorkMax,
                endpoint.definition.plan.parameters.isEmpty
            {
                if waiting.isEmpty { wire.runAfterRequests(self) }
                waiting.append(WaitingCall(scoring: scoring, body: bytes, completion: completion))
                return nil
            }
            return scoreOnWorker(endpoint, scoring.call, bytes, completion)
        case .job(let endpoint, let call):
            let bytes = body.getBytes(at: body.readerIndex, length: body.readableBytes) ?? []
            answer(endpoint, call, bytes, completion)
            return nil
        }
    }

    /// What is made of a request whose body is still to come.
    package enum HeadJudgement {
        /// No body can make it right, or none is needed: this is its answer.
        case answered(WholeAnswer)
        /// - Parameter isAnonymous: whether nobody asks who the caller is.
        case wantsBody(bytesMax: Int, isAnonymous: Bool)
    }

    /// Judges path, method, key, query and length by the head, so that nobody's body is kept who would be refused.
    ///
    /// What passes is judged again with its body: meanwhile the service may have changed, and its key too.
    package func judge(_ target: ByteBuffer, _ connection: DownstreamConnection) -> HeadJudgement {
        refresh()
        do throws(ServiceError) {
            switch try decide(target, connection) {
            case .answer(let answer): return .answered(answer)
            case .echo: return .wantsBody(bytesMax: EchoAnswer.bodyBytesMax, isAnonymous: true)
            case .score, .job: return .wantsBody(bytesMax: limits.bodyBytesMax, isAnonymous: false)
            }
        } catch {
            return .answered(answer(error, closes: connection.isRestTooLong || connection.willClose))
        }
    }

    private func refresh() {
        guard registry.refresh(&endpoints, &generation) else { return }
        let discarded = Discarded([verified, targets])
        verified = VerifiedKeys()
        targets = VerifiedKeys()
        discarded.release()
    }

    /// A call that is scored when all requests of the turn were read; there is one a connection at most.
    private struct WaitingCall {
        let scoring: ScoringTarget
        let body: [UInt8]
        let completion: (WholeAnswer) -> Void
    }

    /// Bytes of bodies after which those that were scored are answered before the others are: more would push each other out of the
    /// processor's cache, and hold their memory twice.
    private static let scoredBytesMax = 64 << 10

    /// Scores what waits, then answers it.
    package func run() {
        let calls = waiting
        waiting.removeAll(keepingCapacity: true)
        var place = 0
        while place < calls.count {
            let first = place
            var bytes = 0
            var results: [Result<[UInt8], ServiceError>] = []
            results.reserveCapacity(calls.count - first)
            while place < calls.count, bytes < ServiceCalls.scoredBytesMax {
                let scoring = calls[place].scoring
                do throws(ServiceError) {
                    let body = try scoring.call.run(calls[place].body, nil, scoring.shapes)
                    bytes += body.count
                    results.append(.success(body))
                } catch {
                    results.append(.failure(error))
                }
                place += 1
            }
            for (offset, result) in results.enumerated() {
                switch result {
                case .success(let body): calls[first + offset].completion(answer(body))
                case .failure(let error): calls[first + offset].completion(answer(error))
                }
            }
        }
    }

    /// Answers a call about jobs once the store has; it goes on when its caller goes away, since it may be done already.
    private func answer(
        _ endpoint: ScoringEndpoint,
        _ call: JobCall,
        _ body: [UInt8],
        _ completion: @escaping (WholeAnswer) -> Void
    ) {
        guard running.jobCalls.enter(max: BatchLimits.callsMax) else {
            return completion(answer(.noMoreResources("Too many calls about jobs are being answered.")))
        }
        let bound = NIOLoopBound((calls: self, completion: completion), eventLoop: wire.loop)
        let loop = wire.loop
        let (jobs, running) = (jobs, running)
        // Awaited by nobody: the loop is told the result, and the count above bounds how many there are.
        Task {
            let result: Result<[UInt8], ServiceError>
            do {
                result = .success(try await call.run(jobs, endpoint, body))
            } catch {
                result = .failure(JobCall.error(error))
            }
            running.jobCalls.leave()
            loop.execute {
                switch result {
                case .success(let bytes): bound.value.completion(bound.value.calls.answer(bytes))
                case .failure(let error): bound.value.completion(bound.value.calls.answer(error))
                }
            }
        }
    }

    private func scoreOnWorker(
        _ endpoint: ScoringEndpoint,
        _ call: RRSCall,
        _ body: [UInt8],
        _ completion: @escaping (WholeAnswer) -> Void
    ) -> WorkerCall? {
        guard endpoint.running.enter(max: endpoint.maxConcurrentCalls) else {
            completion(answer(.throttled(endpoint: endpoint.id, max: endpoint.maxConcurrentCalls)))
            return nil
        }
        guard running.count.enter(max: limits.concurrentCallsMax) else {
            endpoint.running.leave()
            completion(answer(.noMoreResources))
            return nil
        }
        let token = CallToken(deadline: .now() + limits.timeout)
        let running = running
        let bound = NIOLoopBound((calls: self, completion: completion), eventLoop: wire.loop)
        let loop = wire.loop
        workers.submit { state in
            let result: Result<[UInt8], ServiceError>
            if case .active = state {
                result = Result { () throws(ServiceError) in try call.run(body, token) }
            } else {
                result = .failure(.noMoreResources)
            }
            endpoint.running.leave()
            running.count.leave()
            loop.execute {
                switch result {
                case .success(let bytes): bound.value.completion(bound.value.calls.answer(bytes))
                case .failure(let error): bound.value.completion(bound.value.calls.answer(error))
                }
            }
        }
        return WorkerCall(token)
    }

    // MARK: - Deciding

    private func decide(_ target: ByteBuffer, _ connection: DownstreamConnection) throws(ServiceError) -> Action {
        if let known = target.withUnsafeReadableBytes({ targets.find($0) }), isPost(connection) {
            let known = unsafeDowncast(known, to: ScoringTarget.self)
            try authorize(known.endpoint, connection)
            return .score(known)
        }
        if EchoAnswer.isAskedFor(by: target) { return .echo }
        let parts = try TargetParts(target)
        guard let endpoint = endpoints[parts.endpoint] else { throw parts.unknownService }
        guard endpoint.definition.workspace == parts.workspace else {
            throw .notFound("WorkspaceNotFound", "The workspace \(parts.workspace.prefix(64)) was not found.")
        }
        let method = connection.head.withUnsafeReadableBytes {
            String(decoding: $0[connection.parser.method], as: UTF8.self)
        }
        switch (method, parts.operation) {
        case ("GET", "swagger.json"), ("HEAD", "swagger.json"):
            let document = SwaggerDocument(endpoint: endpoint, host: host()).json
            return .answer(answer(document.bytes, omitsBody: method == "HEAD"))
        case ("POST", "execute"):
            try authorize(endpoint, connection)
            let call = RRSCall(definition: endpoint.definition, form: try parts.executeForm(), limits: limits)
            let scoring = ScoringTarget(endpoint: endpoint, call: call)
            target.withUnsafeReadableBytes { targets.insert($0, value: scoring) }
            return .score(scoring)
        case ("POST", "score"):
            try authorize(endpoint, connection)
            let call = RRSCall(definition: endpoint.definition, form: .score, limits: limits)
            return .score(ScoringTarget(endpoint: endpoint, call: call))
        default:
            if let call = try JobCall(method: method, parts) {
                try authorize(endpoint, connection)
                return .job(endpoint, call)
            }
            throw .notFound(
                "WebServiceNotFound",
                "The service has no operation \(method.prefix(16)) \(parts.operation.prefix(64))."
            )
        }
    }

    private func isPost(_ connection: DownstreamConnection) -> Bool {
        connection.head.withUnsafeReadableBytes { head in
            connection.parser.method.count == 4 && head[0] == 0x50 && head[1] == 0x4F && head[2] == 0x53
                && head[3] == 0x54
        }
    }

    /// Either key of the endpoint, as `Bearer` in any case, however many blanks follow.
    private func authorize(_ endpoint: ScoringEndpoint, _ connection: DownstreamConnection) throws(ServiceError) {
        let isAuthorized = connection.head.withUnsafeReadableBytes { head -> Bool in
            guard let value = connection.value("authorization", in: head), value.count > 7,
                Octets.equal(UnsafeRawBufferPointer(rebasing: value[..<6]), "bearer"), value[6] == 0x20
            else { return false }
            var start = 7
            while start < value.count, value[start] == 0x20 { start += 1 }
            let key = UnsafeRawBufferPointer(rebasing: value[start...])
            guard !key.isEmpty else { return false }
            if verified.find(key) === endpoint { return true }
            let hash = hashKey(key)
            var isKnown = false
            for known in endpoint.keyHashes where ConstantTime.equal(known, hash) { isKnown = true }
            if isKnown { verified.insert(key, value: endpoint) }
            return isKnown
        }
        guard isAuthorized else { throw .unauthorized }
    }

    // MARK: - Answers

    /// Bytes of a head of `answer(_:omitsBody:)` at most: its texts and the date have some 180, its id 32, its number 19.
    private static let successHeadMax = 256

    private func answer(_ body: [UInt8], omitsBody: Bool = false) -> WholeAnswer {
        var buffer = ByteBuffer()
        var headCount = 0
        buffer.writeWithUnsafeMutableBytes(minimumWritableBytes: ServiceCalls.successHeadMax + body.count) { room in
            var writer = RoomWriter(room)
            writer.write("HTTP/1.1 200 OK\r\nContent-Type: application/json; charset=utf-8\r\nx-ms-request-id: ")
            wire.writeID(to: &writer)
            writer.write("\r\nContent-Length: ")
            writer.writeDecimal(body.count)
            writer.write("\r\n")
            wire.writeDate(to: &writer)
            writer.write("\r\n")
            headCount = writer.count
            if !omitsBody { writer.write(body) }
            return writer.count
        }
        return WholeAnswer(status: 200, headCount: headCount, bytes: buffer)
    }

    package func answer(_ error: ServiceError, closes: Bool = false) -> WholeAnswer {
        let body = error.document.bytes
        var buffer = ByteBuffer()
        writeHead(&buffer, status: error.status, contentLength: body.count, closes: closes)
        let headCount = buffer.readableBytes
        buffer.writeBytes(body)
        return WholeAnswer(status: error.status, headCount: headCount, bytes: buffer)
    }

    private func writeHead(_ buffer: inout ByteBuffer, status: Int, contentLength: Int, closes: Bool = false) {
        ResponseBytes.writeHead(
            to: &buffer,
            status: status,
            contentType: "application/json; charset=utf-8",
            contentLength: contentLength,
            on: wire
        ) { buffer in
            buffer.writeStaticString("x-ms-request-id: ")
            wire.writeID(to: &buffer)
            buffer.writeStaticString(closes ? "\r\nConnection: close\r\n" : "\r\n")
        }
    }
}

/// What a target asks for.
private final class ScoringTarget {
    let endpoint: ScoringEndpoint
    let call: RRSCall
    let shapes = RequestShapes()

    init(endpoint: ScoringEndpoint, call: RRSCall) {
        self.endpoint = endpoint
        self.call = call
    }
}

/// How the services door is reached from outside.
package struct ServiceHost: Sendable {
    /// Without a closing slash.
    package let servicesURL: String
    package let portalURL: String

    package init(servicesURL: String, portalURL: String) {
        self.servicesURL = servicesURL
        self.portalURL = portalURL
    }
}

/// Calls on workers, and calls about jobs, over all endpoints and loops.
package final class RunningTotal: Sendable {
    let count = RunningCount()
    let jobCalls = RunningCount()
    package init() {}
}

/// A call that a worker is scoring.
package final class WorkerCall {
    private let token: CallToken
    init(_ token: CallToken) { self.token = token }
    package func cancel() { token.cancel() }
}
