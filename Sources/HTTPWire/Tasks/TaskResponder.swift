package import NIOCore

/// A door on one event loop whose requests are tasks: body and answer stream between the two.
package final class TaskResponder: WireResponder {
    private let wire: WireLoop
    private let door: any TaskDoor

    package init(wire: WireLoop, door: any TaskDoor) {
        self.wire = wire
        self.door = door
    }

    package var keepsPortalCookies: Bool { door.keepsPortalCookies }

    /// Time in which a client takes nothing of an answer before it is given up.
    private static let stallTimeout = TimeAmount.seconds(60)

    /// What a connection's current request is about; touched on its loop only.
    private final class Exchange {
        var body: RequestBody?
        var writer: ReplyWriter?
        var task: Task<Void, Never>?
        var chunks: ChunkedBody?
        /// The request's head, for what an answer repeats of it where its body breaks.
        var head: TaskHead?
        /// Tells a request's late steps from the next one's.
        var turn = 0
        var lastProgress = NIODeadline.now()
        /// Bytes that the client had not taken when it was last looked at.
        var unsentBytes = 0
        var isWaiting = false
    }

    package func receiveHead(on connection: DownstreamConnection) -> BodyPlan {
        let exchange = exchange(connection)
        exchange.turn += 1
        let turn = exchange.turn
        let parser = connection.parser
        let length: Int64?
        switch parser.framing {
        case .length(let count): length = Int64(count)
        case .none: length = 0
        case .chunked, .untilClose: length = nil
        }
        let bound = NIOLoopBound((responder: self, connection: connection, exchange: exchange), eventLoop: wire.loop)
        let loop = wire.loop
        let body = RequestBody(
            length: length,
            load: door.load,
            ask: { loop.execute { if bound.value.exchange.turn == turn { bound.value.connection.askForBody() } } },
            wantMore: {
                loop.execute { if bound.value.exchange.turn == turn { bound.value.connection.setReading(true) } }
            }
        )
        let writer = ReplyWriter(load: door.load) { bytes, hasRoom in
            loop.execute {
                let (_, connection, exchange) = bound.value
                guard exchange.turn == turn else { return hasRoom(true) }
                connection.send(bytes)
                exchange.lastProgress = .now()
                exchange.unsentBytes = .max
                exchange.isWaiting = !connection.isWritable
                if connection.isWritable { hasRoom(true) }
            }
        }
        exchange.body = body
        exchange.writer = writer
        exchange.chunks = parser.framing == .chunked ? ChunkedBody() : nil
        let head = head(connection, parser)
        exchange.head = head
        let door = door
        exchange.task = Task(executorPreference: door.executor) {
            let isWhole = await door.serve(head, body, writer)
            loop.execute { bound.value.responder.end(bound.value.connection, turn, isWhole: isWhole) }
        }
        return .streamWhenAsked
    }

    private func head(_ connection: DownstreamConnection, _ parser: HeadParser) -> TaskHead {
        connection.head.withUnsafeReadableBytes { head in
            let text = { (range: Range<Int>) in String(decoding: head[range], as: UTF8.self) }
            return TaskHead(
                method: text(parser.method),
                target: text(parser.target),
                fields: parser.fields.map { field in
                    (
                        name: text(Int(field.nameStart)..<Int(field.nameEnd)),
                        value: text(Int(field.valueStart)..<Int(field.valueEnd))
                    )
                },
                clientAddress: String(decoding: connection.clientAddress, as: UTF8.self),
                isTLS: connection.isTLS,
                closes: connection.willClose
            )
        }
    }

    package func receiveBody(_ body: ByteBuffer, isLast: Bool, on connection: DownstreamConnection) {
        let exchange = exchange(connection)
        guard let taker = exchange.body else { return }
        guard exchange.chunks != nil else {
            if taker.push(body, isLast: isLast) { connection.setReading(false) }
            return
        }
        // The connection has judged the framing already; here only the content is cut out of it.
        var content = ByteBuffer()
        _ = body.withUnsafeReadableBytes { raw in
            try? exchange.chunks?.feed(raw) { content.writeBytes(UnsafeRawBufferPointer(rebasing: raw[$0])) }
        }
        if taker.push(content, isLast: isLast) { connection.setReading(false) }
    }

    package func abandon(on connection: DownstreamConnection) {
        let exchange = exchange(connection)
        exchange.turn += 1
        exchange.body?.fail()
        exchange.writer?.release(false)
        if door.cancelsAbandoned { exchange.task?.cancel() }
        clear(exchange)
    }

    package func resume(on connection: DownstreamConnection) {
        let exchange = exchange(connection)
        exchange.isWaiting = false
        exchange.lastProgress = .now()
        exchange.writer?.release(true)
    }

    package func checkTime(_ now: NIODeadline, on connection: DownstreamConnection) {
        let exchange = exchange(connection)
        guard exchange.isWaiting else { return }
        let unsent = connection.unsentBytes
        if unsent < exchange.unsentBytes { exchange.lastProgress = now }
        exchange.unsentBytes = unsent
        guard now > exchange.lastProgress + Self.stallTimeout else { return }
        abandon(on: connection)
        connection.cut()
    }

    package func refusal(_ status: Int, on connection: DownstreamConnection) -> ByteBuffer {
        door.refusal(status, exchange(connection).head.map { RefusedHead($0) } ?? connection.refusedHead)
    }

    private func end(_ connection: DownstreamConnection, _ turn: Int, isWhole: Bool) {
        let exchange = exchange(connection)
        guard exchange.turn == turn else { return }
        exchange.turn += 1
        // What was not taken is nobody's any more.
        exchange.body?.fail()
        clear(exchange)
        if isWhole { connection.finish() } else { connection.cut() }
    }

    private func clear(_ exchange: Exchange) {
        exchange.body = nil
        exchange.writer = nil
        exchange.task = nil
        exchange.head = nil
        exchange.isWaiting = false
    }

    private func exchange(_ connection: DownstreamConnection) -> Exchange {
        // Only this method sets it.
        if let exchange = connection.exchange { return unsafeDowncast(exchange, to: Exchange.self) }
        let exchange = Exchange()
        connection.exchange = exchange
        return exchange
    }
}
