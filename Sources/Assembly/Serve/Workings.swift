import Blobs
import Foundation
import Gateway
import HTTPWire
import Logging
import People
import ServiceLifecycle
import Store
import WebServices

/// What the doors of an installation share: its blobs, its services and their jobs, the gateway's snapshot, limits, facts and traces.
package struct Workings: Sendable {
    let storage: BlobStorage
    let publisher: ServicePublisher
    let batch: BatchExecution
    let snapshots: Snapshots
    let limits: LimitKeeping
    let facts: FactKeeping
    let tracing: Tracing
    let passwords: PasswordPool

    package static func open(_ premises: Premises, _ closing: ClosingList) async throws -> Workings {
        let (opened, settings, logger) = (premises.opened, premises.settings, premises.logger)
        let storage = try await BlobStorage.open(premises, closing)
        let snapshots = try await Snapshots.open(opened, settings, logger)
        let publisher = ServicePublisher(
            store: opened.resources,
            content: opened.content,
            box: opened.box,
            registry: ServiceRegistry()
        )
        try await publisher.loadAll()
        let batch = BatchExecution(opened, settings, publisher.registry, storage, logger)
        closing.add("batch threads") { try await batch.threads.shutdown() }
        let limits = try await LimitKeeping.open(opened, settings)
        // Closed before the loops end, which were opened earlier: they hold the last of them.
        let facts = try FactKeeping(opened.databases.facts, settings, logger)
        closing.add("facts") { try await facts.end() }
        let passwords = PasswordPool()
        closing.add("password threads") { try await passwords.shutdown() }
        return Workings(
            storage: storage,
            publisher: publisher,
            batch: batch,
            snapshots: snapshots,
            limits: limits,
            facts: facts,
            tracing: Tracing(box: opened.box),
            passwords: passwords
        )
    }

    /// What goes on beside the doors, in the order in which it begins.
    func services(_ premises: Premises) -> [any Service] {
        let settings = premises.settings
        var services: [any Service] = [
            FactKeeping.Turning(keeping: facts), LimitSweeping(limits: limits, logger: premises.logger),
            BlobTidying(store: storage.store, blockAgeMax: Double(settings.blobUncommittedDays) * 86_400),
        ]
        if settings.roles.contains("worker") { services.append(BatchService(worker: batch.worker)) }
        return services
    }
}
