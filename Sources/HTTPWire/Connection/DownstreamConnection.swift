package import NIOCore
import NIOSSL

#if canImport(Glibc)
import Glibc
#endif

/// One client connection of a data-path door: cuts requests from the bytes and hands them to the responder in turn.
///
/// A request that comes while one is open waits in the buffer (pipelining); reading stops meanwhile.
package final class DownstreamConnection: ChannelDuplexHandler, WrittenConnection {
    package typealias InboundIn = ByteBuffer
    package typealias OutboundIn = ByteBuffer
    package typealias OutboundOut = ByteBuffer

    enum State {
        /// Between requests, or inside a head.
        case head
        case collecting(bytesMax: Int, isAnonymous: Bool)
        case streaming
        /// The request was read whole; its answer is not ended.
        case responding
        /// The request was answered early; its body is still coming.
        case discarding
        /// Both sides have left HTTP: bytes pass as they come.
        case tunnel
        case closed
    }

    package let wire: WireLoop
    let responder: any WireResponder
    var context: ChannelHandlerContext?
    var state = State.head
    package private(set) var parser: HeadParser
    /// The bytes of the current request's head.
    package private(set) var head = ByteBuffer()
    /// Of a head that was refused, as far as they could be read.
    private(set) var refusedHead = RefusedHead()
    /// Whatever the responder keeps between the calls for one connection.
    package var exchange: AnyObject?

    var pending: ByteBuffer?
    var collected: ByteBuffer?
    private var bodyLeft = 0
    private var chunks = ChunkedBody()
    private var isChunkedBody = false
    var isAnswered = false
    var closesAfterAnswer = false
    private var readIsHeld = false
    var wantsPause = false
    private var isProcessing = false
    var isInsideHead = false
    /// Whether an empty line before the next head was dropped.
    private var hasDroppedLine = false
    private var awaitsFlush = false
    var deadline = NIODeadline.distantFuture
    var rate: BodyRate
    var pace = ClientPace()
    /// Bytes of the current body that count as the door's (`CollectedBytes`).
    var collectedCount = 0
    /// Bytes of the rest of a body that were dropped.
    private var droppedCount = 0
    /// Whether the client waits for 100 Continue.
    var awaitsContinue = false
    /// When the connection began to wait for a request, or for a head's rest.
    var waitsSince = NIODeadline.now()
    /// Where it stands among its loop's.
    var loopIndex = 0
    /// Whom it is counted for.
    private(set) var share: ClientShare?
    /// Whether the whole body of the current request came together with its head.
    package private(set) var hasWholeBody = false
    /// Whether the connection was not let in, and so is not counted.
    var isTurnedAway = false
    /// Whether a request is open whose end the responder has not been told.
    private var isOpen = false
    /// What the current answer passes through on its way to a client of HTTP/1.0.
    private var plain: PlainAnswer?
    /// Whether only the connection's end tells that of the current answer.
    package var endsWithConnection = false
    /// The status of the current answer; 0 before there is one.
    package private(set) var answerStatus = 0
    /// Bytes of the current request and of its answer so far, heads and framing among them.
    package private(set) var bytesReceived = 0
    package private(set) var bytesSent = 0
    /// The client's address as text.
    package private(set) var clientAddress: [UInt8] = []

    /// Whether the client speaks TLS.
    package let isTLS: Bool

    package init(wire: WireLoop, responder: any WireResponder, isTLS: Bool = false) {
        self.isTLS = isTLS
        self.wire = wire
        self.responder = responder
        parser = HeadParser(limits: wire.limits)
        rate = BodyRate(wire.limits)
    }

    // MARK: - For the responder

    package private(set) var isWritable = true
    /// Whether the connection ends with this answer, so that the answer should say so.
    package var willClose: Bool { closesAfterAnswer }

    /// The value of a field of the current request; nil where there is none.
    package func value(_ name: StaticString, in head: UnsafeRawBufferPointer) -> UnsafeRawBufferPointer? {
        parser.value(name, in: head)
    }

    /// Sends bytes of the answer.
    package func send(_ bytes: ByteBuffer) {
        guard let context else { return }
        if answerStatus < 200, answerStatus != 101 { noteStatus(bytes) }
        let bytes = plain?.take(bytes) ?? bytes
        bytesSent += bytes.readableBytes
        context.write(wrapOutboundOut(bytes), promise: nil)
        guard !awaitsFlush else { return }
        awaitsFlush = true
        wire.flushAfterTick(self)
    }

    /// The first bytes of an answer are its status line: `HTTP/1.1 NNN`.
    private func noteStatus(_ bytes: ByteBuffer) {
        bytes.withUnsafeReadableBytes { raw in
            guard raw.count >= 12 else { return }
            answerStatus =
                (Int(raw[9]) &- 0x30) &* 100 &+ (Int(raw[10]) &- 0x30) &* 10 &+ (Int(raw[11]) &- 0x30)
        }
    }

    private func tellEnd(isWhole: Bool) {
        guard isOpen else { return }
        isOpen = false
        responder.ended(isWhole: isWhole, on: self)
    }

    func flushWritten() {
        awaitsFlush = false
        context?.flush()
    }

    /// The answer is whole: the next request may be taken, or the connection ends.
    ///
    /// - Parameter close: whether the connection cannot be used again.
    package func finish(close: Bool = false) {
        isAnswered = true
        // What is left of the request is nobody's: it is not waited for any more.
        wantsPause = false
        if close { closesAfterAnswer = true }
        tellEnd(isWhole: true)
        switch state {
        case .responding: next()
        case .collecting, .streaming:
            // Answered before the body was read: what is left of it is dropped, within bounds.
            giveCollected()
            state = .discarding
            deadline = .now() + wire.limits.droppedTimeout
            if closesAfterAnswer || isRestTooLong { closeSoon(isBodyComing: true) }
            releaseRead()
        case .tunnel: closeSoon()
        case .head, .discarding, .closed: break
        }
    }

    /// Whether more of an answered request's body is to come than is dropped.
    package var isRestTooLong: Bool { !isChunkedBody && bodyLeft > wire.limits.droppedBytesMax }

    /// Tells a client that waits for it to send its body.
    package func askForBody() {
        guard awaitsContinue else { return }
        awaitsContinue = false
        if case .streaming = state, !isAnswered, answerStatus == 0 { sendContinue() }
    }

    /// Ends the connection without a proper end of the answer, so that nobody takes a cut answer for a whole one.
    ///
    /// What was sent of it leaves before, so that what a client gets does not hang on when in the loop's turn the connection ends.
    package func cut() {
        state = .closed
        tellEnd(isWhole: false)
        context?.flush()
        guard endsWithConnection || plain?.endsWithConnection ?? false else {
            context?.close(promise: nil)
            return
        }
        reset()
    }

    /// Ends the connection so that nobody takes its end for that of the answer.
    private func reset() {
        guard let context else { return }
        _ = (context.channel as? any SocketOptionProvider)?.setSoLinger(linger(l_onoff: 1, l_linger: 0))
        // Below TLS, which would say good-bye.
        let tls = isTLS ? try? context.pipeline.syncOperations.context(handlerType: NIOSSLServerHandler.self) : nil
        (tls ?? context).close(promise: nil)
    }

    /// Puts a head in the place of the one that came, for whatever the request goes on to.
    ///
    /// What is still to be read of the request does not change by it.
    /// - Returns: false where it is not a head that could have come.
    package func replaceHead(_ bytes: ByteBuffer) -> Bool {
        let outcome = try? bytes.withUnsafeReadableBytes { raw throws(HeadError) in try parser.parseRequest(raw) }
        guard outcome == .complete else { return false }
        head = bytes
        return true
    }

    /// Leaves HTTP: what the client sends from now on goes to the responder as it comes, until either side ends.
    package func beginTunnel() {
        state = .tunnel
        closesAfterAnswer = true
        touchTunnel()
        takePending()
    }

    /// Something passed through the tunnel, in either direction.
    package func touchTunnel() { deadline = wire.end(of: wire.limits.upstreamIdleTimeout) }

    /// Whether more of the body is wanted now (back pressure of an upstream).
    package func setReading(_ isReading: Bool) {
        wantsPause = !isReading
        if isReading { releaseRead() }
    }

    // MARK: - Channel

    package func handlerAdded(context: ChannelHandlerContext) { self.context = context }

    package func channelActive(context: ChannelHandlerContext) {
        clientAddress = Array((context.remoteAddress?.plainAddress ?? "").utf8)
        wire.add(self)
        share = ClientShare(context.remoteAddress, proxies: wire.limits.proxies)
        deadline = wire.end(of: wire.limits.idleTimeout)
        if wire.isDraining || !wire.admit(self) {
            isTurnedAway = true
            context.close(promise: nil)
        }
        context.fireChannelActive()
    }

    package func channelInactive(context: ChannelHandlerContext) {
        wire.remove(self)
        if !isTurnedAway { wire.counts.leave(share) }
        giveCollected()
        let wasOpen: Bool
        switch state {
        case .head, .closed: wasOpen = false
        case .collecting, .streaming, .responding, .discarding, .tunnel: wasOpen = !isAnswered
        }
        state = .closed
        isWritable = false
        self.context = nil
        if wasOpen { responder.abandon(on: self) }
        tellEnd(isWhole: false)
        context.fireChannelInactive()
    }

    package func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        var bytes = unwrapInboundIn(data)
        if var before = pending {
            pending = nil
            before.writeBuffer(&bytes)
            bytes = before
        }
        process(bytes)
    }

    package func read(context: ChannelHandlerContext) {
        if shouldHoldRead { readIsHeld = true } else { context.read() }
    }

    package func channelWritabilityChanged(context: ChannelHandlerContext) {
        isWritable = context.channel.isWritable
        if isWritable {
            responder.resume(on: self)
            if case .head = state { takePending() }
            releaseRead()
        }
    }

    package func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }

    private var shouldHoldRead: Bool {
        // What comes now is dropped: left unread, it would make a reset of the connection's end, and that takes the answer along.
        if case .closed = state { return false }
        if wantsPause { return true }
        // The two ways of a tunnel do not wait for one another.
        if case .tunnel = state { return false }
        if case .responding = state { return (pending?.readableBytes ?? 0) > 0 }
        return !isWritable
    }

    private func releaseRead() {
        guard readIsHeld, !shouldHoldRead else { return }
        readIsHeld = false
        context?.read()
    }

    // MARK: - Requests

    private func process(_ input: ByteBuffer) {
        var bytes = input
        isProcessing = true
        loop: while bytes.readableBytes > 0 {
            switch state {
            case .head:
                // Answers to requests that came together must not pile up before a client that takes none.
                guard isWritable, takeHead(&bytes) else { break loop }
            case .collecting(let bytesMax, let isAnonymous):
                collect(&bytes, bytesMax, isAnonymous)
            case .streaming:
                stream(&bytes)
            case .discarding:
                discard(&bytes)
            case .responding:
                break loop
            case .tunnel:
                touchTunnel()
                bytesReceived += bytes.readableBytes
                let piece = bytes
                bytes.clear()
                responder.receiveBody(piece, isLast: false, on: self)
            case .closed:
                bytes.clear()
            }
        }
        isProcessing = false
        if bytes.readableBytes > 0 { pending = bytes }
    }

    /// Reads a head and asks the responder; false while the head is not whole.
    private func takeHead(_ bytes: inout ByteBuffer) -> Bool {
        guard !dropEmptyLine(&bytes) || bytes.readableBytes > 0 else { return false }
        do {
            let outcome = try bytes.withUnsafeReadableBytes { raw throws(HeadError) in try parser.parseRequest(raw) }
            guard outcome == .complete else {
                // Counted from the head's first byte, so that one byte at a time does not buy more time.
                // The loop's time may be a second old, and nobody is given up too early.
                if !isInsideHead {
                    waitsSince = .now()
                    deadline = waitsSince + wire.limits.headTimeout
                }
                isInsideHead = true
                return false
            }
        } catch {
            refusedHead = RefusedHead(bytes, bytesMax: wire.limits.headBytesMax)
            bytes.clear()
            refuse(error.status)
            return false
        }
        isInsideHead = false
        hasDroppedLine = false
        head = bytes.getSlice(at: bytes.readerIndex, length: parser.length) ?? ByteBuffer()
        bytes.moveReaderIndex(forwardBy: parser.length)
        bytesReceived = parser.length
        guard !parser.hasCookies || responder.keepsPortalCookies || dropPortalCookies() else {
            bytes.clear()
            refuse(400)
            return false
        }
        isAnswered = false
        isOpen = true
        answerStatus = 0
        endsWithConnection = false
        plain = parser.isHTTP10 ? PlainAnswer(isHEAD: isHEAD, limits: wire.limits) : nil
        bytesSent = 0
        pace = ClientPace()
        closesAfterAnswer = !parser.keepsAlive || parser.isHTTP10 || wire.isDraining
        isChunkedBody = parser.framing == .chunked
        if isChunkedBody { chunks = ChunkedBody() }
        if case .length(let length) = parser.framing { bodyLeft = length } else { bodyLeft = 0 }
        let hasBody = parser.framing != .none
        hasWholeBody = !isChunkedBody && bytes.readableBytes >= bodyLeft
        if hasBody {
            rate = BodyRate(wire.limits, received: bytesReceived)
            droppedCount = 0
            awaitsContinue = parser.expectsContinue && !parser.isHTTP10 && bytes.readableBytes == 0
        }
        // Of the answer's time the responder judges.
        deadline = hasBody ? wire.end(of: wire.limits.bodyTimeout) : .distantFuture
        state = hasBody ? .streaming : .responding
        let plan = responder.receiveHead(on: self)
        guard !isAnswered, context != nil else {
            if hasBody, case .streaming = state { state = .discarding }
            return true
        }
        switch plan {
        case .collect(let bytesMax, let isAnonymous):
            if bodyLeft > bytesMax {
                refuse(413)
                return true
            }
            if hasBody {
                askForBody()
                collected = nil
                state = .collecting(bytesMax: bytesMax, isAnonymous: isAnonymous)
            } else {
                responder.receiveBody(ByteBuffer(), isLast: true, on: self)
            }
        case .stream, .streamWhenAsked:
            if case .stream = plan, hasBody { askForBody() }
            if !hasBody { responder.receiveBody(ByteBuffer(), isLast: true, on: self) }
        case .answered: break
        }
        return true
    }

    /// Drops one CRLF before a request, which old clients write behind a body (RFC 9112, 2.2); a second one is for the parser to refuse.
    private func dropEmptyLine(_ bytes: inout ByteBuffer) -> Bool {
        guard !hasDroppedLine, bytes.getInteger(at: bytes.readerIndex, as: UInt16.self) == 0x0D0A else { return false }
        bytes.moveReaderIndex(forwardBy: 2)
        hasDroppedLine = true
        return true
    }

    private var isHEAD: Bool {
        parser.method.count == 4 && head.withUnsafeReadableBytes { $0[parser.method].elementsEqual("HEAD".utf8) }
    }

    private func sendContinue() {
        send(ByteBuffer(staticString: "HTTP/1.1 100 Continue\r\n\r\n"))
    }

    private func collect(_ bytes: inout ByteBuffer, _ bytesMax: Int, _ isAnonymous: Bool) {
        deadline = wire.end(of: wire.limits.bodyTimeout)
        if !isChunkedBody {
            guard bytes.readableBytes >= bodyLeft || collected != nil else {
                // The first piece of a body that comes in several: room for all of it at once.
                var buffer = ByteBuffer()
                buffer.reserveCapacity(bodyLeft)
                let count = buffer.writeBuffer(&bytes)
                bodyLeft -= count
                bytesReceived += count
                guard holdCollected(count, isAnonymous) else { return }
                collected = buffer
                return
            }
            guard var piece = bytes.readSlice(length: min(bodyLeft, bytes.readableBytes)) else { return }
            bodyLeft -= piece.readableBytes
            bytesReceived += piece.readableBytes
            if collected != nil {
                guard holdCollected(piece.readableBytes, isAnonymous) else {
                    bytes.clear()
                    return
                }
            }
            collected?.writeBuffer(&piece)
            if bodyLeft == 0 { endBody(collected ?? piece) }
            return
        }
        var whole = collected ?? ByteBuffer()
        collected = nil
        let before = whole.readableBytes
        do {
            let taken = try bytes.withUnsafeReadableBytes { raw throws(HeadError) in
                try chunks.feed(raw) { range in whole.writeBytes(UnsafeRawBufferPointer(rebasing: raw[range])) }
            }
            bytes.moveReaderIndex(forwardBy: taken)
            bytesReceived += taken
        } catch {
            bytes.clear()
            refuse(400)
            return
        }
        guard whole.readableBytes <= bytesMax else {
            bytes.clear()
            refuse(413)
            return
        }
        if chunks.isDone { return endBody(whole) }
        guard holdCollected(whole.readableBytes - before, isAnonymous) else {
            bytes.clear()
            return
        }
        collected = whole
    }

    private func endBody(_ body: ByteBuffer) {
        giveCollected()
        collected = nil
        state = .responding
        deadline = .distantFuture
        responder.receiveBody(body, isLast: true, on: self)
    }

    private func stream(_ bytes: inout ByteBuffer) {
        deadline = wire.end(of: wire.limits.bodyTimeout)
        guard let piece = takeBody(&bytes) else { return }
        let isLast = isBodyDone
        if isLast {
            state = .responding
            deadline = .distantFuture
        }
        responder.receiveBody(piece, isLast: isLast, on: self)
    }

    private func discard(_ bytes: inout ByteBuffer) {
        guard let piece = takeBody(&bytes) else { return }
        guard isBodyDone else {
            droppedCount += piece.readableBytes
            // The answer may still be on its way, by a responder that needs no more of the body.
            if droppedCount > wire.limits.droppedBytesMax, isAnswered { closeSoon(isBodyComing: true) }
            return
        }
        state = .responding
        if isAnswered { next() }
    }

    private var isBodyDone: Bool { isChunkedBody ? chunks.isDone : bodyLeft == 0 }

    /// The next bytes of the body with their framing; nil when the framing is broken.
    private func takeBody(_ bytes: inout ByteBuffer) -> ByteBuffer? {
        guard isChunkedBody else {
            let piece = bytes.readSlice(length: min(bodyLeft, bytes.readableBytes))
            bodyLeft -= piece?.readableBytes ?? 0
            bytesReceived += piece?.readableBytes ?? 0
            return piece
        }
        do {
            let taken = try bytes.withUnsafeReadableBytes { raw throws(HeadError) in try chunks.feed(raw) { _ in } }
            bytesReceived += taken
            return bytes.readSlice(length: taken)
        } catch {
            bytes.clear()
            refuseBody()
            return nil
        }
    }

    func refuse(_ status: Int) {
        let hasRequest: Bool
        switch state {
        case .collecting, .streaming: hasRequest = true
        case .discarding: hasRequest = !isAnswered
        default: hasRequest = false
        }
        send(responder.refusal(status, on: self))
        if hasRequest { responder.abandon(on: self) }
        giveCollected()
        tellEnd(isWhole: true)
        isAnswered = true
        state = .discarding
        closeSoon(isBodyComing: hasRequest)
    }

    private func next() {
        guard context != nil else { return }
        if closesAfterAnswer || wire.isDraining { return closeSoon() }
        state = .head
        waitsSince = wire.now
        deadline = wire.end(of: wire.limits.idleTimeout)
        takePending()
        releaseRead()
    }

    private func takePending() {
        guard !isProcessing, let bytes = pending else { return }
        pending = nil
        process(bytes)
    }

    /// Time in which a client that still sends may read the answer, before its connection is closed for reading as well.
    private static let lingerTime = TimeAmount.milliseconds(500)
    /// The same for a client that is sending a body: many send all of it before they look for an answer.
    private static let lingerTimeOfBodies = TimeAmount.seconds(2)

    /// Closes for writing once everything was sent, and only then for reading, so that what was sent arrives even where the client still sends.
    ///
    /// A client that takes nothing for too long is given up by the system (`WireLimits.writeTimeout`).
    func closeSoon(isBodyComing: Bool = false) {
        state = .closed
        deadline = .distantFuture
        guard let context else { return }
        context.channel.flush()
        let channel = context.channel
        let sent = channel.eventLoop.makePromise(of: Void.self)
        let lingerTime = isBodyComing ? Self.lingerTimeOfBodies : Self.lingerTime
        sent.futureResult.whenComplete { _ in
            channel.eventLoop.scheduleTask(in: lingerTime) { channel.close(promise: nil) }
        }
        channel.close(mode: .output, promise: sent)
        pending = nil
        releaseRead()
    }
}
