import Blobs
import Foundation
import Gateway
import HTTPServing
import HTTPWire
import Logging
import Management
import NIOCore
import NIOPosix
import ResourceModel
import ServiceLifecycle
import Store
import Studio
import UnixSignals
import WebServices

/// Puts the rooms together and runs the doors until the process is asked to end.
struct Server {
    /// Time for open requests after SIGTERM.
    private static let drainTimeout = TimeAmount.seconds(20)
    /// Threads that look up names: a name server that is slow holds one for seconds.
    private static let resolvingThreads = 2

    let data: String
    let settings: ServeSettings

    func run() async throws {
        let folder = try DataFolder(path: data)
        let lock = try folder.lock()
        defer { close(lock) }
        let logger = Logger(label: "gatehouse")
        let descriptors = Descriptors.raise()
        let opened = try await OpenInstallation.open(folder, form: .init(), accepting: settings.acceptedLosses)
        for note in opened.databases.notes { logger.warning("\(note)") }
        if opened.isNew { AdministratorNotice.print(email: opened.installation.current.adminEmail, folder: folder) }
        do { try await serve(opened, folder, descriptors, logger) } catch {
            try? opened.databases.close()
            throw error
        }
        try opened.databases.close()
        logger.info("ended")
    }

    private func serve(
        _ opened: OpenInstallation,
        _ folder: DataFolder,
        _ descriptors: Descriptors,
        _ logger: Logger
    ) async throws {
        opened.databases.reserve.fill()
        do { try folder.markOpen() } catch { logger.error("\(error)") }
        // Before any door is open, so that nothing is being written whose name is not stored yet.
        let orphans = try await opened.content.tendOrphans(
            naming: try await ContentReferences.all(opened.resources),
            now: Date().timeIntervalSince1970
        )
        OrphanLog.tell(orphans, folder.contentFolder, settings, logger)
        let addresses = DoorAddresses(settings: settings)
        let tls = settings.hasGatewayTLS ? try GatewayTLS(folder, settings, logger) : nil
        let storage = try await BlobStorage.open(opened, settings, addresses, logger)
        do { try await serve(opened, folder, descriptors, addresses, tls, storage, logger) } catch {
            // A client that is not shut down ends the process, and what was thrown would not be said.
            try? await storage.shutdown()
            throw error
        }
    }

    private func serve(
        _ opened: OpenInstallation,
        _ folder: DataFolder,
        _ descriptors: Descriptors,
        _ addresses: DoorAddresses,
        _ tls: GatewayTLS?,
        _ storage: BlobStorage,
        _ logger: Logger
    ) async throws {
        let facts = try FactKeeping(opened.databases.facts, settings, logger)
        let resolving = NIOThreadPool(numberOfThreads: Self.resolvingThreads)
        resolving.start()
        let tracing = Tracing(box: opened.box)
        let slot = SnapshotSlot()
        let upstreamTLS: UpstreamTLS
        do { upstreamTLS = try UpstreamTLS(authorities: settings.upstreamAuthorities) } catch {
            throw InstallationError(
                "The file of upstream-ca-file (\(settings.upstreamAuthorities ?? "")) cannot be read as certificates."
            )
        }
        let (resources, box) = (opened.resources, opened.box)
        let builder = SnapshotBuilder(
            store: resources,
            slot: slot,
            secret: { id, slot in
                try await resources.secrets(id)[slot].map { try box.open($0, key: id.key, slot: slot) }
            },
            upstreamTLS: upstreamTLS,
            logger: logger
        )
        try await builder.start()
        let publisher = ServicePublisher(
            store: opened.resources,
            content: opened.content,
            box: opened.box,
            registry: ServiceRegistry()
        )
        try await publisher.loadAll()
        let group = MultiThreadedEventLoopGroup(numberOfThreads: settings.loops)
        for loop in group.makeIterator() { try await loop.submit { CallerLoad.watchCallingThread() }.get() }
        let workers = NIOThreadPool(numberOfThreads: ProcessorCount.available)
        workers.start()
        let batch = BatchExecution(opened, settings, publisher.registry, storage, logger)
        let quotaStore = SQLiteQuotaStore(opened.queue)
        _ = try await quotaStore.removeEnded(before: QuotaCounters.clock())
        try await StoredQuotas.digestKeys(in: quotaStore)
        let quotas = QuotaCounters(ledger: StoredQuotas(store: quotaStore), keysMax: settings.limitKeysMax)
        let counters = LimitCounters(keysMax: settings.limitKeysMax)
        var listeners = try await listen(
            group,
            descriptors,
            workers,
            opened,
            slot,
            publisher.registry,
            batch,
            storage,
            addresses,
            facts,
            tracing,
            tls,
            NameResolver(threads: resolving),
            upstreamTLS,
            quotas,
            counters,
            logger
        )
        let portal = PortalDoor(
            opened: opened,
            publisher: publisher,
            jobs: batch.jobs,
            builder: builder,
            storage: storage,
            addresses: addresses,
            facts: facts,
            tracing: tracing,
            quotas: quotas,
            orphanDays: settings.orphanDays,
            isLoopback: settings.isLoopback,
            logger: logger
        )
        let worker = portal.worker
        // Control work has a loop of its own, never one of the data path.
        let portalGroup = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        if settings.roles.contains("portal") {
            let door = portal.door
            let listener = try await listen(.portal, portalGroup, descriptors, loops: 1, logger) { wire in
                TaskResponder(wire: wire, door: door)
            }
            addresses.bound(.portal, port: listener.port)
            listeners.append(listener)
        }
        var services: [any Service] = [DataPathService(listeners: listeners, timeout: Self.drainTimeout)]
        services.append(FactKeeping.Turning(keeping: facts))
        services.append(DiskWatch.Turning(watch: portal.disk))
        if let tls { services.append(GatewayTLS.Watching(tls: tls)) }
        let blockAge = Double(settings.blobUncommittedDays) * 86_400
        services.append(LimitSweeping(counters: counters, quotas: quotas, store: quotaStore, logger: logger))
        services.append(BlobTidying(store: storage.store, blockAgeMax: blockAge))
        if settings.roles.contains("worker") {
            services.append(ServiceApart(service: WorkerService(worker: worker), threads: .runs))
            services.append(BatchService(worker: batch.worker))
        }
        let expiry = SubscriptionExpiry(resources: portal.resources, logger: logger)
        services.append(ServiceApart(service: expiry, threads: .management))
        services.append(Announcement { await announce(addresses, folder, logger) })
        let serviceGroup = ServiceGroup(
            configuration: .init(
                services: services.map { .init(service: $0) },
                gracefulShutdownSignals: [.sigterm, .sigint],
                logger: logger
            )
        )
        try await serviceGroup.run()
        try? FileManager.default.removeItem(atPath: folder.serverFile)
        try await facts.end()
        try await batch.threads.shutdown()
        try await storage.shutdown()
        try await workers.shutdownGracefully()
        try await resolving.shutdownGracefully()
        try await group.shutdownGracefully()
        try await portalGroup.shutdownGracefully()
    }

