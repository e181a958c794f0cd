import Foundation
import ResourceModel
package import Store

/// What an installation holds before anybody made anything (contracts/api-management.md 1.2).
package enum FreshInstance {
    /// The administrator's password, and the keys of the built-in subscription, in the one batch that makes the instance.
    package static func writes(
        _ installation: Installation,
        passwordHash: String,
        box: SecretBox
    ) throws -> [ResourceWrite] {
        let administrator = ResourceID(["users", "1"])
        let master = ResourceID(["subscriptions", "master"])
        return [
            ResourceWrite(
                .service,
                .put(properties: installation.properties, index: [], secrets: []),
                condition: .absent
            ),
            ResourceWrite(
                administrator,
                .put(
                    properties: [
                        "firstName": "Administrator", "lastName": .string(installation.organization),
                        "email": .string(installation.adminEmail), "state": "active",
                        "registrationDate": .string(installation.createdAt),
                    ],
                    index: [installation.adminEmail.lowercased()],
                    secrets: [try box.secret(passwordHash, key: administrator.key, slot: "password", isKey: false)]
                )
            ),
            try product(
                "starter",
                [
                    "displayName": "Starter",
                    "description":
                        "Subscribers will be able to run 5 calls/minute up to a maximum of 100 calls/week.",
                    "subscriptionRequired": true, "approvalRequired": false, "subscriptionsLimit": 1,
                    "state": "published",
                ]
            ),
            try product(
                "unlimited",
                [
                    "displayName": "Unlimited",
                    "description":
                        "Subscribers have completely unlimited access to the API. Administrator approval is required.",
                    "subscriptionRequired": true, "approvalRequired": true, "subscriptionsLimit": 1,
                    "state": "published",
                ]
            ),
        ]
            + builtIn()
            + EchoAPI.writes
            + ["starter", "unlimited"].flatMap { product in
                [link(.productAPI, ["products", product, "apis", EchoAPI.name])]
                    + ["administrators", "developers", "guests"].map {
                        link(.productGroup, ["products", product, "groups", $0])
                    }
            }
            + [
                GroupRules.membership(of: administrator.name, in: "administrators"),
                GroupRules.membership(of: administrator.name, in: GroupRules.developers),
                policy(["policies", "policy"], globalPolicy),
                policy(["products", "starter", "policies", "policy"], starterPolicy),
                try subscription(master, "/", "Built-in all-access subscription", nil, installation, box),
                try subscription(
                    ResourceID(["subscriptions", "starter-admin"]),
                    "/products/starter",
                    "Administrator's Starter",
                    "/users/1",
                    installation,
                    box
                ),
                try subscription(
                    ResourceID(["subscriptions", "unlimited-admin"]),
                    "/products/unlimited",
                    "Administrator's Unlimited",
                    "/users/1",
                    installation,
                    box
                ),
            ]
    }

    /// What every instance holds, whatever was made in it.
    private static func builtIn() -> [ResourceWrite] {
        ResourceTypes.all.flatMap { type in
            type.builtIn.map { type.write(ResourceID([type.path, $0.name]), $0.properties) }
        }
    }

    /// Adds what an instance of an earlier version has not yet.
    package static func complete(_ store: any ResourceStore) async throws {
        var missing: [ResourceWrite] = []
        for item in builtIn() where try await store.indexEntry(item.id) == nil {
            missing.append(item)
        }
        guard !missing.isEmpty else { return }
        for user in try await store.index(type: ResourceType.user.path) {
            missing.append(GroupRules.membership(of: user.id.name, in: GroupRules.developers))
        }
        missing.append(GroupRules.membership(of: UserRules.administrator.name, in: "administrators"))
        _ = try await store.apply(missing)
    }

    private static func link(_ type: ResourceType, _ path: [String]) -> ResourceWrite {
        let id = ResourceID(path)
        let properties: JSONObject = [LinkRules.target: .string(id.name.lowercased())]
        return type.write(id, properties)
    }

    /// All calls are forwarded.
    private static let globalPolicy = """
        <!--
            These policies are those of all APIs. Policies stand inside the four sections; a product, an API or an operation
            inserts them by <base /> into its own.
        -->
        <policies>
            <inbound />
            <backend>
                <forward-request />
            </backend>
            <outbound />
        </policies>

        """

    private static let starterPolicy = """
        <policies>
            <inbound>
                <rate-limit calls="5" renewal-period="60" />
                <quota calls="100" renewal-period="604800" />
                <base />
            </inbound>
            <backend>
                <base />
            </backend>
            <outbound>
                <base />
            </outbound>
        </policies>

        """

    static func policy(_ path: [String], _ text: String) -> ResourceWrite {
        let properties: JSONObject = ["value": .string(text), "format": "rawxml"]
        return ResourceWrite(
            ResourceID(path),
            .put(properties: properties, index: PolicyRules.references(properties), secrets: [])
        )
    }

    private static func product(_ name: String, _ properties: JSONObject) throws -> ResourceWrite {
        ResourceType.product.write(ResourceID(["products", name]), properties)
    }

    private static func subscription(
        _ id: ResourceID,
        _ scope: String,
        _ name: String,
        _ owner: String?,
        _ installation: Installation,
        _ box: SecretBox
    ) throws -> ResourceWrite {
        var properties: JSONObject = [
            "scope": .string(scope), "displayName": .string(name), "state": "active", "allowTracing": false,
            "createdDate": .string(installation.createdAt), "startDate": .string(installation.createdAt),
        ]
        if let owner { properties["ownerId"] = .string(owner) }
        return ResourceWrite(
            id,
            .put(
                properties: properties,
                index: ResourceType.subscription.index(properties),
                secrets: try ["primaryKey", "secondaryKey"].map {
                    try box.secret(Identifier.hex32(), key: id.key, slot: $0, isKey: true)
                }
            )
        )
    }
}
