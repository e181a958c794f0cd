package import ResourceModel

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
        var request = ResourceService.ListRequest()
        request.top = Self.shownMax
        var one = request
        one.top = 1
        let products = try await service.list(.product, parent: .service, request)
        var names: [String: [String]] = [:]
        var shown: [Product] = []
        for product in products.resources {
            let places = try await service.list(.productAPI, parent: product.id, request)
            let name = product.properties["displayName"]?.string ?? product.id.name
            for place in places.resources { names[place.id.name.lowercased(), default: []].append(name) }
            let scope = [(SubscriptionRules.scopeColumn, product.id.key)]
            let subscriptions = try await service.list(.subscription, parent: .service, one, matches: scope)
            shown.append(Product(product: product, apis: places.count, subscriptions: subscriptions.count))
        }
        self.products = shown
        productsCount = products.count
        let apis = try await service.list(.api, parent: .service, request)
        var rows: [API] = []
        for api in apis.resources where api.properties["isCurrent"]?.bool != false {
            rows.append(
                API(
                    api: api,
                    products: names[api.id.name.lowercased()] ?? [],
                    operations: try await service.list(.operation, parent: api.id, one).count
                )
            )
        }
        self.apis = rows
        apisCount = apis.count
    }
}
