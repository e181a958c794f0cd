import Analytics
import Foundation
import HTTPServing
import Hummingbird
import Logging
import NIOCore
import ResourceModel
import ServiceLifecycle
import Store
import Synchronization
import Telemetry

/// Takes the facts of the gateway's loops to the store, the metrics and the access log.
final class FactKeeping: Sendable {
    private static let period = Duration.seconds(1)

    let metrics = MetricsRegistry()
    private let inbox = FactInbox()
    private let store: SQLiteFactStore
    private let writer: FactWriter
    private let logsRequests: Bool
    private let places: AddressPlaces?
    private let recorders = Mutex<[NIOLoopBound<FactRecorder>]>([])

    init(_ store: SQLiteFactStore, _ settings: ServeSettings, _ logger: Logger) throws {
        self.store = store
        places = try settings.addressRanges.map(Self.readPlaces)
        var accessLog: AccessLog?
        if let path = settings.accessLog {
            do { accessLog = try AccessLog(path: path) } catch {
                throw InstallationError("The file of access-log (\(path)) cannot be opened: \(error).")
            }
        }
        logsRequests = accessLog != nil
        writer = FactWriter(
            inbox: inbox,
            store: store,
            metrics: metrics,
            accessLog: accessLog,
            retention: settings.retention,
            now: Self.now(),
            logger: logger
        )
    }

    private static func readPlaces(_ file: String) throws -> AddressPlaces {
        guard let data = FileManager.default.contents(atPath: file) else {
            throw InstallationError("The file of address-ranges-file (\(file)) cannot be read.")
        }
        do { return try AddressPlaces(text: Array(data)) } catch {
            throw InstallationError("The file of address-ranges-file (\(file)) is wrong: \(error).")
        }
    }

    /// The recorder of a loop; called on it.
    func makeRecorder(on loop: any EventLoop) -> FactRecorder {
        let recorder = FactRecorder(inbox: inbox, logsRequests: logsRequests, places: places)
        let bound = NIOLoopBound(recorder, eventLoop: loop)
        recorders.withLock { $0.append(bound) }
        return recorder
    }

    /// For those who read what was told.
    var reports: any FactReports { store }

    var isFailing: Bool { get async { await writer.isFailing } }

    /// Writes all there is, while the loops still run.
    func end() async throws {
        for bound in recorders.withLock({ $0 }) {
            try await bound.eventLoop.submit { bound.value.handOn() }.get()
        }
        await writer.turn(now: Self.now())
    }

    private static func now() -> Int64 { Int64(Date().timeIntervalSince1970 * 1000) }

    /// The background service; what it leaves is written by `end`.
    struct Turning: Service {
        let keeping: FactKeeping

        func run() async throws {
            try? await cancelWhenGracefulShutdown {
                while true {
                    try await Task.sleep(for: FactKeeping.period)
                    await keeping.writer.turn(now: FactKeeping.now())
                }
            }
        }
    }
}

/// Health, and metrics for whoever may see them.
struct HealthRoutes {
    let facts: FactKeeping
    let builder: SnapshotBuilder
    let disk: DiskWatch
    /// Whether only this machine reaches the door: then the metrics are everybody's.
    let isLoopback: Bool

    func addRoutes(to router: Router<ServingContext>) {
        router.get("/health/live") { _, _ in Response.json(["status": "ok"]) }
        router.get("/health/ready") { _, _ -> Response in
            var problems: [String] = []
            if await builder.isFailing { problems.append("The last change of the configuration is not in force.") }
            if await facts.isFailing { problems.append("Facts of calls cannot be written.") }
            if let problem = await disk.problem() { problems.append(problem) }
            guard !problems.isEmpty else { return .json(["status": "ok"]) }
            return .json(["status": "degraded", "problems": .array(problems.map { .string($0) })], status: 503)
        }
        let metrics = router.group().add(middleware: AccessMiddleware(isLoopback ? .everyone : .administrator))
        metrics.get("/metrics") { _, _ -> Response in
            Response(
                status: .ok,
                headers: [.contentType: "text/plain; version=0.0.4; charset=utf-8"],
                body: .init(byteBuffer: ByteBuffer(string: facts.metrics.text(gauges: ProcessGauges.read())))
            )
        }
    }
}
