package import Policies

/// All that the gateway decides by: immutable, read as a whole, made of parts that generations share.
package final class GatewaySnapshot: Sendable {
    /// The place in the order of changes that this snapshot reflects.
    package let sequence: Int64
    let routes: RouteTree
    let keys: KeyShards
    /// The APIs of each product, in lower case.
    let productAPIs: [String: Set<String>]
    /// APIs that stand in a product that needs no subscription, with that product; the first by id where there are several.
    let openAPIs: [String: String]
    package let policies: PolicyBook
    let products: [String: PolicyFacts.Product]
    let users: [String: PolicyFacts.User]
    /// Owners of subscriptions whose keys are no good, by id in lower case.
    let blockedUsers: Set<String>
    /// By id in lower case.
    let backends: [String: ManagedBackend]

    package init(
        sequence: Int64,
        routes: RouteTree,
        keys: KeyShards,
        productAPIs: [String: Set<String>],
        openProducts: Set<String>,
        policies: PolicyBook = PolicyBook(),
        products: [String: PolicyFacts.Product] = [:],
        users: [String: PolicyFacts.User] = [:],
        blockedUsers: Set<String> = [],
        backends: [String: ManagedBackend] = [:]
    ) {
        self.sequence = sequence
        self.routes = routes
        self.keys = keys
        self.productAPIs = productAPIs
        self.policies = policies
        self.products = products
        self.users = users
        self.blockedUsers = blockedUsers
        self.backends = backends
        openAPIs = openProducts.sorted().reduce(into: [:]) { open, product in
            for api in productAPIs[product] ?? [] where open[api] == nil { open[api] = product }
        }
    }

    /// Whether keys of the subscription open anything: it is active, and its owner is not blocked.
    func isGood(_ subscription: SubscriptionEntry) -> Bool {
        guard subscription.isActive else { return false }
        guard !blockedUsers.isEmpty, let owner = subscription.owner else { return true }
        return !blockedUsers.contains(owner)
    }

    /// Whether the subscription's scope covers the API.
    package func covers(_ subscription: SubscriptionEntry, api: String) -> Bool {
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
