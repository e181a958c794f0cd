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
        .collect(bytesMax: calls.limits.bodyBytesMax)
    }

    package func receiveBody(_ body: ByteBuffer, isLast: Bool, on connection: DownstreamConnection) {
        let parser = connection.parser
        let place = connection.head.readerIndex + parser.target.lowerBound
        guard let target = connection.head.getSlice(at: place, length: parser.target.count) else { return }
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
        calls.answer(
            status == 413
                ? .memory("The request is longer than \(calls.limits.bodyBytesMax) bytes; use a batch job.")
                : .badArgument("RequestBodyInvalid", "The request is not valid HTTP/1.1."),
            closes: true
        ).bytes
    }

    private func call(_ connection: DownstreamConnection) -> Call {
        // Only this method sets it.
        if let call = connection.exchange { return unsafeDowncast(call, to: Call.self) }
        let call = Call()
        connection.exchange = call
        return call
    }
}
