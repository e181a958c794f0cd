import ResourceModel
import Store

extension ResourceType {
    /// Products (contracts/api-management.md 1.5).
    package static let product = ResourceType(
        path: "products",
        nameRule: .free,
        properties: [
            .init("displayName", .text(1...300), isRequired: true),
            .init("description", .text(0...1000)),
            .init("terms", .text(0...100_000)),
            .init("subscriptionRequired", .bool, default: true),
            .init("approvalRequired", .bool),
            .init("subscriptionsLimit", .int(0...1_000_000)),
            .init("state", .choice(["notPublished", "published"]), default: "notPublished"),
        ],
        // 0 display name, 1 whether a key is needed.
        index: { [$0["displayName"]?.string, $0["subscriptionRequired"]?.bool == false ? "open" : "key"] },
        rules: { draft, _ throws(APIError) in
            guard draft.properties["subscriptionRequired"]?.bool == false else { return }
            for field in ["approvalRequired", "subscriptionsLimit"] where draft.properties[field] != nil {
                throw .validation(field, "The property may only be set where subscriptionRequired is true.")
            }
        },
        dependents: { id, store in try await ProductRules.subscriptions(id, store).map(\.id) },
        deletionRules: { id, request, store in
            guard !request.takesSubscriptions, try await !ProductRules.subscriptions(id, store).isEmpty else { return }
            throw APIError.validation(
                "deleteSubscriptions",
                "The product has subscriptions; delete them first or pass deleteSubscriptions=true."
            )
        }
    )

    /// The places of APIs in products.
    package static let productAPI = link("products/apis", to: "apis", nameRule: .api, statuses: .place)
    /// The groups that see a product in the developer portal.
    package static let productGroup = link("products/groups", to: "groups", statuses: .place)
}

enum ProductRules {
    static func subscriptions(_ product: ResourceID, _ store: any ResourceStore) async throws -> [IndexEntry] {
        let scope = product.key
        return try await store.index(type: "subscriptions").filter { $0.columns[1]?.lowercased() == scope }
    }
}
