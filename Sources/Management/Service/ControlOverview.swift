package import ResourceModel
import Store

/// What administrators see first: APIs and products, with what belongs to each.
package struct ControlOverview: Sendable {
    package struct API: Sendable {
        package let api: Resource
        /// By their display names.
        package let products: [String]
        package let operations: Int
    }

    package struct Product: Sendable {
        package let product: Resource
        package let apis: Int
        package let subscriptions: Int
    }

    /// APIs and products of a page, the first by their names; the counts are of all.
    private static let shownMax = 100

    package let apis: [API]
    package let apisCount: Int
    package let products: [Product]
    package let productsCount: Int

    package init(_ service: ResourceService) async throws {
        let store = service.store
        let products = try await Self.all("products", store)
        productsCount = products.count
        var shown: [Product] = []
        for product in products.prefix(Self.shownMax) {
            var subscriptions = ResourceQuery(parent: .service, type: "subscriptions", limit: 1)
            subscriptions.matches = [(SubscriptionRules.scopeColumn, product.id.key)]
            shown.append(
                Product(
                    product: product,
                    apis: try await store.count(ResourceQuery(parent: product.id, type: "apis", limit: 1)),
                    subscriptions: try await store.count(subscriptions)
                )
            )
        }
        self.products = shown
        let titles = Dictionary(products.map { ($0.id.key, Self.name($0)) }) { first, _ in first }
        var holders: [String: [String]] = [:]
        for link in try await store.index(type: "products/apis") {
            guard let title = titles[link.id.parent.key] else { continue }
            holders[ResourceID(["apis", link.id.name]).key, default: []].append(title)
        }
        let apis = try await Self.all("apis", store).filter { $0.properties["isCurrent"]?.bool != false }
        apisCount = apis.count
        var rows: [API] = []
        for api in apis.prefix(Self.shownMax) {
            rows.append(
                API(
                    api: api,
                    products: holders[api.id.key] ?? [],
                    operations: try await store.count(ResourceQuery(parent: api.id, type: "operations", limit: 1))
                )
            )
        }
        self.apis = rows
    }

    /// All of a type, by their keys.
    private static func all(_ type: String, _ store: any ResourceStore) async throws -> [Resource] {
        try await store.documents(types: [type]).map(\.resource)
    }

    private static func name(_ resource: Resource) -> String {
        resource.properties["displayName"]?.string ?? resource.id.name
    }
}
