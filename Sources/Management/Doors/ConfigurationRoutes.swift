package import HTTPServing
package import Hummingbird
import ResourceModel
import Store

/// The configuration as a whole, for `gatehouse export` and `gatehouse apply`.
package struct ConfigurationRoutes: Sendable {
    /// Bytes of a configuration that is applied: some hundred thousand resources, all of which are held in memory.
    private static let bodyBytesMax = 256 << 20
    private static let path = "/api/configuration"

    private let configuration: ConfigurationService

    package init(configuration: ConfigurationService) {
        self.configuration = configuration
    }

    package func addRoutes(to router: Router<ServingContext>) {
        let group = router.group().add(middleware: AccessMiddleware(.administrator))
        group.get("\(Self.path)") { request, _ -> Response in
            let documents = try await configuration.documents()
            var answer: JSONObject = ["resources": .array(documents.map(\.json))]
            if request.query("secrets")?.lowercased() == "true" {
                answer["secrets"] = .object(try await configuration.secrets(documents))
            }
            return .json(.object(answer))
        }
        group.post("\(Self.path)") { request, _ -> Response in
            let wish = try Self.wish(try await request.jsonObject(max: Self.bodyBytesMax))
            let changes = try await ChangeActor.$current.withValue("configuration") {
                try await configuration.apply(wish)
            }
            return .json(["changes": .array(changes.map(\.json)), "isApplied": .bool(!wish.isDryRun)])
        }
    }

    private static func wish(_ body: JSONObject) throws(APIError) -> ConfigurationService.Wish {
        guard let resources = body["resources"]?.array else {
            throw .validation("resources", "The value must be a list.")
        }
        var documents: [ConfigurationDocument] = []
        for (place, resource) in resources.enumerated() {
            guard let id = resource["id"]?.string, let properties = resource["properties"]?.object else {
                throw .validation("resources[\(place)]", "A resource has an id and properties.")
            }
            documents.append(ConfigurationDocument(id: ResourceID(id), properties: properties))
        }
        var secrets: [String: String] = [:]
        for member in body["secrets"]?.object?.members ?? [] {
            guard let text = member.value.string else {
                throw .validation("secrets", "The secret \(member.name.prefix(300)) must be a text.")
            }
            secrets[member.name] = text
        }
        return ConfigurationService.Wish(
            documents: documents,
            secrets: secrets,
            deletesPeople: body["deletesPeople"]?.bool ?? false,
            isDryRun: body["isDryRun"]?.bool ?? false
        )
    }
}
