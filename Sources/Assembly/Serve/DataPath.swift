import Blobs
import Foundation
import Gateway
import HTTPWire
import Management
import NIOCore
import Store
import WebServices

/// The doors of the data path: web services, the gateway and blobs, on the loops that they share.
struct DataPath: Sendable {
    private let premises: Premises
    private let threads: ServerThreads
    private let workings: Workings
    private let serviceLimits: ServiceLimits
    private let running = RunningTotal()
    private let cache: ResponseCache
    private let resolver: NameResolver

    init(_ premises: Premises, _ threads: ServerThreads, _ workings: Workings) {
        self.premises = premises
        self.threads = threads
        self.workings = workings
        serviceLimits = premises.settings.serviceLimits
        cache = ResponseCache(bytesMax: premises.settings.responseCacheBytesMax)
        resolver = NameResolver(threads: threads.resolving)
    }

    /// Opens those doors whose roles this server has.
    func open(by opener: DoorOpener) async throws -> [WireListener] {
        let loops = threads.loops
        var listeners = try await opener.open(.services, on: loops) { wire, _ in
            ServicesResponder(calls: makeCalls(wire))
        }
        listeners += try await opener.open(.gateway, on: loops) { makeGateway($0, isTLS: $1) }
        let blobs = BlobDoor(
            store: workings.storage.store,
            accounts: workings.storage.accounts,
            remote: workings.storage.remote,
            trustedProxies: premises.settings.trustedProxies,
            logger: premises.logger
        )
        try await blobs.loadSharing()
        listeners += try await opener.open(.blobs, on: loops) { wire, _ in TaskResponder(wire: wire, door: blobs) }
        return listeners
    }

    private func makeCalls(_ wire: WireLoop) -> ServiceCalls {
        let (addresses, box) = (premises.addresses, premises.opened.box)
        return ServiceCalls(
            wire: wire,
            registry: workings.publisher.registry,
            workers: threads.workers,
            limits: serviceLimits,
            running: running,
            jobs: workings.batch.jobs,
            host: { addresses.serviceHost },
            hashKey: { box.hash($0) }
        )
    }

    private func makeGateway(_ wire: WireLoop, isTLS: Bool) -> GatewayResponder {
        let (addresses, settings) = (premises.addresses, premises.settings)
        let (installation, box) = (premises.opened.installation, premises.opened.box)
        return GatewayResponder(
            wire: wire,
            slot: workings.snapshots.slot,
            local: LocalServices(calls: makeCalls(wire)),
            counters: workings.limits.counters,
            quotas: workings.limits.quotas,
            upstreamTLS: workings.snapshots.upstreamTLS,
            resolver: resolver,
            bodyBytesMax: settings.gatewayBodyBytesMax,
            isTLS: isTLS,
            trustedProxies: settings.trustedProxies,
            serviceName: { installation.current.serviceName },
            publicURL: { addresses.url(.gateway) },
            hashKey: { box.hash($0) },
            facts: workings.facts.makeRecorder(on: wire.loop),
            cache: cache,
            traces: workings.tracing.traces,
            debugTokens: workings.tracing.tokens,
            traceLocation: { addresses.url(.portal) + "/traces/" },
            logger: premises.logger
        )
    }
}
