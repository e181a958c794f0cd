package import HTTPServing
package import Management
package import People
package import Studio
package import WebServices

/// What pages read and change: the engines behind them.
package struct PageSources: Sendable {
    let installation: InstallationSlot
    let people: PeopleEngine
    let resources: ResourceService
    let workspace: Workspace
    let workspaceService: WorkspaceService
    let workspaceTokens: WorkspaceTokens
    let experiments: ExperimentService
    let sample: SampleExperiment
    let services: ServicePublisher
    /// The gateway's public address, without a closing slash.
    let gatewayURL: @Sendable () -> String
    let doors: @Sendable () -> Doors
    /// The data folder, as one types it after `--data`.
    let folder: String

    /// The doors' public addresses, without closing slashes.
    package struct Doors: Sendable {
        let portal: String
        /// The portal over TLS; nil where it has no such port.
        let securePortal: String?
        let gateway: String
        let services: String
        let blobs: String

        package init(portal: String, securePortal: String?, gateway: String, services: String, blobs: String) {
            self.portal = portal
            self.securePortal = securePortal
            self.gateway = gateway
            self.services = services
            self.blobs = blobs
        }
    }

    package init(
        installation: InstallationSlot,
        people: PeopleEngine,
        resources: ResourceService,
        workspace: Workspace,
        workspaceService: WorkspaceService,
        workspaceTokens: WorkspaceTokens,
        experiments: ExperimentService,
        sample: SampleExperiment,
        services: ServicePublisher,
        gatewayURL: @escaping @Sendable () -> String,
        doors: @escaping @Sendable () -> Doors,
        folder: String
    ) {
        self.installation = installation
        self.people = people
        self.resources = resources
        self.workspace = workspace
        self.workspaceService = workspaceService
        self.workspaceTokens = workspaceTokens
        self.experiments = experiments
        self.sample = sample
        self.services = services
        self.gatewayURL = gatewayURL
        self.doors = doors
        self.folder = folder
    }
}
