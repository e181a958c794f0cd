package import ResourceModel

/// What readers of the developer portal see: APIs in published products, as far as a group of theirs sees the product.
package struct PublishedAPIs: Sendable {
    /// Products that are looked through; the portal's page of products has as many.
    private static let productsMax = 200

    private let service: ResourceService

    package init(service: ResourceService) { self.service = service }

    /// Current APIs by their names, without doubles.
    ///
    /// - Parameters:
    ///   - user: the name of the reader's `users` resource; nil for guests.
    ///   - limit: APIs at most.
    package func list(for user: String?, isAdministrator: Bool, limit: Int) async throws -> [Resource] {
        var request = ResourceService.ListRequest()
        request.top = Self.productsMax
        var names: [String: String] = [:]
        for product in try await service.list(.product, parent: .service, request).resources
        where product.properties["state"]?.string == "published" {
            if !isAdministrator, try await !sees(product.id, user) { continue }
            for api in try await service.list(.productAPI, parent: product.id, request).resources {
                names[api.id.name.lowercased()] = api.id.name
            }
        }
        var apis: [Resource] = []
        for name in names.values.sorted().prefix(limit) {
            apis.append(try await service.get(ResourceID(["apis", name])))
        }
        return apis.sorted { Self.title($0).lowercased() < Self.title($1).lowercased() }
    }

    private static func title(_ api: Resource) -> String { api.properties["displayName"]?.string ?? api.id.name }

    /// Guests' products are seen by whoever is signed in too: one would only have to sign out.
    private func sees(_ product: ResourceID, _ user: String?) async throws -> Bool {
        var request = ResourceService.ListRequest()
        request.top = Self.productsMax
        for group in try await service.list(.productGroup, parent: product, request).resources {
            let name = group.id.name.lowercased()
            if name == "guests" || name == GroupRules.developers && user != nil { return true }
            if let user, try await service.exists(ResourceID(["groups", name, "users", user])) { return true }
        }
        return false
    }
}
