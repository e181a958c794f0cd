package import HTTPWire
package import NIOCore
import ResourceModel
import Store
import Synchronization

/// The blobs door on one event loop: each request becomes a task, its body and its answer stream between the two.
package final class BlobsResponder: WireResponder {
    private let wire: WireLoop
    private let door: BlobDoor

    package init(wire: WireLoop, door: BlobDoor) {
        self.wire = wire
        self.door = door
    }

    /// Time without progress of an answer before its client is given up.
    private static let stallTimeout = TimeAmount.seconds(60)

    /// What a connection's current request is about; touched on its loop only.
    private final class Exchange {
        var body: RequestBody?
        var writer: ReplyWriter?
        var task: Task<Void, Never>?
        var chunks: ChunkedBody?
        /// Tells a request's late steps from the next one's.
        var turn = 0
        var lastProgress = NIODeadline.now()
        var isWaiting = false
    }

    package func receiveHead(on connection: DownstreamConnection) -> BodyPlan {
        let exchange = exchange(connection)
        exchange.turn += 1
        let turn = exchange.turn
        let parser = connection.parser
        let requestID = Identifier.guid()
        let (method, target, fields) = connection.head.withUnsafeReadableBytes { head in
            let text = { (range: Range<Int>) in String(decoding: head[range], as: UTF8.self) }
            return (
                text(parser.method), text(parser.target),
                parser.fields.map { field in
                    (
                        name: text(Int(field.nameStart)..<Int(field.nameEnd)),
                        value: text(Int(field.valueStart)..<Int(field.valueEnd))
                    )
                }
            )
        }
        let length: Int64?
        switch parser.framing {
        case .length(let count): length = Int64(count)
        case .none: length = 0
        case .chunked, .untilClose: length = nil
        }
        let bound = NIOLoopBound((responder: self, connection: connection, exchange: exchange), eventLoop: wire.loop)
        let loop = wire.loop
        let body = RequestBody(length: length) {
            loop.execute { if bound.value.exchange.turn == turn { bound.value.connection.setReading(true) } }
        }
        let writer = ReplyWriter { bytes, hasRoom in
            loop.execute {
                let (_, connection, exchange) = bound.value
                guard exchange.turn == turn else { return hasRoom(true) }
                connection.send(bytes)
                exchange.lastProgress = .now()
                exchange.isWaiting = !connection.isWritable
                if connection.isWritable { hasRoom(true) }
            }
        }
        exchange.body = body
        exchange.writer = writer
        exchange.chunks = parser.framing == .chunked ? ChunkedBody() : nil
        let address = String(decoding: connection.clientAddress, as: UTF8.self)
        let closes = connection.willClose
        let door = door
        exchange.task = Task {
            // A batch holds deletions, and changes of tiers that write little.
            let isFreeing = method == "DELETE" || method == "POST" && target.contains("comp=batch")
            let isWhole = await SpaceUse.$isFreeing.withValue(isFreeing) {
                await door.serve(
                    head: .init(
                        method: method,
                        target: target,
                        fields: fields,
                        clientAddress: address,
                        requestID: requestID
                    ),
                    body,
                    writer,
                    closes: closes
                )
            }
            loop.execute { bound.value.responder.end(bound.value.connection, turn, isWhole: isWhole) }
        }
        return .stream
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
        exchange.task?.cancel()
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
        guard exchange.isWaiting, now > exchange.lastProgress + Self.stallTimeout else { return }
        abandon(on: connection)
        connection.cut()
    }

    package func refusal(_ status: Int, on connection: DownstreamConnection) -> ByteBuffer {
        let error = BlobError(status, "InvalidInput", "The request is not valid HTTP/1.1.")
        var reply = BlobReply(error, (method: "GET", id: Identifier.guid()))
        var bytes = reply.head(closes: true)
        if case .bytes(let body, _) = reply.body { bytes.writeBytes(body) }
        reply.body = .none
        return bytes
    }

    private func end(_ connection: DownstreamConnection, _ turn: Int, isWhole: Bool) {
        let exchange = exchange(connection)
        guard exchange.turn == turn else { return }
        exchange.turn += 1
        clear(exchange)
        if isWhole { connection.finish() } else { connection.cut() }
    }

    private func clear(_ exchange: Exchange) {
        exchange.body = nil
        exchange.writer = nil
        exchange.task = nil
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
