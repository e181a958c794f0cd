package import ResourceModel

/// An API as readers of the developer portal see it.
package struct PublishedAPI: Sendable {
    package let api: Resource
    /// Published products that hold it and that the reader sees.
    package let products: [Resource]
    /// By their display names.
    package let tags: [String]
    package let operations: Int
    /// Whether the reader has an active subscription that is good for it.
    package let isSubscribed: Bool

    package var name: String { api.properties["displayName"]?.string ?? api.id.name }
}

/// What readers of the developer portal see: APIs in published products, as far as a group of theirs sees the product.
package struct PublishedAPIs: Sendable {
    /// Whoever reads.
    package struct Reader: Sendable {
        /// The name of the `users` resource; nil for guests.
        let user: String?
        let isAdministrator: Bool

        package init(user: String?, isAdministrator: Bool) {
            self.user = user
            self.isAdministrator = isAdministrator
        }
    }

    /// Products, their groups, APIs and tags that are looked through; more stand on pages of their own.
    private static let placesMax = 200

    private let service: ResourceService

    package init(service: ResourceService) { self.service = service }

    /// Current APIs by their names.
    package func list(for reader: Reader) async throws -> [PublishedAPI] {
        var products: [String: [Resource]] = [:]
        for product in try await resources(.product, .service)
        where product.properties["state"]?.string == "published" {
            if !reader.isAdministrator, try await !sees(product.id, reader.user) { continue }
            for place in try await resources(.productAPI, product.id) {
                products[place.id.name.lowercased(), default: []].append(product)
            }
        }
        let scopes = try await scopes(of: reader.user)
        var apis: [PublishedAPI] = []
        for name in products.keys.sorted().prefix(Self.placesMax) {
            apis.append(try await api(name, products[name] ?? [], scopes))
        }
        return apis.sorted { $0.name.lowercased() < $1.name.lowercased() }
    }

    private func api(_ name: String, _ products: [Resource], _ scopes: Set<String>) async throws -> PublishedAPI {
        let api = try await service.get(ResourceID(["apis", name]))
        var tags: [String] = []
        for place in try await resources(.apiTag, api.id) {
            let tag = try await service.get(ResourceID(["tags", place.id.name]))
            tags.append(tag.properties["displayName"]?.string ?? tag.id.name)
        }
        var one = ResourceService.ListRequest()
        one.top = 1
        let places = ["/", "/apis", api.id.key] + products.map(\.id.key)
        return PublishedAPI(
            api: api,
            products: products,
            tags: tags.sorted(),
            operations: try await service.list(.operation, parent: api.id, one).count,
            isSubscribed: places.contains(where: scopes.contains)
        )
    }

    /// Guests' products are seen by whoever is signed in too: one would only have to sign out.
    private func sees(_ product: ResourceID, _ user: String?) async throws -> Bool {
        for group in try await resources(.productGroup, product) {
            let name = group.id.name.lowercased()
            if name == "guests" || name == GroupRules.developers && user != nil { return true }
            if let user, try await service.exists(ResourceID(["groups", name, "users", user])) { return true }
        }
        return false
    }

    /// What a person's active subscriptions are good for.
    private func scopes(of user: String?) async throws -> Set<String> {
        guard let user else { return [] }
        var request = ResourceService.ListRequest()
        request.top = Self.placesMax
        let matches = [
            (SubscriptionRules.ownerColumn, "/users/\(user.lowercased())"), (SubscriptionRules.stateColumn, "active"),
        ]
        let found = try await service.list(.subscription, parent: .service, request, matches: matches)
        return Set(found.resources.compactMap { $0.properties["scope"]?.string?.lowercased() })
    }

    private func resources(_ type: ResourceType, _ parent: ResourceID) async throws -> [Resource] {
        var request = ResourceService.ListRequest()
        request.top = Self.placesMax
        return try await service.list(type, parent: parent, request).resources
    }
}
