package import NIOCore
package import NIOPosix
import Synchronization

#if canImport(Glibc)
import Glibc
#endif

/// A data-path door: listens, and gives each connection to its loop's responder.
package final class WireListener: Sendable {
    private let channel: any Channel
    private let loops: [NIOLoopBound<WireLoop>]
    private let isDrained = Mutex(false)

    /// The address that was bound: the port is the real one where 0 was asked for.
    package let port: Int

    private init(channel: any Channel, port: Int, loops: [NIOLoopBound<WireLoop>]) {
        self.channel = channel
        self.port = port
        self.loops = loops
    }

    /// - Parameters:
    ///   - tls: nil for a door that speaks in the clear.
    ///   - givesWay: whether there are more loops than processors for them (`WireLoop`).
    ///   - noteShortage: is told now and then that connections wait because the system gives no descriptor for them, with the error.
    ///   - makeResponder: called once on each loop.
    package static func listen(
        group: MultiThreadedEventLoopGroup,
        host: String,
        port: Int,
        limits: WireLimits = WireLimits(),
        tls: DownstreamTLS? = nil,
        givesWay: Bool = false,
        noteShortage: @Sendable @escaping (CInt) -> Void = { _ in },
        makeResponder: @Sendable @escaping (WireLoop) -> any WireResponder
    ) async throws -> WireListener {
        let counts = ConnectionCounts()
        let collected = CollectedBytes()
        let loopCount = Array(group.makeIterator()).count
        var loops: [NIOLoopBound<WireLoop>] = []
        var doors: [ObjectIdentifier: NIOLoopBound<LoopDoor>] = [:]
        for loop in group.makeIterator() {
            let (wire, door) = try await loop.submit {
                let wire = WireLoop(
                    loop: loop,
                    limits: limits,
                    counts: counts,
                    collected: collected,
                    givesWay: givesWay
                )
                wire.loopCount = loopCount
                let door = LoopDoor(wire: wire, responder: makeResponder(wire))
                let bound = NIOLoopBound(wire, eventLoop: loop)
                loop.scheduleRepeatedTask(initialDelay: WireLoop.sweepPeriod, delay: WireLoop.sweepPeriod) { _ in
                    bound.value.sweep()
                }
                return (bound, NIOLoopBound(door, eventLoop: loop))
            }.get()
            loops.append(wire)
            doors[ObjectIdentifier(loop)] = door
        }
        let doorOfLoop = doors
        let channel = try await ServerBootstrap(group: group)
            .serverChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(AcceptPause(noteShortage))
                }
            }
            .serverChannelOption(.backlog, value: 1024)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .childChannelOption(.tcpOption(.tcp_nodelay), value: 1)
            .childChannelOption(.allowRemoteHalfClosure, value: false)
            // Only the system knows how much of what it holds a client takes (RFC 5482).
            .childChannelOption(
                .tcpOption(NIOBSDSocket.Option(rawValue: TCP_USER_TIMEOUT)),
                value: Int(CInt(clamping: limits.writeTimeout.nanoseconds / 1_000_000))
            )
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    guard let door = doorOfLoop[ObjectIdentifier(channel.eventLoop)]?.value else { return }
                    let connection = DownstreamConnection(wire: door.wire, responder: door.responder, isTLS: tls != nil)
                    if let tls { try tls.addHandlers(to: channel, timeout: limits.handshakeTimeout) }
                    try channel.pipeline.syncOperations.addHandler(connection)
                }
            }
            .bind(host: host, port: port).get()
        return WireListener(channel: channel, port: channel.localAddress?.port ?? port, loops: loops)
    }

    /// Stops listening, waits for the open requests, and ends what is left after the time; once, however often it is asked to.
    package func drain(timeout: TimeAmount) async {
        let isFirst = isDrained.withLock { isDrained in
            defer { isDrained = true }
            return !isDrained
        }
        guard isFirst else { return }
        try? await channel.close()
        let end = NIODeadline.now() + timeout
        for bound in loops { bound.eventLoop.execute { bound.value.drain() } }
        while NIODeadline.now() < end {
            var open = 0
            for bound in loops {
                open += (try? await bound.eventLoop.submit { bound.value.connectionCount }.get()) ?? 0
            }
            if open == 0 { return }
            try? await Task.sleep(for: .milliseconds(20))
        }
    }
}

/// Lets a listener rest where the system gives no descriptor for the next connection.
///
/// It stays as ready to be taken as it was, so that the loop would ask for it again at once, and for ever: only a listener that does not read
/// is left alone. (NIO's handler for this delays reads, but a read that has failed is still under way for it.)
private final class AcceptPause: ChannelInboundHandler {
    typealias InboundIn = any Channel
    typealias InboundOut = any Channel

    /// Time until it tries again: descriptors come back as connections end.
    private static let pauseTime = TimeAmount.milliseconds(500)
    /// Time between two notes: what is said each time fills a disk that may be as short.
    private static let noteTime = TimeAmount.seconds(60)

    private let note: @Sendable (CInt) -> Void
    private var nextNote = NIODeadline.uptimeNanoseconds(0)

    init(_ note: @Sendable @escaping (CInt) -> Void) { self.note = note }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        // A client that went away before it was taken is no reason to let others wait; what ends the listener is told by its end.
        guard let error = error as? IOError, [EMFILE, ENFILE, ENOBUFS, ENOMEM].contains(error.errnoCode) else { return }
        let now = NIODeadline.now()
        if now >= nextNote {
            nextNote = now + Self.noteTime
            note(error.errnoCode)
        }
        let channel = context.channel
        try? channel.syncOptions?.setOption(.autoRead, value: false)
        channel.eventLoop.scheduleTask(in: Self.pauseTime) { channel.setOption(.autoRead, value: true) }
    }
}

/// A loop's responder beside what its connections share.
private final class LoopDoor {
    let wire: WireLoop
    let responder: any WireResponder

    init(wire: WireLoop, responder: any WireResponder) {
        self.wire = wire
        self.responder = responder
    }
}
