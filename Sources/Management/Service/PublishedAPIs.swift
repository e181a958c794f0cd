package import ResourceModel
import Store
import Synchronization

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
///
/// What is published is read once per commit; for each reader it is only looked through.
package final class PublishedAPIs: Sendable {
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

    private let service: ResourceService
    private let read = Mutex<Catalogue?>(nil)

    package init(service: ResourceService) { self.service = service }

    /// Current APIs by their names.
    package func list(for reader: Reader) async throws -> [PublishedAPI] {
        let catalogue = try await catalogue()
        let seen = try await products(of: catalogue, seenBy: reader)
        let scopes = try await scopes(of: reader.user)
        let isForAll = scopes.contains("/") || scopes.contains("/apis")
        return catalogue.apis.compactMap { entry in
            let products = entry.products.filter { seen.contains($0.id.key) }
            guard !products.isEmpty else { return nil }
            return PublishedAPI(
                api: entry.api,
                products: products,
                tags: entry.tags,
                operations: entry.operations,
                isSubscribed: isForAll || scopes.contains(entry.api.id.key)
                    || products.contains { scopes.contains($0.id.key) }
            )
        }
    }

    private func catalogue() async throws -> Catalogue {
        // Before the reading: what is committed meanwhile is read again by the next request.
        let sequence = try await service.store.lastSequence()
        if let known = read.withLock({ $0 }), known.sequence == sequence { return known }
        // Outside the lock: two that come at once read the same.
        let catalogue = try await Catalogue(service.store, sequence)
        read.withLock { $0 = catalogue }
        return catalogue
    }

    /// Keys of the products that a reader sees.
    ///
    /// Guests' products are seen by whoever is signed in too: one would only have to sign out.
    private func products(of catalogue: Catalogue, seenBy reader: Reader) async throws -> Set<String> {
        guard !reader.isAdministrator else { return Set(catalogue.groups.keys) }
        var groups: Set<String> = ["guests"]
        if let user = reader.user {
            groups.insert(GroupRules.developers)
            for name in Set(catalogue.groups.values.joined()).subtracting(groups)
            where try await service.exists(ResourceID(["groups", name, "users", user])) { groups.insert(name) }
        }
        return Set(catalogue.groups.filter { !groups.isDisjoint(with: $0.value) }.keys)
    }

    /// What a person's active subscriptions are good for.
    private func scopes(of user: String?) async throws -> Set<String> {
        guard let user else { return [] }
        var query = ResourceQuery(parent: .service, type: "subscriptions", limit: ResourceService.pageMax)
        query.matches = [
            (SubscriptionRules.ownerColumn, "/users/\(user.lowercased())"), (SubscriptionRules.stateColumn, "active"),
        ]
        return Set(try await service.store.list(query).compactMap { $0.properties["scope"]?.string?.lowercased() })
    }
}

/// What is published at one moment, for whomever.
private struct Catalogue: Sendable {
    struct Entry: Sendable {
        let api: Resource
        let products: [Resource]
        let tags: [String]
        let operations: Int
    }

    let sequence: Int64
    /// Current APIs of published products, by their names.
    let apis: [Entry]
    /// The names of the groups that see a published product, by its key; in lower case.
    let groups: [String: Set<String>]

    /// - Parameter sequence: that of the last commit.
    init(_ store: any ResourceStore, _ sequence: Int64) async throws {
        self.sequence = sequence
        var published: [String: Resource] = [:]
        for product in try await store.documents(types: ["products"]).map(\.resource)
        where product.properties["state"]?.string == "published" { published[product.id.key] = product }
        var groups: [String: Set<String>] = published.mapValues { _ in [] }
        for link in try await store.index(type: "products/groups") {
            groups[link.id.parent.key]?.insert(link.id.name.lowercased())
        }
        self.groups = groups
        var products: [String: [Resource]] = [:]
        for link in try await store.index(type: "products/apis") {
            guard let product = published[link.id.parent.key] else { continue }
            products[ResourceID(["apis", link.id.name]).key, default: []].append(product)
        }
        var titles: [String: String] = [:]
        for tag in try await store.documents(types: ["tags"]).map(\.resource) {
            titles[tag.id.name.lowercased()] = tag.properties["displayName"]?.string ?? tag.id.name
        }
        var tags: [String: [String]] = [:]
        for link in try await store.index(type: "apis/tags") {
            // One that was deleted in between is nobody's any more.
            guard let title = titles[link.id.name.lowercased()] else { continue }
            tags[link.id.parent.key, default: []].append(title)
        }
        var apis: [(name: String, entry: Entry)] = []
        for api in try await store.documents(types: ["apis"]).map(\.resource) {
            guard let holders = products[api.id.key] else { continue }
            let entry = Entry(
                api: api,
                products: holders,
                tags: (tags[api.id.key] ?? []).sorted(),
                operations: try await store.count(ResourceQuery(parent: api.id, type: "operations", limit: 1))
            )
            apis.append(((api.properties["displayName"]?.string ?? api.id.name).lowercased(), entry))
        }
        self.apis = apis.sorted { ($0.name, $0.entry.api.id.key) < ($1.name, $1.entry.api.id.key) }.map(\.entry)
    }
}
