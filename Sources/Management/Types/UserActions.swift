import Foundation
import ResourceModel

/// POSTs on users: tokens that show who somebody is (contracts/api-management.md 4.2).
enum UserActions {
    /// Secret slots: made when a token is asked for first.
    private static let slots = ["primary": "primaryTokenKey", "secondary": "secondaryTokenKey"]

    static let all = [
        ResourceAction("token") { call in
            let properties = call.body["properties"]?.object ?? call.body
            let kind = properties["keyType"]?.string ?? "primary"
            guard let slot = slots[kind] else {
                throw APIError.validation("keyType", "The value must be one of primary, secondary.")
            }
            let expiry = try SharedAccessToken.expiry(properties, field: "expiry")
            return .json(["value": .string(try await token(call, slot, expiry))])
        },
        ResourceAction("generateSsoUrl") { call in
            // Five minutes: the address is followed at once.
            let token = try await token(call, "primaryTokenKey", Date(timeIntervalSinceNow: 300))
            let escaped = token.addingPercentEncoding(withAllowedCharacters: .alphanumerics) ?? ""
            return .json(["value": .string("\(call.service.portalURL())/signin-sso?token=\(escaped)")])
        },
    ]

    private static func token(_ call: ActionCall, _ slot: String, _ expiry: Date) async throws -> String {
        // Of two that ask first, one makes it: the other's key would end its token.
        if try await call.service.secret(call.resource.id, slot) == nil {
            try await call.service.setSecret(call.type, call.resource.id, slot, Identifier.hex32(), isOnlyMissing: true)
        }
        guard let key = try await call.service.secret(call.resource.id, slot) else {
            throw APIError.conflict("The user has no key for tokens.")
        }
        return SharedAccessToken.make(id: call.resource.id.name, expires: expiry, key: key)
    }
}
