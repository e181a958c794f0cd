package import NIOCore

#if canImport(Glibc)
import Glibc
#endif

/// A connection that has something to send.
protocol WrittenConnection: AnyObject {
    /// Sends what was written in this turn of the loop.
    func flushWritten()
}

/// Work that waits until all requests of a turn of the loop were read.
package protocol TurnWork: AnyObject {
    func run()
}

/// What the connections of one event loop share; touched on that loop only.
package final class WireLoop {
    package let loop: any EventLoop
    package let limits: WireLimits
    private var work: [any TurnWork] = []
    private var unflushed: [any WrittenConnection] = []
    private var awaitsTurnEnd = false
    /// In no order; each knows its index.
    private var connections: [DownstreamConnection] = []
    private var generator = SystemRandomNumberGenerator()
    private var seed: UInt64
    private var dateSecond = 0
    private var dateLine: [UInt8] = []
    /// No new requests are taken; connections close when theirs are answered.
    package private(set) var isDraining = false

    /// Of all loops of the door.
    let counts: ConnectionCounts
    let collected: CollectedBytes

    /// Whether the loop lets others have its core after each turn.
    ///
    /// Where there are more loops than cores, one that goes on as long as it finds something finds little each time, while what the others
    /// could do at once piles up: each turn's costs are shared by fewer calls, and the others' callers wait.
    private let givesWay: Bool

    /// - Parameter givesWay: whether there are more loops than cores.
    package init(
        loop: any EventLoop,
        limits: WireLimits,
        counts: ConnectionCounts = ConnectionCounts(),
        collected: CollectedBytes = CollectedBytes(),
        givesWay: Bool = false
    ) {
        self.givesWay = givesWay
        self.loop = loop
        self.limits = limits
        self.counts = counts
        self.collected = collected
        seed = generator.next()
    }

    /// The time of the last sweep: deadlines are in seconds, and asking the clock for each request costs more than they need.
    private(set) var now = NIODeadline.now()
    /// How many loops share the door.
    var loopCount = 1
    /// Between two sweeps.
    static let sweepPeriod = TimeAmount.seconds(1)

    /// The end of a time that begins at this moment: `now` may be as old as a sweep, and nobody is given up too early.
    func end(of time: TimeAmount) -> NIODeadline { now + Self.sweepPeriod + time }

    package var connectionCount: Int { connections.count }

    func add(_ connection: DownstreamConnection) {
        connection.loopIndex = connections.count
        connections.append(connection)
    }

    func remove(_ connection: DownstreamConnection) {
        let index = connection.loopIndex
        guard index < connections.count, connections[index] === connection else { return }
        let last = connections.removeLast()
        guard last !== connection else { return }
        connections[index] = last
        last.loopIndex = index
    }

    /// Closes what has waited too long; called every second.
    package func sweep() {
        now = .now()
        // A copy: closing one may remove it at once.
        for connection in connections { connection.closeIfLate(now) }
    }

    /// Connections looked at for one that may be ended: looking at all of ten thousand for each that comes would be an attack of its own.
    private static let candidatesMax = 64

    /// Lets a connection in, where the door is full in the stead of the one that has rested longest, or else of the slowest.
    ///
    /// So clients that ask for nothing, and those that hardly take or send anything, cannot keep others out. A loop ends its own connections
    /// only. New ones come to loops in turns that all doors share: where another loop has taken more than its part of the door, this one goes
    /// beyond the bound up to its part, and the other gives back as connections come to it.
    /// - Returns: false where nothing rests and nobody is slow, or where the client has its share.
    func admit(_ connection: DownstreamConnection) -> Bool {
        switch counts.enter(connection.share, limits) {
        case .entered: return true
        case .addressIsFull: return false
        case .doorIsFull: break
        }
        guard let leaving = whoGivesWay(to: connection) else {
            guard connections.count <= limits.connectionsMax / loopCount else { return false }
            counts.enterBeyond(connection.share)
            return true
        }
        counts.hand(from: leaving.share, to: connection.share)
        leaving.giveWay()
        if counts.isBeyond(limits), let other = whoGivesWay(to: connection) {
            counts.leave(other.share)
            other.giveWay()
        }
        return true
    }

    private func whoGivesWay(to connection: DownstreamConnection) -> DownstreamConnection? {
        var resting: DownstreamConnection?
        var slowest: (connection: DownstreamConnection, bytes: Int)?
        let first = connections.count > Self.candidatesMax ? Int.random(in: 0..<connections.count) : 0
        for step in 0..<min(connections.count, Self.candidatesMax) {
            let candidate = connections[(first + step) % connections.count]
            guard candidate !== connection else { continue }
            guard let since = candidate.restsSince else {
                if let bytes = candidate.slowBytes, bytes < slowest?.bytes ?? .max { slowest = (candidate, bytes) }
                continue
            }
            if let best = resting?.restsSince, best <= since { continue }
            resting = candidate
        }
        return resting ?? slowest?.connection
    }

    // MARK: - Turns

    // A turn of the loop goes by stages: all requests are read, then what services have to work out is worked out, then all answers sent. A
    // request's way is longer than the processor's first cache of instructions: taken one after the other, each would fetch all of it anew.

    /// Gathers what is to be done once all requests of this turn were looked at; each stands here once at most.
    package func runAfterRequests(_ work: any TurnWork) {
        self.work.append(work)
        endTurn()
    }

    /// Gathers the connections that have something to send in this turn.
    ///
    /// Sending after all requests of the turn were read wakes a peer once for many answers, not once for each: on a virtual
    /// machine the waking is what an answer costs most.
    func flushAfterTick(_ connection: any WrittenConnection) {
        unflushed.append(connection)
        endTurn()
    }

    private func endTurn() {
        guard !awaitsTurnEnd else { return }
        awaitsTurnEnd = true
        let bound = NIOLoopBound(self, eventLoop: loop)
        loop.execute { bound.value.runStages() }
    }

    private func runStages() {
        if !work.isEmpty {
            let work = work
            self.work.removeAll(keepingCapacity: true)
            for work in work { work.run() }
        }
        let written = unflushed
        unflushed.removeAll(keepingCapacity: true)
        // What comes up from here on has a turn of its own.
        awaitsTurnEnd = false
        if !work.isEmpty { endTurn() }
        for connection in written { connection.flushWritten() }
        if givesWay { sched_yield() }
    }

    /// Lets running requests end and closes the rest.
    package func drain() {
        isDraining = true
        for connection in connections { connection.closeIfIdle() }
    }

    /// A number that no other request of this installation is likely to have; not a secret.
    package func nextID() -> UInt64 {
        seed &+= 0x9E37_79B9_7F4A_7C15
        var mixed = seed
        mixed = (mixed ^ mixed >> 30) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ mixed >> 27) &* 0x94D0_49BB_1331_11EB
        return mixed ^ mixed >> 31
    }

    /// 32 hexadecimal digits that name a request.
    package func writeID(to buffer: inout ByteBuffer) {
        buffer.writeWithUnsafeMutableBytes(minimumWritableBytes: WireLoop.idCount) { room in
            var writer = RoomWriter(room)
            writeID(to: &writer)
            return writer.count
        }
    }

    /// Bytes of an id.
    private static let idCount = 32

    package func writeID(to writer: inout RoomWriter) {
        writer.writeHex(nextID())
        writer.writeHex(nextID())
    }

    /// `date: …` with its CRLF, made anew each second.
    package func writeDate(to buffer: inout ByteBuffer) { buffer.writeBytes(date()) }

    package func writeDate(to writer: inout RoomWriter) { writer.write(date()) }

    private func date() -> [UInt8] {
        var now = timespec()
        clock_gettime(CLOCK_REALTIME_COARSE, &now)
        if now.tv_sec != dateSecond {
            dateSecond = now.tv_sec
            dateLine = Array("Date: \(HTTPDate.text(seconds: now.tv_sec))\r\n".utf8)
        }
        return dateLine
    }
}

/// Dates of HTTP heads (RFC 9110, IMF-fixdate).
package enum HTTPDate {
    private static let days = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"]
    private static let months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]

    /// - Parameter seconds: since 1970.
    package static func text(seconds: Int) -> String {
        var time = tm()
        var seconds = time_t(seconds)
        gmtime_r(&seconds, &time)
        let day = days[Int((seconds / 86_400) % 7)]
        return "\(day), \(two(time.tm_mday)) \(months[Int(time.tm_mon)]) \(1900 + Int(time.tm_year)) "
            + "\(two(time.tm_hour)):\(two(time.tm_min)):\(two(time.tm_sec)) GMT"
    }

    private static func two(_ value: Int32) -> String { value < 10 ? "0\(value)" : "\(value)" }
}
