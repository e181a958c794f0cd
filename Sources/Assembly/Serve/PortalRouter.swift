package import HTTPServing
package import Hummingbird
import Management
import People
import Portals
import ResourceModel
import Studio
import WebServices

/// The routes of the portal door, with the middleware that every request passes.
package struct PortalRouter {
    private let premises: Premises
    private let workings: Workings
    private let plane: ControlPlane

    private let pages: PortalPages
    private let workspaceTokens: WorkspaceTokens

    /// - Parameter showsModels: whether pages answer with their models, for tests.
    /// - Throws: where what pages are made of cannot be read.
    package init(
        _ premises: Premises,
        _ workings: Workings,
        _ plane: ControlPlane,
        showsModels: Bool = false
    ) throws {
        self.premises = premises
        self.workings = workings
        self.plane = plane
        let opened = premises.opened
        let folder = opened.folder
        workspaceTokens = WorkspaceTokens(
            primary: opened.workspaceTokens[0],
            secondary: opened.workspaceTokens[1],
            make: OpenInstallation.token
        ) { try folder.writeSecret(OpenInstallation.workspaceTokenFiles[$0 == .primary ? 0 : 1], $1) }
        let addresses = premises.addresses
        pages = try PortalPages(
            PageSources(
                installation: opened.installation,
                people: plane.people,
                resources: plane.resources,
                workspace: opened.workspace,
                workspaceService: WorkspaceService(store: opened.resources, workspace: opened.workspace),
                workspaceTokens: workspaceTokens,
                experiments: plane.experiments,
                sample: SampleExperiment(datasets: plane.datasets, experiments: plane.experiments),
                services: workings.publisher,
                gatewayURL: { addresses.url(.gateway) },
                doors: {
                    PageSources.Doors(
                        portal: addresses.url(.portal),
                        securePortal: addresses.secure(.portal),
                        gateway: addresses.url(.gateway),
                        services: addresses.url(.services),
                        blobs: addresses.url(.blobs)
                    )
                },
                folder: folder.path
            ),
            showsModels: showsModels
        )
    }

    package func make() -> Router<ServingContext> {
        let router = Router(context: ServingContext.self)
        addMiddleware(to: router)
        addAPIs(to: router)
        addPages(to: router)
        return router
    }

    package func addPages(to router: Router<ServingContext>) { pages.addRoutes(to: router) }

    /// What programs call: everything but the pages.
    package func addAPIs(to router: Router<ServingContext>) {
        HealthRoutes(
            facts: workings.facts,
            builder: workings.snapshots.builder,
            disk: plane.disk,
            isLoopback: premises.settings.isLoopback
        ).addRoutes(to: router)
        workings.tracing.addRoutes(to: router)
        addManagement(to: router)
        PeopleRoutes(plane.people).addRoutes(to: router)
        InstallationRoutes(opened: premises.opened, addresses: premises.addresses).addRoutes(to: router)
        addStudio(to: router)
    }

    private var apis: APIPaths {
        let router = Router(context: ServingContext.self)
        addAPIs(to: router)
        return APIPaths(router.routes)
    }

    /// Errors, then who calls, then what follows from that; groups of routes say whom they are for.
    private func addMiddleware(to router: Router<ServingContext>) {
        let apis = apis
        let pageErrors = PageErrorMiddleware(pages.renderer, apis: apis)
        router.add(middleware: ErrorMiddleware())
        router.add(middleware: pageErrors)
        router.add(
            middleware: TokenMiddleware(
                management: TokenGuard(tokens: [premises.opened.managementToken]),
                workspace: workspaceTokens
            )
        )
        router.add(middleware: IdentityMiddleware(sessions: plane.people.sessions))
        router.add(middleware: ActorMiddleware())
        router.add(middleware: SpaceMiddleware())
        // Again: only here it is known whose page it is.
        router.add(middleware: pageErrors)
        let addresses = premises.addresses
        router.add(
            middleware: ForgeryMiddleware(
                ownOrigins: { addresses.portalOrigins },
                isCall: { apis.contains($0) }
            )
        )
    }

    private func addManagement(to router: Router<ServingContext>) {
        let (addresses, resources) = (premises.addresses, plane.resources)
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
            installation: premises.opened.installation,
            traces: workings.tracing.actions,
            views: ServiceViews(
                service: resources,
                facts: workings.facts.reports,
                exports: exports,
                quotas: StoredQuotas.views(workings.limits.quotas)
            ),
            addresses: doors
        ).addRoutes(to: router)
        ConfigurationRoutes(configuration: ConfigurationService(service: resources)).addRoutes(to: router)
        DeclarationRoutes(service: resources, installation: premises.opened.installation) { addresses.url(.portal) }
            .addRoutes(to: router)
    }

    private func addStudio(to router: Router<ServingContext>) {
        let (addresses, opened, publisher) = (premises.addresses, premises.opened, workings.publisher)
        MLManagementRoutes(store: opened.resources, publisher: publisher, box: opened.box) { addresses.serviceHost }
            .addRoutes(to: router)
        JobRoutes(workspace: opened.workspace.id, jobs: workings.batch.jobs).addRoutes(to: router)
        StorageRoutes(workspace: opened.workspace, accounts: workings.storage.accounts) { addresses.url(.blobs) }
            .addRoutes(to: router)
        StudioRoutes(
            workspace: opened.workspace,
            datasets: plane.datasets,
            experiments: plane.experiments,
            executor: plane.executor
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
}
