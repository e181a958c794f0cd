import HTTPWire
import NIOCore
import Policies
import Telemetry

#if canImport(Glibc)
import Glibc
#endif

/// What is remembered of a call for the facts that it leaves.
struct CallRecord {
    /// Whose call it is.
    var cell: FactRecorder.Cell
    /// Names the call; its trace has the same name unless the caller is part of one.
    var id = TraceID(high: 0, low: 0)
    /// The caller's trace, where it has one.
    var parent: TraceContext?
    /// The head as it came.
    var head = ByteBuffer()
    /// Method and target in it.
    var lineEnd = 0
    var method = HTTPMetrics.Method.other
    private(set) var start: UInt64 = 0
    private var serviceStart: UInt64 = 0
    private var serviceTime: UInt64?
    var backendStatus = 0
    var cache = CacheOutcome.none
    /// Quotas that the call's bytes count in.
    var bandwidth: [QuotaWindow] = []
    var error: RequestFault?

    init(cell: FactRecorder.Cell) { self.cell = cell }

    /// Begins with a request whose head is there.
    mutating func begin(_ connection: DownstreamConnection, _ parser: HeadParser, at now: UInt64) {
        head = connection.head
        lineEnd = parser.target.upperBound
        start = now
        serviceStart = 0
        serviceTime = nil
        backendStatus = 0
        cache = .none
        bandwidth = []
        error = nil
        id = TraceID(high: connection.wire.nextID(), low: connection.wire.nextID())
        (method, parent) = head.withUnsafeReadableBytes { raw in
            (
                HTTPMetrics.Method(UnsafeRawBufferPointer(rebasing: raw[parser.method])),
                parser.value("traceparent", in: raw).flatMap { TraceContext($0) }
            )
        }
    }

    /// By what the next hop is told its trace; this call is its parent.
    var traceContext: TraceContext {
        TraceContext(trace: parent?.trace ?? id, span: id.low == 0 ? 1 : id.low, flags: parent?.flags ?? 1)
    }

    mutating func serviceBegins() { serviceStart = MonotonicClock.nanoseconds() }

    /// The backend has said all; attempts of `retry` are added up.
    mutating func serviceEnds() {
        guard serviceStart > 0 else { return }
        serviceTime = (serviceTime ?? 0) &+ (MonotonicClock.nanoseconds() &- serviceStart)
        serviceStart = 0
    }

    mutating func note(_ error: LastError) {
        self.error = RequestFault(
            source: error.source,
            reason: error.reason,
            section: error.section ?? "",
            policy: error.policyID ?? error.path ?? ""
        )
    }

    /// Gives the facts of a call that ended.
    mutating func end(
        isWhole: Bool,
        _ connection: DownstreamConnection,
        _ facts: FactRecorder,
        _ quotas: QuotaCounters
    ) {
        serviceEnds()
        for window in bandwidth { quotas.add(window, connection.bytesReceived + connection.bytesSent) }
        // An answer that was cut is no success, whatever its head said.
        let status = isWhole || connection.answerStatus >= 400 ? connection.answerStatus : 0
        let microseconds = Int64((MonotonicClock.nanoseconds() &- start) / 1000)
        let service = serviceTime.map { Int64($0 / 1000) }
        let time = MonotonicClock.wallMilliseconds()
        facts.record(
            facts.placed(cell, connection.clientAddress),
            seconds: time / 1000,
            status: status,
            method: method,
            requestBytes: connection.bytesReceived,
            responseBytes: connection.bytesSent,
            microseconds: microseconds,
            serviceMicroseconds: service,
            cache: cache
        ) {
            var event = RequestEvent(subject: cell.subject)
            event.time = time
            event.id = id
            event.line = head.getBytes(at: head.readerIndex, length: lineEnd) ?? []
            event.address = connection.clientAddress
            event.keyParameter = cell.keyParameter
            event.status = connection.answerStatus
            event.backendStatus = backendStatus
            event.isWhole = isWhole
            event.requestBytes = connection.bytesReceived
            event.responseBytes = connection.bytesSent
            event.microseconds = microseconds
            event.serviceMicroseconds = service
            event.cache = cache
            event.error = error
            return event
        }
        head = ByteBuffer()
    }
}

/// The clocks of the data path.
enum MonotonicClock {
    @inline(__always)
    static func nanoseconds() -> UInt64 {
        var now = timespec()
        clock_gettime(CLOCK_MONOTONIC, &now)
        return UInt64(now.tv_sec) &* 1_000_000_000 &+ UInt64(now.tv_nsec)
    }

    /// Since 1970, to some milliseconds: it names minutes and rows, nothing is measured by it.
    @inline(__always)
    static func wallMilliseconds() -> Int64 {
        var now = timespec()
        clock_gettime(CLOCK_REALTIME_COARSE, &now)
        return Int64(now.tv_sec) &* 1000 &+ Int64(now.tv_nsec) / 1_000_000
    }
}
