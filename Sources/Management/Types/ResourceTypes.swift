import ResourceModel

/// All types of the control plane.
package enum ResourceTypes {
    package static let all: [ResourceType] =
        [
            .api, .operation, .apiSchema, .apiTag, .operationTag, .apiDiagnostic, .tagDescription, .issue,
            .issueComment,
            .issueAttachment, .release, .versionSet, .product, .productAPI, .productGroup, .productTag, .subscription,
            .user,
            .group, .groupUser, .namedValue, .policyFragment, .backend, .certificate, .cache, .logger, .diagnostic,
            .tag,
            .globalSchema, .notification, .recipientUser, .recipientEmail, .template, .portalSetting, .identityProvider,
            .authorizationServer, .openIDProvider, .gateway, .gatewayAPI, .gatewayHostname, .gatewayAuthority,
            .tenantAccess,
        ] + ResourceType.policies

    private static let byPath = Dictionary(uniqueKeysWithValues: all.map { ($0.path.lowercased(), $0) })

    /// The properties that rest encrypted, by full type in lower case.
    package static let sealedMembers: [String: Set<String>] = byPath.mapValues { type in
        Set(type.properties.filter(\.isSealed).map(\.name))
    }.filter { !$0.value.isEmpty }

    /// The type of these type words, whatever their case.
    package static func type(path: String) -> ResourceType? { byPath[path.lowercased()] }
}
