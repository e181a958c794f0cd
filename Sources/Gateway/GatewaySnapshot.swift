/// All that the gateway decides by: immutable, read as a whole, made of parts that generations share.
package final class GatewaySnapshot: Sendable {
    /// The place in the order of changes that this snapshot reflects.
    package let sequence: Int64
    let routes: RouteTree
    let keys: KeyShards
    /// The APIs of each product, in lower case.
    let productAPIs: [String: Set<String>]
    /// APIs that stand in a product that needs no subscription.
    let openAPIs: Set<String>

    package init(
        sequence: Int64,
        routes: RouteTree,
        keys: KeyShards,
        productAPIs: [String: Set<String>],
        openProducts: Set<String>
    ) {
        self.sequence = sequence
        self.routes = routes
        self.keys = keys
        self.productAPIs = productAPIs
        openAPIs = openProducts.reduce(into: []) { $0.formUnion(productAPIs[$1] ?? []) }
    }

    /// Whether the subscription's scope covers the API.
    func covers(_ subscription: SubscriptionEntry, api: String) -> Bool {
        switch subscription.scope {
        case .service, .allAPIs: true
        case .api(let id): id == api
        case .product(let product): productAPIs[product]?.contains(api) ?? false
        }
    }

    package static let empty = GatewaySnapshot(
        sequence: 0,
        routes: RouteTree([]),
        keys: KeyShards(),
        productAPIs: [:],
        openProducts: []
    )
}