    /// Opens the doors of the data path.
    private func listen(
        _ group: MultiThreadedEventLoopGroup,
        _ descriptors: Descriptors,
        _ workers: NIOThreadPool,
        _ opened: OpenInstallation,
        _ slot: SnapshotSlot,
        _ registry: ServiceRegistry,
        _ batch: BatchExecution,
        _ storage: BlobStorage,
        _ addresses: DoorAddresses,
        _ facts: FactKeeping,
        _ tracing: Tracing,
        _ tls: GatewayTLS?,
        _ resolver: NameResolver,
        _ upstreamTLS: UpstreamTLS,
        _ quotas: QuotaCounters,
        _ counters: LimitCounters,
        _ logger: Logger
    ) async throws -> [WireListener] {
        let limits = serviceLimits
        let running = RunningTotal()
        let box = opened.box
        let host = { @Sendable in
            ServiceHost(servicesURL: addresses.url(.services), portalURL: addresses.url(.portal))
        }
        let makeCalls = { @Sendable (wire: WireLoop) in
            ServiceCalls(
                wire: wire,
                registry: registry,
                workers: workers,
                limits: limits,
                running: running,
                jobs: batch.jobs,
                host: host,
                hashKey: { box.hash($0) }
            )
        }
        var listeners: [WireListener] = []
        let open = {
            (
                door: ServeSettings.Door,
                tls: DownstreamTLS?,
                make: @Sendable @escaping (WireLoop) -> any WireResponder
            ) async throws in
            guard settings.roles.contains(door.role) else { return }
            let listener = try await listen(
                door,
                group,
                descriptors,
                loops: settings.loops,
                tls: tls,
                logger,
                makeResponder: make
            )
            addresses.bound(door, port: listener.port)
            listeners.append(listener)
        }
        try await open(.services, nil) { wire in ServicesResponder(calls: makeCalls(wire)) }
        let cache = ResponseCache(bytesMax: settings.responseCacheBytesMax)
        let installation = opened.installation
        let trustedProxies = settings.trustedProxies
        let bodyBytesMax = settings.gatewayBodyBytesMax
        let makeGateway = { @Sendable (wire: WireLoop, isTLS: Bool) in
            GatewayResponder(
                wire: wire,
                slot: slot,
                local: LocalServices(calls: makeCalls(wire)),
                counters: counters,
                quotas: quotas,
                upstreamTLS: upstreamTLS,
                resolver: resolver,
                bodyBytesMax: bodyBytesMax,
                isTLS: isTLS,
                trustedProxies: trustedProxies,
                serviceName: { installation.current.serviceName },
                publicURL: { addresses.url(.gateway) },
                hashKey: { box.hash($0) },
                facts: facts.makeRecorder(on: wire.loop),
                cache: cache,
                traces: tracing.traces,
                debugTokens: tracing.tokens,
                traceLocation: { addresses.url(.portal) + "/traces/" },
                logger: logger
            )
        }
        try await open(.gateway, nil) { makeGateway($0, false) }
        if let tls { try await open(.gatewayTLS, tls.tls) { makeGateway($0, true) } }
        let blobDoor = BlobDoor(
            store: storage.store,
            accounts: storage.accounts,
            remote: storage.remote,
            trustedProxies: settings.trustedProxies,
            logger: logger
        )
        try await open(.blobs, nil) { wire in TaskResponder(wire: wire, door: blobDoor) }
        return listeners
    }

