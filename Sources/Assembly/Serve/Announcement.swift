import Foundation
import Logging
import People
import ResourceModel
import ServiceLifecycle

/// Says where the doors are, once all of them are open and the process also answers to the signal that ends it.
struct Announcement: Service {
    let premises: Premises
    let people: PeopleEngine

    func run() async throws {
        announce()
        await showFirstLink()
        try? await gracefulShutdown()
    }

    /// As long as nobody has ever signed in, whoever started the server gets the link that does it, alone on its line.
    private func showFirstLink() async {
        guard premises.settings.roles.contains("portal"), premises.settings.showsFirstLink else { return }
        do {
            guard let link = try await people.firstLink() else { return }
            if !premises.takesPasswords(at: link) {
                premises.logger.warning(
                    "nobody can sign in: pages are reached in the clear from other machines only; set portal-tls-port or portal-allow-plain-passwords"
                )
            }
            print("Open \(link)")
            // At once, also where standard output is a file: the server may run for months before it ends.
            fflush(nil)
        } catch {
            premises.logger.error("no link was made", metadata: ["error.code": "\(type(of: error))"])
        }
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
