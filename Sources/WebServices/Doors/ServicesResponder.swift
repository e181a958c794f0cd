package import HTTPWire
package import NIOCore

/// The services door on one event loop.
package final class ServicesResponder: WireResponder {
    private final class Call {
        var running: WorkerCall?
        /// Tells the answer of an abandoned call from that of the current one.
        var turn = 0
    }

    private let calls: ServiceCalls

    package init(calls: ServiceCalls) { self.calls = calls }

    package func receiveHead(on connection: DownstreamConnection) -> BodyPlan {
        // Of what came whole nothing has to be kept: it is judged once, with its body.
        guard !connection.hasWholeBody, let target = target(connection) else {
            return .collect(bytesMax: calls.limits.bodyBytesMax)
        }
        switch calls.judge(target, connection) {
        case .wantsBody(let bytesMax, let isAnonymous):
            return .collect(bytesMax: bytesMax, isAnonymous: isAnonymous)
        case .answered(let answer):
            connection.send(answer.bytes)
            connection.finish()
            return .answered
        }
    }

    /// Path and query.
    private func target(_ connection: DownstreamConnection) -> ByteBuffer? {
        let parser = connection.parser
        return connection.head.getSlice(
            at: connection.head.readerIndex + parser.target.lowerBound,
            length: parser.target.count
        )
    }

    package func receiveBody(_ body: ByteBuffer, isLast: Bool, on connection: DownstreamConnection) {
        guard let target = target(connection) else { return }
        let call = call(connection)
        call.turn += 1
        let turn = call.turn
        call.running = calls.respond(to: target, connection, body: body) { answer in
            guard turn == call.turn else { return }
            call.running = nil
            connection.send(answer.bytes)
            connection.finish()
        }
    }

    package func abandon(on connection: DownstreamConnection) {
        let call = call(connection)
        call.turn += 1
        call.running?.cancel()
        call.running = nil
    }

    package func resume(on connection: DownstreamConnection) {}

    /// Calls end by their own deadline.
    package func checkTime(_ now: NIODeadline, on connection: DownstreamConnection) {}

    package func refusal(_ status: Int, on connection: DownstreamConnection) -> ByteBuffer {
        let error: ServiceError
        switch status {
        case 413: error = .memory("The request is longer than \(calls.limits.bodyBytesMax) bytes; use a batch job.")
        case 503: error = .noMoreResources("Too many bytes of unfinished requests are held; try again later.")
        default: error = .badArgument("RequestBodyInvalid", "The request is not valid HTTP/1.1.")
        }
        return calls.answer(error, closes: true).bytes
    }

    private func call(_ connection: DownstreamConnection) -> Call {
        // Only this method sets it.
        if let call = connection.exchange { return unsafeDowncast(call, to: Call.self) }
        let call = Call()
        connection.exchange = call
        return call
    }
}
