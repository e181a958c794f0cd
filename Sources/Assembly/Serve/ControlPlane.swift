import Blobs
import Certificates
import Foundation
import HTTPWire
import Management
import People
import ResourceModel
import ServiceLifecycle
import Store
import Studio

/// What stands behind the portal door: managed resources, datasets, experiments and their runs.
package struct ControlPlane: Sendable {
    let resources: ResourceService
    let datasets: DatasetService
    let experiments: ExperimentService
    let executor: RunExecutor
    let worker: RunWorker
    let disk: DiskWatch
    let people: PeopleEngine

    package init(_ premises: Premises, _ workings: Workings) {
        let opened = premises.opened
        let storage = workings.storage
        let datasets = Self.datasets(opened, storage)
        self.datasets = datasets
        executor = RunExecutor(
            store: opened.resources,
            queue: opened.queue,
            content: opened.content,
            datasets: datasets,
            workspace: opened.workspace,
            parallelism: ProcessorCount.available
        )
        // A new name for each process: what an earlier one held is taken up again.
        let worker = RunWorker(
            queue: opened.queue,
            executor: executor,
            owner: Identifier.hex32(),
            logger: premises.logger
        )
        self.worker = worker
        experiments = ExperimentService(
            store: opened.resources,
            queue: opened.queue,
            datasets: datasets,
            workspace: opened.workspace,
            wake: { worker.wake() }
        )
        resources = Self.resources(premises, workings)
        people = PeopleAssembly.engine(premises, workings, resources)
        disk = DiskWatch(
            opened,
            contentFolder: { storage.files.newestFolder },
            orphanDays: premises.settings.orphanDays,
            removeDatasets: { try await datasets.removeUnnamed(keptSeconds: $0) },
            logger: premises.logger
        )
    }

    private static func datasets(_ opened: OpenInstallation, _ storage: BlobStorage) -> DatasetService {
        DatasetService(
            store: opened.resources,
            content: opened.content,
            blobs: storage.store,
            references: storage.references,
            account: storage.accounts,
            workspace: opened.workspace
        )
    }

    private static func resources(_ premises: Premises, _ workings: Workings) -> ResourceService {
        let (opened, addresses) = (premises.opened, premises.addresses)
        let builder = workings.snapshots.builder
        let firstPassword = FirstPassword(opened, workings.passwords)
        return ResourceService(
            store: opened.resources,
            box: opened.box,
            installation: opened.installation,
            servicesURL: { addresses.url(.services) },
            portalURL: { addresses.url(.portal) },
            fetch: DocumentLinks(remote: workings.storage.remote).fetch,
            readCertificate: { bytes, password in
                let file = try CertificateFile(bytes, password: password)
                let said = try CertificateText.read(file.leaf)
                return CertificateFacts(
                    subject: said.subject,
                    thumbprint: said.thumbprint,
                    expirationDate: said.end.formatted(.iso8601)
                )
            },
            hashPassword: PeopleAssembly.hashing(workings.passwords),
            afterCommit: {
                await builder.reach($0, for: $1)
                await firstPassword.follow($1)
            }
        )
    }

    /// What goes on beside the door, in the order in which it begins.
    func services(_ premises: Premises) -> [any Service] {
        var services: [any Service] = [DiskWatch.Turning(watch: disk)]
        if premises.settings.roles.contains("worker") {
            services.append(ServiceApart(service: WorkerService(worker: worker), threads: .runs))
        }
        let expiry = SubscriptionExpiry(resources: resources, logger: premises.logger)
        services.append(ServiceApart(service: expiry, threads: .management))
        services.append(PeopleAssembly.Tidying(people: people, logger: premises.logger))
        return services
    }
}