    /// Opens one door within its share of the descriptors.
    private func listen(
        _ door: ServeSettings.Door,
        _ group: MultiThreadedEventLoopGroup,
        _ descriptors: Descriptors,
        loops: Int,
        tls: DownstreamTLS? = nil,
        _ logger: Logger,
        makeResponder: @Sendable @escaping (WireLoop) -> any WireResponder
    ) async throws -> WireListener {
        let port = settings.ports[door] ?? door.defaultPort
        do {
            return try await WireListener.listen(
                group: group,
                host: settings.bind,
                port: port,
                limits: descriptors.bounded(settings.limits(of: door), door, loops: loops),
                tls: tls,
                givesWay: settings.loops > ProcessorCount.available,
                noteShortage: { error in
                    logger.warning(
                        "connections wait: the system gives no descriptors for them",
                        metadata: ["door": "\(door.rawValue)", "error": "\(String(cString: strerror(error)))"]
                    )
                },
                makeResponder: makeResponder
            )
        } catch let error as IOError {
            throw InstallationError(
                "The \(door.rawValue) door cannot listen on \(settings.bind):\(port): \(String(cString: strerror(error.errnoCode)))."
            )
        }
    }

    private var serviceLimits: ServiceLimits {
        var limits = ServiceLimits()
        if let value = settings.rrsBodyBytesMax { limits.bodyBytesMax = value }
        if let value = settings.rrsRowsMax { limits.rowsMax = value }
        if let value = settings.rrsCellsMax { limits.cellsMax = value }
        if let value = settings.rrsTimeoutSeconds { limits.timeout = .seconds(Int64(value)) }
        return limits
    }

    /// All doors listen and the snapshot is in force: says so.
    private func announce(_ addresses: DoorAddresses, _ folder: DataFolder, _ logger: Logger) async {
        let text = Array(addresses.document.indented.utf8)
        do {
            try folder.writePrivately(folder.serverFile, text)
            if let file = settings.readyFile { try folder.writePrivately(file, text) }
        } catch {
            logger.error("addresses could not be written", metadata: ["error.code": "\(error)"])
        }
        logger.info(
            "ready",
            metadata: [
                "gateway": "\(addresses.url(.gateway))", "portal": "\(addresses.url(.portal))",
                "services": "\(addresses.url(.services))", "blobs": "\(addresses.url(.blobs))",
            ]
        )
    }
}

/// Says that the doors are open, once the process also answers to the signal that ends it.
struct Announcement: Service {
    let announce: @Sendable () async -> Void

    func run() async throws {
        await announce()
        try? await gracefulShutdown()
    }
}

/// Keeps the doors open, and drains them.
struct DataPathService: Service {
    let listeners: [WireListener]
    let timeout: TimeAmount

    func run() async throws {
        try? await gracefulShutdown()
        await withTaskGroup(of: Void.self) { group in
            for listener in listeners { group.addTask { await listener.drain(timeout: timeout) } }
        }
    }
}

/// Runs a service on threads of its own.
struct ServiceApart: Service {
    let service: any Service
    let threads: PlaneThreads

    func run() async throws {
        try await withTaskExecutorPreference(threads) { try await service.run() }
    }
}

/// Works on the queue until the end.
struct WorkerService: Service {
    let worker: RunWorker

    func run() async throws {
        try await cancelWhenGracefulShutdown { try await worker.run() }
    }
}

/// Ends subscriptions whose time is over.
struct SubscriptionExpiry: Service {
    /// A key may work so much longer than it should.
    private static let period = Duration.seconds(15)

    let resources: ResourceService
    let logger: Logger

    func run() async throws {
        try? await cancelWhenGracefulShutdown {
            while true {
                do {
                    try await ChangeActor.$current.withValue("expiry") {
                        try await SubscriptionRules.expire(resources, now: Date())
                    }
                } catch is CancellationError { return } catch {
                    logger.warning("subscriptions could not be ended", metadata: ["error.code": "\(type(of: error))"])
                }
                try await Task.sleep(for: Self.period)
            }
        }
    }
}
