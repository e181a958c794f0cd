import Foundation
import Logging
import ResourceModel
import ServiceLifecycle

/// Says where the doors are, once all of them are open and the process also answers to the signal that ends it.
struct Announcement: Service {
    let premises: Premises

    func run() async throws {
        announce()
        try? await gracefulShutdown()
    }

    private func announce() {
        let (addresses, folder, logger) = (premises.addresses, premises.opened.folder, premises.logger)
        let text = Array(addresses.document.indented.utf8)
        do {
            try folder.writePrivately(folder.serverFile, text)
            if let file = premises.settings.readyFile { try folder.writePrivately(file, text) }
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
