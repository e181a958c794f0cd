import Foundation
import ResourceModel

extension ResourceType {
    private static let secretMax = 4096

    /// Identity providers of the developer portal, by their kind (contracts/api-management.md 1.8).
    package static let identityProvider = ResourceType(
        path: "identityProviders",
        nameRule: .oneOf(["facebook", "google", "microsoft", "twitter", "aad", "aadB2C"]),
        properties: [
            .init("type", .text(0...40)),
            .init("clientId", .text(1...1000), isRequired: true),
            .init("clientLibrary", .text(0...16)),
            .init("signinTenant", .text(0...1000)),
            .init("allowedTenants", .list(.text(1...1000))),
            .init("authority", .text(0...1000)),
            .init("signupPolicyName", .text(1...200)),
            .init("signinPolicyName", .text(1...200)),
            .init("profileEditingPolicyName", .text(1...200)),
            .init("passwordResetPolicyName", .text(1...200)),
        ],
        secrets: [.init("clientSecret", isKey: false, bytesMax: secretMax)],
        index: { [$0["clientId"]?.string] },
        rules: { draft, _ throws(APIError) in
            draft.properties["type"] = .string(draft.id.name)
            try SecretRules.need("clientSecret", draft)
            guard (draft.properties["allowedTenants"]?.array ?? []).count <= 32 else {
                throw .validation("allowedTenants", "There may be 32 tenants.")
            }
        },
        actions: [.listing(["clientSecret"])]
    )

    /// OAuth 2.0 servers by which the console of the developer portal signs in.
    package static let authorizationServer = ResourceType(
        path: "authorizationServers",
        properties: [
            .init("displayName", .text(1...50), isRequired: true),
            .init("description", .text(0...10_000)),
            .init("clientRegistrationEndpoint", .text(0...2000), isRequired: true, isSealed: true),
            .init("authorizationEndpoint", .text(1...2000), isRequired: true, isSealed: true),
            .init(
                "grantTypes",
                .words([
                    "authorizationCode", "implicit", "resourceOwnerPassword", "clientCredentials",
                    "authorizationCodeWithPkce",
                ]),
                isRequired: true
            ),
            .init(
                "authorizationMethods",
                .words(["HEAD", "OPTIONS", "TRACE", "GET", "POST", "PUT", "PATCH", "DELETE"])
            ),
            .init("clientAuthenticationMethod", .words(["Basic", "Body"])),
            .init(
                "tokenBodyParameters",
                .list(
                    .object([
                        .init("name", .text(1...300), isRequired: true),
                        .init("value", .text(0...4096), isRequired: true),
                    ])
                ),
                isSealed: true
            ),
            .init("tokenEndpoint", .text(0...2000), isSealed: true),
            .init("supportState", .bool),
            .init("defaultScope", .text(0...2000)),
            .init("bearerTokenSendingMethods", .words(["authorizationHeader", "query"])),
            .init("clientId", .text(1...1000), isRequired: true),
            .init("useInTestConsole", .bool),
            .init("useInApiDocumentation", .bool),
        ],
        secrets: [
            .init("clientSecret", isKey: false, bytesMax: secretMax),
            .init("resourceOwnerUsername", isKey: false, bytesMax: secretMax),
            .init("resourceOwnerPassword", isKey: false, bytesMax: secretMax),
        ],
        index: { [$0["displayName"]?.string] },
        rules: { draft, _ throws(APIError) in
            for field in ["authorizationEndpoint", "tokenEndpoint", "clientRegistrationEndpoint"] {
                try URLRules.check(field, draft.properties)
            }
            let methods = (draft.properties["authorizationMethods"]?.array ?? []).compactMap(\.string)
            guard methods.isEmpty || methods.contains("GET") else {
                throw .validation("authorizationMethods", "GET must be among the methods.")
            }
        },
        actions: [.listing(["clientSecret", "resourceOwnerUsername", "resourceOwnerPassword"])]
    )

    /// OpenID Connect providers by which the console of the developer portal signs in.
    package static let openIDProvider = ResourceType(
        path: "openidConnectProviders",
        nameRule: .free,
        properties: [
            .init("displayName", .text(1...50), isRequired: true),
            .init("description", .text(0...10_000)),
            .init("metadataEndpoint", .text(1...2000), isRequired: true, isSealed: true),
            .init("clientId", .text(1...1000), isRequired: true),
            .init("useInTestConsole", .bool),
            .init("useInApiDocumentation", .bool),
        ],
        secrets: [.init("clientSecret", isKey: false, bytesMax: secretMax)],
        index: { [$0["displayName"]?.string] },
        rules: { draft, _ throws(APIError) in try URLRules.check("metadataEndpoint", draft.properties) },
        actions: [.listing(["clientSecret"])]
    )
}

enum SecretRules {
    /// A new resource brings the secret; one that is there keeps it.
    static func need(_ slot: String, _ draft: ResourceDraft) throws(APIError) {
        guard draft.before != nil || draft.secrets[slot] != nil else {
            throw .validation(slot, "Value cannot be null.")
        }
    }
}

enum URLRules {
    /// An absolute URL of http or https, where there is any text.
    static func check(_ field: String, _ properties: JSONObject) throws(APIError) {
        guard let text = properties[field]?.string, !text.isEmpty else { return }
        guard let url = URL(string: text), ["http", "https"].contains(url.scheme?.lowercased()), url.host != nil else {
            throw .validation(field, "The value must be an absolute URL of http or https.")
        }
    }
}
