import NIOCore

/// What a connection may take: time, memory, and its room at the door.
extension DownstreamConnection {
    /// Bytes that the client has not taken yet.
    package var unsentBytes: Int {
        guard let options = context?.channel.syncOptions else { return 0 }
        return (try? options.getOption(.bufferedWritableBytes)) ?? 0
    }

    /// A quarter is for who was not asked who he is, so that the others have the rest.
    private static let anonymousPart = 4

    /// Counts bytes of a body that is not whole yet.
    ///
    /// - Returns: false where the door holds too many; the request is refused then.
    func holdCollected(_ count: Int, _ isAnonymous: Bool) -> Bool {
        let max = wire.limits.collectedBytesMax / (isAnonymous ? Self.anonymousPart : 1)
        guard wire.collected.take(count, max: max) else {
            refuse(503)
            return false
        }
        collectedCount += count
        return true
    }

    func giveCollected() {
        guard collectedCount > 0 else { return }
        wire.collected.give(collectedCount)
        collectedCount = 0
        collected = nil
    }

    /// Refuses a body whose framing is broken; where an answer has begun, nothing can be said any more.
    func refuseBody() {
        if isAnswered { return closeSoon(isBodyComing: true) }
        guard answerStatus >= 200 else { return refuse(400) }
        responder.abandon(on: self)
        cut()
    }

    // MARK: - Time

    /// Called every second.
    func closeIfLate(_ now: NIODeadline) {
        notePace(now)
        switch state {
        case .responding where !isAnswered: responder.checkTime(now, on: self)
        case .streaming where wantsPause || awaitsContinue:
            // It is not the client who is waited for.
            deadline = now + wire.limits.bodyTimeout
            responder.checkTime(now, on: self)
        default: break
        }
        if isTooSlow() {
            if !isAnswered { responder.abandon(on: self) }
            return cut()
        }
        guard now > deadline else { return }
        switch state {
        case .head:
            guard unsentBytes > 0 else { return cut() }
            // The last answer is still on its way: neither is the client idle, nor is it read meanwhile.
            deadline = now + (isInsideHead ? wire.limits.headTimeout : wire.limits.idleTimeout)
            return
        case .discarding where isAnswered:
            guard unsentBytes > 0 else { return closeSoon() }
            deadline = now + wire.limits.droppedTimeout
            return
        default: break
        }
        if !isAnswered { responder.abandon(on: self) }
        cut()
    }

    /// Whether a body comes at less than the least rate; time in which it was not read does not count.
    private func isTooSlow() -> Bool {
        switch state {
        case .collecting, .streaming, .discarding: break
        default: return false
        }
        guard !wantsPause, !awaitsContinue else {
            rate.pass(received: bytesReceived)
            return false
        }
        return rate.isTooSlow(received: bytesReceived)
    }

    /// Since when nobody has waited for the connection but its client; nil while a request is at work or an answer on its way.
    var restsSince: NIODeadline? {
        guard !isTurnedAway else { return nil }
        switch state {
        case .head: break
        case .discarding, .closed: guard isAnswered else { return nil }
        case .collecting, .streaming, .responding, .tunnel: return nil
        }
        return unsentBytes > 0 ? nil : waitsSince
    }

    /// What a slow client has sent and taken in its last seconds; nil where it is not waited for, or is steady enough.
    var slowBytes: Int? {
        guard !isTurnedAway, let bytes = pace.bytes, bytes < ClientPace.steadyBytes else { return nil }
        return isWaitedFor ? bytes : nil
    }

    private func notePace(_ now: NIODeadline) {
        guard isWaitedFor else { return pace = ClientPace() }
        pace.note(bytesReceived + bytesSent - unsentBytes, at: now)
    }

    /// Whether a request or its answer waits for the client: for the rest of a body, or to take what was sent.
    private var isWaitedFor: Bool {
        switch state {
        case .tunnel: return false
        case .collecting, .streaming, .discarding: if !wantsPause, !awaitsContinue { return true }
        case .head, .responding, .closed: break
        }
        return unsentBytes > 0
    }

    /// Ends the connection for another one, which is counted in its stead.
    func giveWay() {
        isTurnedAway = true
        switch state {
        case .head, .closed: break
        case .collecting, .streaming, .responding, .discarding, .tunnel: if !isAnswered { responder.abandon(on: self) }
        }
        cut()
    }

    /// Closes where no request is open; the last answer may still be on its way.
    func closeIfIdle() {
        closesAfterAnswer = true
        guard case .head = state, pending == nil else { return }
        // What was written in this very turn.
        context?.flush()
        if unsentBytes > 0 { closeSoon() } else { cut() }
    }
}
