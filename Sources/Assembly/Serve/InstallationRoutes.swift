import Foundation
import HTTPServing
import Hummingbird
import Management
import ResourceModel
import Studio

/// What the commands need to know of the installation before they can call anything else.
struct InstallationRoutes {
    let opened: OpenInstallation
    let addresses: DoorAddresses

    func addRoutes(to router: Router<ServingContext>) {
        router.group().add(middleware: AccessMiddleware(.administrator)).get("/api/installation") { _, _ -> Response in
            let installation = opened.installation.current
            var document = addresses.document.object ?? JSONObject()
            document["workspace"] = .string(opened.workspace.id)
            document["management"] = [
                "subscriptionId": .string(installation.subscriptionID),
                "resourceGroup": .string(installation.resourceGroup),
                "serviceName": .string(installation.serviceName),
            ]
            var admin: JSONObject = ["email": .string(installation.adminEmail)]
            let passwordFile = "\(opened.folder.path)/secrets/admin-password"
            if FileManager.default.fileExists(atPath: passwordFile) { admin["passwordFile"] = .string(passwordFile) }
            document["admin"] = .object(admin)
            return .json(.object(document))
        }
    }
}
