import Gateway
import HTTPWire
import Logging
import ResourceModel
import Store

/// The gateway's snapshot: the slot that its loops read, and the builder that follows the store.
struct Snapshots: Sendable {
    let slot: SnapshotSlot
    let builder: SnapshotBuilder
    let upstreamTLS: UpstreamTLS

    /// Builds the first snapshot.
    static func open(
        _ opened: OpenInstallation,
        _ settings: ServeSettings,
        _ logger: Logger
    ) async throws -> Snapshots {
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
        return Snapshots(slot: slot, builder: builder, upstreamTLS: upstreamTLS)
    }
}
