import Blobs
import Certificates
import Foundation
import Gateway
import HTTPServing
import HTTPWire
import Hummingbird
import Logging
import Management
import ResourceModel
import Store
import Studio
import WebServices

/// The ordinary door: management, Studio and ML management calls, and health.
struct PortalDoor {
    let worker: RunWorker
    let datasets: DatasetService
    let resources: ResourceService
    let disk: DiskWatch
    private let router: Router<ServingContext>
    private let logger: Logger

    init(
        opened: OpenInstallation,
        publisher: ServicePublisher,
        jobs: BatchJobs,
        builder: SnapshotBuilder,
        storage: BlobStorage,
        addresses: DoorAddresses,
        facts: FactKeeping,
        tracing: Tracing,
        quotas: QuotaCounters,
        orphanDays: Int,
        isLoopback: Bool,
        logger: Logger
    ) {
        self.logger = logger
        let workspace = opened.workspace
        let datasets = DatasetService(
            store: opened.resources,
            content: opened.content,
            blobs: storage.store,
            references: storage.references,
            account: storage.accounts,
            workspace: workspace
        )
        self.datasets = datasets
        let executor = RunExecutor(
            store: opened.resources,
            queue: opened.queue,
            content: opened.content,
            datasets: datasets,
            workspace: workspace,
            parallelism: ProcessorCount.available
        )
        // A new name for each process: what an earlier one held is taken up again.
        let worker = RunWorker(queue: opened.queue, executor: executor, owner: Identifier.hex32(), logger: logger)
        self.worker = worker
        let experiments = ExperimentService(
            store: opened.resources,
            queue: opened.queue,
            datasets: datasets,
            workspace: workspace,
            wake: { worker.wake() }
        )
        let resources = ResourceService(
            store: opened.resources,
            box: opened.box,
            installation: opened.installation,
            servicesURL: { addresses.url(.services) },
            portalURL: { addresses.url(.portal) },
            fetch: DocumentLinks(remote: storage.remote).fetch,
            readCertificate: { bytes, password in
                let file = try CertificateFile(bytes, password: password)
                let said = try CertificateText.read(file.leaf)
                return CertificateFacts(
                    subject: said.subject,
                    thumbprint: said.thumbprint,
                    expirationDate: said.end.formatted(.iso8601)
                )
            },
            afterCommit: { await builder.reach($0, for: $1) }
        )
        self.resources = resources
        let management = TokenGuard(tokens: [opened.managementToken])
        router = Router(context: ServingContext.self)
        router.add(middleware: ErrorMiddleware())
        router.add(
            middleware: TokenMiddleware(management: management, workspace: TokenGuard(tokens: opened.workspaceTokens))
        )
        router.add(middleware: ActorMiddleware())
        router.add(middleware: SpaceMiddleware())
        let disk = DiskWatch(
            opened,
            contentFolder: { storage.files.newestFolder },
            orphanDays: orphanDays,
            removeDatasets: { try await datasets.removeUnnamed(keptSeconds: $0) },
            logger: logger
        )
        self.disk = disk
        HealthRoutes(facts: facts, builder: builder, disk: disk, isLoopback: isLoopback)
            .addRoutes(to: router)
        tracing.addRoutes(to: router)
        let doors = { @Sendable in
            ARMRoutes.ServiceAddresses(
                gateway: addresses.url(.gateway),
                secureGateway: addresses.secureGateway,
                portal: addresses.url(.portal),
                services: addresses.url(.services)
            )
        }
        let exports = APIExport(service: resources, addresses: doors)
        exports.addRoutes(to: router)
        ARMRoutes(
            service: resources,
            installation: opened.installation,
            traces: tracing.actions,
            views: ServiceViews(
                service: resources,
                facts: facts.reports,
                exports: exports,
                quotas: StoredQuotas.views(quotas)
            ),
            addresses: doors
        ).addRoutes(to: router)
        ConfigurationRoutes(configuration: ConfigurationService(service: resources))
            .addRoutes(to: router)
        DeclarationRoutes(service: resources, installation: opened.installation) {
            addresses.url(.portal)
        }.addRoutes(to: router)
        InstallationRoutes(opened: opened, addresses: addresses).addRoutes(to: router)
        MLManagementRoutes(store: opened.resources, publisher: publisher, box: opened.box) {
            ServiceHost(servicesURL: addresses.url(.services), portalURL: addresses.url(.portal))
        }.addRoutes(to: router)
        JobRoutes(workspace: workspace.id, jobs: jobs).addRoutes(to: router)
        StorageRoutes(workspace: workspace, accounts: storage.accounts) { addresses.url(.blobs) }
            .addRoutes(to: router)
        StudioRoutes(
            workspace: workspace,
            datasets: datasets,
            experiments: experiments,
            executor: executor
        ) { publication, name, experiment, workspace, replaces in
            let before = try await publisher.serviceID(of: experiment, in: workspace)
            guard before == nil || replaces else {
                throw APIError.conflict(
                    "The experiment is published already; pass updateExistingWebService=true to overwrite the web service."
                )
            }
            let published = try await publisher.publish(
                publication,
                name: name,
                experiment: experiment,
                workspace: workspace,
                over: before
            )
            return [
                "ActivityId": .string(experiment), "WebServiceGroupId": .string(published.serviceID),
                "EndpointId": .string(published.endpointID), "Status": "Completed",
            ]
        }.addRoutes(to: router)
    }

    /// What its connections are handed to.
    var door: RouterDoor { RouterDoor(router, logger: logger) }
}
