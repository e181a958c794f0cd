package import NIOCore

/// Who takes an upstream's answer.
package protocol UpstreamReceiver: AnyObject {
    /// The head of the answer; its bytes are `head`, its fields `connection.parser`.
    func upstreamHead(_ head: ByteBuffer, _ connection: UpstreamConnection)
    /// A piece of the body with its framing.
    func upstreamBody(_ body: ByteBuffer, _ connection: UpstreamConnection)
    /// No more bytes are there for now: what was gathered should be passed on.
    func upstreamPause(_ connection: UpstreamConnection)
    /// The answer is whole.
    func upstreamEnd(_ connection: UpstreamConnection)
    /// The connection broke before that; `takeUnsent` tells what of the request never left.
    func upstreamFailed(_ connection: UpstreamConnection)
    /// The time for the answer's head is over.
    func upstreamLate(_ connection: UpstreamConnection)
    /// The upstream takes bytes again.
    func upstreamResume(_ connection: UpstreamConnection)
    /// Whether bytes of the answer can be passed on now.
    var takesUpstreamBytes: Bool { get }
}

/// One connection to an upstream; carries one request at a time.
package final class UpstreamConnection: ChannelDuplexHandler, WrittenConnection {
    package typealias InboundIn = ByteBuffer
    package typealias OutboundIn = ByteBuffer
    package typealias OutboundOut = ByteBuffer

    package let address: UpstreamAddress
    /// The one of the name's addresses that it leads to.
    let remote: String
    /// When the name is to be asked for again.
    var nextCheck: NIODeadline
    package private(set) var parser: HeadParser
    package var isReused = false
    /// Requests that it has answered.
    private(set) var answerCount = 0
    /// Whether it has answered more than one request, so that its upstream keeps connections.
    var isProven: Bool { answerCount > 1 }
    /// Since when one that is not proven has rested.
    var restsSince = NIODeadline.distantFuture
    /// Whether a byte of the current answer has come.
    package private(set) var hasAnswered = false
    /// What the connection broke by, where that is known; for the log.
    package private(set) var failure: String?
    var idleUntil = NIODeadline.distantFuture

    private let wire: WireLoop
    private var limits: WireLimits { wire.limits }
    private var context: ChannelHandlerContext?
    private var receiver: (any UpstreamReceiver)?
    private var isAnswerToHEAD = false
    private var pending: ByteBuffer?
    private var inBody = false
    private var bodyLeft = 0
    private var chunks = ChunkedBody()
    private var readIsHeld = false
    private var isBroken = false
    private var awaitsFlush = false
    private var wantsWebSocket = false
    /// Whether something before the answer's head asked for the connection's end, or makes it needful.
    private var endsWithAnswer = false
    /// What was handed over in this turn of the loop: the channel gets it when the turn ends.
    private var unsent: [ByteBuffer] = []
    /// Whether the channel got something of the current request.
    private var hasSent = false
    /// Whether the upstream has left HTTP for the WebSocket protocol.
    package private(set) var isTunnel = false
    /// When something last moved, in either direction.
    private var lastByte: NIODeadline
    private var timing = HeadTiming()
    /// Bytes that waited for the upstream to take them when they were last looked at.
    private var waitingBytes = 0

    init(address: UpstreamAddress, remote: String, wire: WireLoop) {
        self.address = address
        self.remote = remote
        nextCheck = wire.now
        self.wire = wire
        lastByte = wire.now
        parser = HeadParser(limits: wire.limits)
    }

    package var isUsable: Bool { context != nil && !isBroken }

    /// Whether the upstream has not ended the connection, by what the system knows: the loop may not have read it yet.
    var isOpen: Bool {
        #if os(Linux)
        // The state is the first byte of what the system tells of a connection; 1 is that of one both sides of which are open.
        let option = ChannelOptions.Types.SocketOption(level: .tcp, name: .tcp_info)
        guard let info = try? context?.channel.syncOptions?.getOption(option) else { return false }
        return UInt8(truncatingIfNeeded: info.littleEndian) == 1
        #else
        return isUsable
        #endif
    }

    package var isWritable: Bool { context?.channel.isWritable ?? false }

    /// Begins a request.
    ///
    /// - Parameter timeout: from the request's last byte to the end of the answer's head; nil for the usual one.
    package func begin(
        _ receiver: any UpstreamReceiver,
        isHEAD: Bool,
        wantsWebSocket: Bool = false,
        timeout: TimeAmount? = nil
    ) {
        self.wantsWebSocket = wantsWebSocket
        timing.begin(timeout)
        self.receiver = receiver
        isAnswerToHEAD = isHEAD
        hasAnswered = false
        hasSent = false
        endsWithAnswer = false
        unsent.removeAll(keepingCapacity: true)
        inBody = false
        lastByte = wire.now
    }

    /// - Parameter isLast: whether the request is whole with it.
    package func send(_ bytes: ByteBuffer, isLast: Bool) {
        guard context != nil else { return }
        lastByte = wire.now
        unsent.append(bytes)
        if isLast { timing.handedOver(wire.now, limits.upstreamTimeout) }
        guard !awaitsFlush else { return }
        awaitsFlush = true
        wire.flushAfterTick(self)
    }

    func flushWritten() {
        awaitsFlush = false
        guard let context, !isBroken, let last = unsent.popLast() else { return }
        hasSent = true
        for bytes in unsent { context.write(wrapOutboundOut(bytes), promise: nil) }
        unsent.removeAll(keepingCapacity: true)
        // Only where a time was given for this very call is it worth knowing when the system has the last byte.
        let isTimed = timing.isHandedOver && timing.timeout != nil && !timing.hasHead
        context.write(wrapOutboundOut(last), promise: isTimed ? wholeness(context) : nil)
        context.flush()
    }

    /// What of the current request has not left, if nothing of it has: it may go on another connection, whatever its method is.
    package func takeUnsent() -> ByteBuffer? {
        guard !hasSent else { return nil }
        var bytes = ByteBuffer()
        for piece in unsent { bytes.writeImmutableBuffer(piece) }
        unsent.removeAll(keepingCapacity: true)
        return bytes
    }

    package func close() {
        isBroken = true
        receiver = nil
        context?.close(promise: nil)
    }

    // MARK: - Time

    /// When the answer's head has to be there; nil while the request is not whole.
    package var headDeadline: NIODeadline? { timing.isWhole ? timing.end : nil }

    /// Whether the upstream has been waited for too long; asked every second.
    ///
    /// Before the request is whole it may be late only in taking what waits for it; from then on with its answer's head, however much comes
    /// before that is whole; then with the next byte of its body.
    package func isLate(_ now: NIODeadline) -> Bool {
        // It is not the upstream who is waited for while its bytes are not taken.
        if readIsHeld {
            lastByte = now
            timing.putOff(now, limits.upstreamTimeout)
        }
        if timing.hasHead { return isPast(lastByte + limits.upstreamIdleTimeout, now) }
        let waiting = (try? context?.channel.syncOptions?.getOption(.bufferedWritableBytes)) ?? 0
        if waiting > 0 { timing.putOff(now, limits.upstreamTimeout) }
        guard timing.isWhole, waiting == 0 else {
            // Without bytes that wait it is the client who is waited for, whom the door's times bound.
            if waiting != waitingBytes || waiting == 0 && !timing.isHandedOver { lastByte = now }
            waitingBytes = waiting
            // Bytes that were handed over and are not in the channel wait for TLS to be agreed on.
            let isAgreeing = timing.isHandedOver && waiting == 0
            return isPast(lastByte + (isAgreeing ? limits.handshakeTimeout : limits.upstreamTimeout), now)
        }
        if timing.timeout != nil { arm() }
        return isPast(timing.end, now)
    }

    /// The loop's time, which bytes are stamped with, may be a second old: nobody is given up too early.
    private func isPast(_ end: NIODeadline, _ now: NIODeadline) -> Bool { now > end + .seconds(1) }

    /// Tells when the system has taken the last byte of the request.
    private func wholeness(_ context: ChannelHandlerContext) -> EventLoopPromise<Void> {
        let promise = context.eventLoop.makePromise(of: Void.self)
        let request = timing.request
        let bound = NIOLoopBound(self, eventLoop: context.eventLoop)
        promise.futureResult.whenSuccess {
            let connection = bound.value
            guard connection.timing.request == request else { return }
            connection.timing.markWhole(.now())
            connection.arm()
        }
        return promise
    }

    /// Ends a call to the millisecond once its end is near: until then nothing has to be remembered for it.
    private func arm() {
        let left = timing.end - .now()
        guard let context, !timing.isArmed, !timing.hasHead, left <= HeadTiming.nearMax else { return }
        timing.isArmed = true
        let request = timing.request
        let bound = NIOLoopBound(self, eventLoop: context.eventLoop)
        context.eventLoop.scheduleTask(in: max(.zero, left)) {
            let connection = bound.value
            guard connection.timing.request == request, !connection.timing.hasHead, let receiver = connection.receiver
            else { return }
            connection.timing.isArmed = false
            if connection.readIsHeld { connection.timing.putOff(.now(), connection.limits.upstreamTimeout) }
            guard NIODeadline.now() >= connection.timing.end else { return connection.arm() }
            receiver.upstreamLate(connection)
        }
    }

    package func resumeReading() {
        guard readIsHeld else { return }
        readIsHeld = false
        context?.read()
    }

    // MARK: - Channel

    package func handlerAdded(context: ChannelHandlerContext) { self.context = context }

    package func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        var bytes = unwrapInboundIn(data)
        lastByte = wire.now
        if var before = pending {
            pending = nil
            before.writeBuffer(&bytes)
            bytes = before
        }
        guard receiver != nil else {
            // Bytes that nobody asked for: the connection cannot be trusted any more.
            return close()
        }
        // They are no answer to a request of which nothing has left.
        guard hasSent else { return fail() }
        while bytes.readableBytes > 0, receiver != nil {
            hasAnswered = true
            guard inBody ? takeBody(&bytes) : takeHead(&bytes) else { break }
        }
        if bytes.readableBytes > 0, receiver != nil { pending = bytes }
    }

    package func channelReadComplete(context: ChannelHandlerContext) {
        receiver?.upstreamPause(self)
        context.fireChannelReadComplete()
    }

    package func channelInactive(context: ChannelHandlerContext) {
        self.context = nil
        isBroken = true
        let receiver = self.receiver
        self.receiver = nil
        // A body that ends with its connection is whole only where that ended in good order.
        if inBody, isTunnel || parser.framing == .untilClose && failure == nil {
            receiver?.upstreamEnd(self)
        } else {
            receiver?.upstreamFailed(self)
        }
        context.fireChannelInactive()
    }

    package func read(context: ChannelHandlerContext) {
        if let receiver, !receiver.takesUpstreamBytes { readIsHeld = true } else { context.read() }
    }

    package func channelWritabilityChanged(context: ChannelHandlerContext) {
        if context.channel.isWritable { receiver?.upstreamResume(self) }
    }

    package func errorCaught(context: ChannelHandlerContext, error: any Error) {
        failure = String(describing: error)
        context.close(promise: nil)
    }

    private func takeHead(_ bytes: inout ByteBuffer) -> Bool {
        do {
            let outcome = try bytes.withUnsafeReadableBytes { raw throws(HeadError) in
                try parser.parseResponse(raw, isAnswerToHEAD: isAnswerToHEAD)
            }
            guard outcome == .complete else { return false }
        } catch {
            fail()
            return false
        }
        var head = bytes.getSlice(at: bytes.readerIndex, length: parser.length) ?? ByteBuffer()
        bytes.moveReaderIndex(forwardBy: parser.length)
        guard !parser.hasCookies || dropPortalCookies(&head) else {
            fail()
            return false
        }
        if parser.status == 101, wantsWebSocket, parser.upgradesToWebSocket {
            inBody = true
            isTunnel = true
            timing.hasHead = true
            receiver?.upstreamHead(head, self)
            return true
        }
        // An interim answer is for this hop.
        if parser.status < 200 {
            guard parser.status != 101 else {
                fail()
                return false
            }
            if !parser.keepsAlive { endsWithAnswer = true }
            return true
        }
        inBody = true
        timing.hasHead = true
        switch parser.framing {
        case .length(let length): bodyLeft = length
        case .chunked: chunks = ChunkedBody()
        case .none, .untilClose: break
        }
        receiver?.upstreamHead(head, self)
        if parser.framing == .none { end(&bytes) }
        return true
    }

    /// Takes cookies that would be taken for the portal's out of an answer's head; false where nothing is left that could have come.
    private func dropPortalCookies(_ head: inout ByteBuffer) -> Bool {
        guard let clean = PortalCookies.removed(fromResponse: head, parser) else { return true }
        head = clean
        let outcome = try? head.withUnsafeReadableBytes { raw throws(HeadError) in
            try parser.parseResponse(raw, isAnswerToHEAD: isAnswerToHEAD)
        }
        return outcome == .complete
    }

    private func takeBody(_ bytes: inout ByteBuffer) -> Bool {
        if isTunnel {
            let piece = bytes
            bytes.clear()
            receiver?.upstreamBody(piece, self)
            return true
        }
        switch parser.framing {
        case .length:
            guard let piece = bytes.readSlice(length: min(bodyLeft, bytes.readableBytes)) else { return false }
            bodyLeft -= piece.readableBytes
            receiver?.upstreamBody(piece, self)
            if bodyLeft == 0 { end(&bytes) }
        case .chunked:
            do {
                let taken = try bytes.withUnsafeReadableBytes { raw throws(HeadError) in try chunks.feed(raw) { _ in } }
                guard let piece = bytes.readSlice(length: taken) else { return false }
                receiver?.upstreamBody(piece, self)
                if chunks.isDone { end(&bytes) }
            } catch {
                fail()
                return false
            }
        case .untilClose, .none:
            guard let piece = bytes.readSlice(length: bytes.readableBytes) else { return false }
            receiver?.upstreamBody(piece, self)
        }
        return true
    }

    private func end(_ bytes: inout ByteBuffer) {
        let receiver = self.receiver
        self.receiver = nil
        inBody = false
        answerCount &+= 1
        if !parser.keepsAlive || endsWithAnswer || bytes.readableBytes > 0 {
            isBroken = true
            bytes.clear()
        }
        receiver?.upstreamEnd(self)
    }

    private func fail() {
        let receiver = self.receiver
        close()
        receiver?.upstreamFailed(self)
    }
}
