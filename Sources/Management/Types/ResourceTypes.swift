import ResourceModel

/// All types of the control plane.
package enum ResourceTypes {
    package static let all: [ResourceType] =
        [
            .api, .operation, .apiSchema, .product, .productAPI, .subscription, .user, .namedValue, .policyFragment,
            .versionSet, .backend,
        ] + ResourceType.policies

    /// The type of these type words, whatever their case.
    package static func type(path: String) -> ResourceType? {
        all.first { $0.path.lowercased() == path.lowercased() }
    }
}
