import Foundation
import ResourceModel
import Store

extension ResourceType {
    /// Gateways beside the built-in one, as those who run them elsewhere describe them.
    package static let gateway = ResourceType(
        path: "gateways",
        properties: [
            .init(
                "locationData",
                .object([
                    .init("name", .text(1...256), isRequired: true), .init("city", .text(0...256)),
                    .init("district", .text(0...256)), .init("countryOrRegion", .text(0...256)),
                ])
            ),
            .init("description", .text(0...1000)),
        ],
        secrets: [.init("primary", isKey: false, bytesMax: 256), .init("secondary", isKey: false, bytesMax: 256)],
        index: { _ in [] },
        rules: { draft, _ throws(APIError) in
            guard draft.id.name.lowercased() != GatewayRules.managed else {
                throw .validation("id", "The gateway \"managed\" is built in.")
            }
            guard draft.before == nil else { return }
            for slot in ["primary", "secondary"] where draft.secrets[slot] == nil {
                draft.secrets[slot] = Identifier.hex32()
            }
        },
        actions: [
            .listing(["primary", "secondary"], as: "listKeys"),
            ResourceAction("regenerateKey") { call in
                guard let slot = call.body["keyType"]?.string, ["primary", "secondary"].contains(slot) else {
                    throw APIError.validation("keyType", "The value must be one of primary, secondary.")
                }
                try await call.service.setSecret(call.type, call.resource.id, slot, Identifier.hex32())
                return .empty(204)
            },
            ResourceAction("generateToken") { call in
                let slot = call.body["keyType"]?.string ?? "primary"
                guard ["primary", "secondary"].contains(slot) else {
                    throw APIError.validation("keyType", "The value must be one of primary, secondary.")
                }
                let expiry = try SharedAccessToken.expiry(call.body, field: "expiry")
                guard let key = try await call.service.secret(call.resource.id, slot) else {
                    throw APIError.conflict("The gateway has no \(slot) key.")
                }
                let token = SharedAccessToken.make(id: call.resource.id.name, expires: expiry, key: key)
                return .json(["value": .string("GatewayKey " + token)])
            },
            ResourceAction("invalidateDebugCredentials") { _ in .empty(204) },
        ]
    )

    package static let gatewayAPI = link("gateways/apis", to: "apis", nameRule: .api)

    package static let gatewayHostname = ResourceType(
        path: "gateways/hostnameConfigurations",
        properties: [
            .init("hostname", .text(1...255), isRequired: true),
            .init("certificateId", .text(0...1000)),
            .init("negotiateClientCertificate", .bool),
            .init("tls10Enabled", .bool),
            .init("tls11Enabled", .bool),
            .init("http2Enabled", .bool),
        ],
        index: { [$0["hostname"]?.string] }
    )

    package static let gatewayAuthority = ResourceType(
        path: "gateways/certificateAuthorities",
        properties: [.init("isTrusted", .bool)],
        index: { _ in [] },
        rules: { draft, _ throws(APIError) in
            draft.requirements.append(.exists(ResourceID(["certificates", draft.id.name])))
        }
    )
}

enum GatewayRules {
    /// The built-in one, which is no resource of the store.
    static let managed = "managed"
}
