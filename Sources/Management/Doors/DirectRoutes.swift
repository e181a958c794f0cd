import HTTPServing
import Hummingbird
import ResourceModel

/// The direct management API of the publisher portal's time (contracts/api-management.md 4.2): the same resources, flat, for whoever
/// signs with the key of `tenant/access`.
extension ARMRoutes {
    private static let directVersions = "2014-02-14"..."2024-05-01"

    func respondDirectly(_ request: Request) async throws -> Response {
        guard let version = request.query("api-version"),
            ARMRoutes.directVersions.contains(String(version.prefix(10)))
        else {
            throw APIError(
                status: 400,
                code: "InvalidApiVersionParameter",
                message: "The api-version query parameter must be from 2014-02-14 to 2024-05-01."
            )
        }
        var words = request.uri.path.split(separator: "/", omittingEmptySubsequences: true).dropFirst()
            .map { PercentEncoding.decoded($0) ?? String($0) }
        guard !words.isEmpty else { throw APIError.notFound("The path is not known.") }
        if words[0].lowercased() == "properties" { words[0] = ResourceType.namedValue.path }
        var routes = self
        routes.shape = .direct
        return try await routes.resource(request, words)
    }
}

/// Resources as flat entities.
enum DirectShape {
    /// Below it stand the paths of the direct API.
    static let path = "/direct"

    /// Types whose `name` is what people call them, not the id.
    private static func isNamed(_ type: ResourceType) -> Bool { type.properties.contains { $0.name == "displayName" } }

    static func entity(_ id: ResourceID, _ properties: JSONObject, _ type: ResourceType) -> JSONValue {
        var entity: JSONObject = ["id": .string(shownID(id))]
        for member in properties.members {
            entity[member.name == "displayName" && isNamed(type) ? "name" : member.name] = member.value
        }
        if type.path == ResourceType.subscription.path {
            entity["ownerId"] = nil
            entity["userId"] = properties["ownerId"]
            if let scope = properties["scope"]?.string, scope.hasPrefix("/products/") {
                entity["productId"] = .string(scope)
            }
        }
        return .object(entity)
    }

    static func properties(_ body: JSONObject, _ type: ResourceType) -> JSONObject {
        var properties = JSONObject()
        for member in body.members where member.name != "id" {
            properties[member.name == "name" && isNamed(type) ? "displayName" : member.name] = member.value
        }
        if type.path == ResourceType.subscription.path {
            if let user = body["userId"] { properties["ownerId"] = user }
            if let product = body["productId"], body["scope"] == nil { properties["scope"] = product }
        }
        return properties
    }

    private static func shownID(_ id: ResourceID) -> String {
        guard id.segments.first?.lowercased() == ResourceType.namedValue.path.lowercased() else {
            return id.description
        }
        return "/properties/" + id.segments.dropFirst().joined(separator: "/")
    }
}
