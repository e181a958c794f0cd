import HTTPWire
import NIOCore
import Policies
import ResourceModel

// MARK: - Where a call with policies goes

extension GatewayExchange {
    /// The request's head as policies and the backend's credentials made it; nil where it may go on as it came.
    func editedHead(
        _ call: PolicyCall,
        _ policies: PolicyRun,
        _ connection: DownstreamConnection
    ) -> ByteBuffer? {
        if let credentials = policies.backend?.credentials, !credentials.isEmpty {
            return EditedHead.request(credentials.added(to: call.request), connection)
        }
        return call.isRequestUntouched ? nil : EditedHead.request(call.request, connection)
    }

    /// Goes where an answer points, if it is one that does (contracts/api-management.md 3.2: `follow-redirects`).
    ///
    /// As clients of .NET do: a POST becomes a GET but for 307 and 308, https is not left for http, and another host is not told
    /// what was meant for the first.
    func follow(
        _ source: WireResponseSource,
        _ upstream: UpstreamConnection,
        _ policies: PolicyRun
    ) -> Bool {
        let status = source.parser.status
        guard [301, 302, 303, 307, 308].contains(status), policies.redirectCount < GatewayExchange.redirectsMax,
            let location = RedirectTarget.location(source), let current = address,
            let target = RedirectTarget(location, from: current, path: pathPrefix + policies.call.request.currentPath)
        else { return false }
        let call = policies.call
        let method = call.request.method ?? call.request.source.method
        let becomesGET = status == 303 && method != "HEAD" || status < 303 && method == "POST"
        if target.isElsewhere, !becomesGET, holdsSecret(policies) { return false }
        if call.requestBeforeRedirect == nil { call.requestBeforeRedirect = call.request }
        policies.redirectCount += 1
        if policies.redirectsEnd == nil { policies.redirectsEnd = upstream.headDeadline }
        upstream.close()
        if becomesGET {
            call.request.method = "GET"
            call.request.body = .replaced([])
        }
        call.request.backendURL = target.base
        call.request.backendID = nil
        call.request.path = target.path
        call.request.query = target.query
        call.request.headers.set("Authorization", [])
        if target.isElsewhere { leaveSecrets(policies) }
        call.trace?.add("backend", "forward-request", ["redirected": .string(target.base + target.path)])
        takeBack(policies)
        policies.hasSentBody = false
        attempt(call, policies.options)
        return true
    }

    /// Whether policies have put a secret named value into the request's body.
    private func holdsSecret(_ policies: PolicyRun) -> Bool {
        guard case .replaced(let bytes) = policies.call.request.body, !policies.call.program.secrets.isEmpty else {
            return false
        }
        return TraceSecrets(policies.call.program.secrets).isIn(String(decoding: bytes, as: UTF8.self))
    }

    /// Takes out of a request what another host than the one that it was made for must not be told: fields that are secrets by their
    /// names, and those that hold a secret named value.
    private func leaveSecrets(_ policies: PolicyRun) {
        let call = policies.call
        let secrets = TraceSecrets(call.program.secrets)
        let key = (policies.setup.api?.keyHeaderName ?? APIRoute.usualKeyHeaderName).lowercased()
        let names = policies.setup.source.allFields.map(\.name) + call.request.headers.edits.map(\.name.text)
        for name in Set(names.map { $0.lowercased() }) {
            let isSecret =
                name == key || name == "host" || TraceSecrets.isSecret(name: name)
                || call.request.values(name).contains(where: secrets.isIn)
            if isSecret { call.request.headers.set(name, []) }
        }
    }

    /// Lets go of an answer that the policies do not want, so that they may ask again.
    func dropAnswer(_ policies: PolicyRun) {
        if case .forwarding(let upstream) = state {
            if policies.isAnswerWhole, isRequestWhole, outgoing.readableBytes == 0 {
                // After the next attempt has a connection: the upstream may be about to close this one.
                let bound = NIOLoopBound(
                    (pool: surroundings.pool, upstream: upstream),
                    eventLoop: surroundings.wire.loop
                )
                surroundings.wire.loop.execute { bound.value.pool.release(bound.value.upstream) }
            } else {
                upstream.close()
            }
        }
        policies.holdsAnswer = false
        policies.isAnswerWhole = false
        policies.heldBody = nil
        policies.localAnswer = nil
        takeBack(policies)
    }

    /// Whether the call goes to a service of this installation.
    func isLocal(_ policies: PolicyRun) -> Bool {
        let request = policies.call.request
        if let text = request.backendURL {
            if case .local? = try? APIRoute.Backend(url: text) { return true }
            return false
        }
        guard request.backendID == nil, case .local? = policies.setup.api?.backend else { return false }
        return true
    }

    /// Where a call goes.
    func backend(
        _ policies: PolicyRun
    ) throws(PolicyFailure) -> APIRoute.Backend {
        policies.backend = nil
        if let text = policies.call.request.backendURL {
            do throws(BackendURL.Problem) { return try APIRoute.Backend(url: text) } catch {
                throw .inside("BackendConnectionFailure", "The backend's base URL \(error.words).")
            }
        }
        guard let id = policies.call.request.backendID else {
            guard let backend = policies.setup.api?.backend else {
                throw .inside("BackendConnectionFailure", "The API has no service URL.")
            }
            return backend
        }
        let chosen = try choose(id, policies)
        guard case .single(let backend) = chosen.kind else {
            throw .inside("BackendConnectionFailure", "The backend \"\(id)\" is a pool.")
        }
        policies.backend = chosen
        policies.call.trace?.add("backend", "forward-request", ["backendId": .string(chosen.id)])
        return backend
    }

    func choose(_ id: String, _ policies: PolicyRun) throws(PolicyFailure) -> ManagedBackend {
        do throws(BackendProblem) {
            return try surroundings.backends().choose(
                id,
                excluding: policies.unreachable,
                now: MonotonicClock.nanoseconds(),
                draw: { surroundings.wire.nextID() }
            )
        } catch {
            switch error {
            case .unknown:
                throw .inside("BackendConnectionFailure", "There is no backend of the id \"\(id)\".")
            case .unavailable:
                guard policies.unreachable.isEmpty else {
                    throw .inside("BackendConnectionFailure", "No backend of \"\(id)\" can be reached.")
                }
                throw PolicyFailure(
                    status: 503,
                    message: "Service Unavailable",
                    reason: "BackendConnectionFailure",
                    detail: "The circuit of the backend \"\(id)\" is open."
                )
            }
        }
    }

    /// Sends a call to another member of its pool; nothing of it was sent yet.
    ///
    /// - Returns: false where there is no other.
    func goElsewhere() -> Bool {
        guard let policies, let backend = policies.backend, policies.call.request.backendID?.lowercased() != backend.id
        else { return false }
        policies.unreachable.insert(backend.id)
        takeBack(policies)
        policies.hasSentBody = false
        attempt(policies.call, policies.options)
        return true
    }
}
