import Blobs
import Foundation
import HTTPWire
import Logging
import Management
import ServiceLifecycle
import Store
import UnixSignals

/// Opens the parts of a server one on another, runs the doors until the process is asked to end, and closes everything.
struct Server {
    let data: String
    let settings: ServeSettings

    func run() async throws {
        let folder = try DataFolder(path: data)
        let lock = try folder.lock()
        defer { close(lock) }
        let logger = Logger(label: "gatehouse")
        let descriptors = Descriptors.raise()
        try await ClosingList.closing(logger) { closing in
            let opened = try await OpenInstallation.open(
                folder,
                form: .open,
                accepting: settings.acceptedLosses,
                closing
            )
            for note in opened.databases.notes { logger.warning("\(note)") }
            if opened.isNew {
                AdministratorNotice.print(email: opened.installation.current.adminEmail, folder: folder)
            }
            let premises = Premises(opened, settings, logger)
            try await putInOrder(premises)
            try await serve(premises, descriptors, closing)
        }
        logger.info("ended")
    }

    /// Before any door is open, so that nothing is being written whose name is not stored yet.
    private func putInOrder(_ premises: Premises) async throws {
        let (opened, logger) = (premises.opened, premises.logger)
        opened.databases.reserve.fill()
        do { try opened.folder.markOpen() } catch { logger.error("\(error)") }
        let orphans = try await opened.content.tendOrphans(
            naming: try await ContentReferences.all(opened.resources),
            now: Date().timeIntervalSince1970
        )
        OrphanLog.tell(orphans, opened.folder.contentFolder, settings, logger)
    }

    private func serve(_ premises: Premises, _ descriptors: Descriptors, _ closing: ClosingList) async throws {
        let tls = settings.doors.contains(where: \.isTLS) ? try DoorTLS(premises) : nil
        let threads = try await ServerThreads.open(settings, closing)
        let workings = try await Workings.open(premises, closing)
        let plane = ControlPlane(premises, workings)
        let opener = DoorOpener(premises: premises, descriptors: descriptors, tls: tls, closing: closing)
        var listeners = try await DataPath(premises, threads, workings).open(by: opener)
        let portal = RouterDoor(try PortalRouter(premises, workings, plane).make(), premises)
        listeners += try await opener.open(.portal, on: threads.portalLoop) { wire, _ in
            TaskResponder(wire: wire, door: portal)
        }
        var services: [any Service] = [OpenDoors(listeners: listeners)]
        if let tls { services.append(DoorTLS.Watching(tls: tls)) }
        services += workings.services(premises) + plane.services(premises)
        services.append(Announcement(premises: premises, people: plane.people))
        let group = ServiceGroup(
            configuration: .init(
                services: services.map { .init(service: $0) },
                gracefulShutdownSignals: [.sigterm, .sigint],
                logger: premises.logger
            )
        )
        closing.add("server file") { try? FileManager.default.removeItem(atPath: premises.opened.folder.serverFile) }
        try await group.run()
    }
}
