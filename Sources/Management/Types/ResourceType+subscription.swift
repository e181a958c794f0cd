import Foundation
import ResourceModel
import Store

extension ResourceType {
    /// Subscriptions: who may call what, with two keys (contracts/api-management.md 1.7).
    package static let subscription = ResourceType(
        path: "subscriptions",
        nameRule: .free,
        properties: [
            .init("ownerId", .text(0...300)),
            .init("scope", .text(1...1000), isRequired: true),
            .init("displayName", .text(1...100), isRequired: true),
            .init(
                "state",
                .choice(["submitted", "active", "suspended", "rejected", "cancelled", "expired"]),
                default: "submitted"
            ),
            .init("allowTracing", .bool, default: false),
            .init("stateComment", .text(0...1000)),
            .init("createdDate", .text(0...40), isReadOnly: true),
            .init("startDate", .text(0...40), isReadOnly: true),
            .init("expirationDate", .text(0...40)),
            .init("endDate", .text(0...40), isReadOnly: true),
            .init("notificationDate", .text(0...40), isReadOnly: true),
        ],
        secrets: [
            .init("primaryKey", isKey: true, bytesMax: 256), .init("secondaryKey", isKey: true, bytesMax: 256),
        ],
        // 0 display name, 1 scope, 2 state, 3 owner, 4 start in seconds since 1970, 5 "tracing" where its keys may ask for traces.
        index: { properties in
            let start = properties["startDate"]?.string.flatMap { try? Date($0, strategy: .iso8601) }
            return [
                properties["displayName"]?.string, properties["scope"]?.string, properties["state"]?.string,
                properties["ownerId"]?.string, start.map { String(Int64($0.timeIntervalSince1970)) },
                properties["allowTracing"]?.bool == true ? "tracing" : nil,
            ]
        },
        rules: { draft, context throws(APIError) in try await SubscriptionRules.check(&draft, context) },
        present: { properties, context in
            var shown = properties
            if let scope = properties["scope"]?.string {
                shown["scope"] = .string(context.root + (scope == "/" ? "/" : scope))
            }
            if let owner = properties["ownerId"]?.string, owner.hasPrefix("/users/") {
                shown["ownerId"] = .string(context.root + owner)
            }
            return shown
        },
        actions: [
            .listing(["primaryKey", "secondaryKey"]), .regenerating("primaryKey", as: "regeneratePrimaryKey"),
            .regenerating("secondaryKey", as: "regenerateSecondaryKey"),
        ]
    )
}

enum SubscriptionRules {
    static func check(_ draft: inout ResourceDraft, _ context: RuleContext) async throws(APIError) {
        let scope = try shortScope(draft.properties["scope"]?.string ?? "")
        draft.properties["scope"] = .string(scope)
        if let owner = draft.properties["ownerId"]?.string {
            draft.properties["ownerId"] = owner.isEmpty ? nil : .string(shortened(owner))
            let user = ResourceID(shortened(owner))
            if !owner.isEmpty, owner != draft.before?.properties["ownerId"]?.string {
                guard user.segments.count == 2, user.segments[0].lowercased() == "users" else {
                    throw .validation("ownerId", "The owner must be /users/{id}, as a path or a full resource id.")
                }
                draft.requirements.append(.exists(user))
            }
        }
        let target = ResourceID(scope)
        if target.segments.count == 2 { draft.requirements.append(.exists(target)) }
        if draft.before == nil {
            draft.properties["createdDate"] = .string(context.now)
            for slot in ["primaryKey", "secondaryKey"] where draft.secrets[slot] == nil {
                draft.secrets[slot] = Identifier.hex32()
            }
        }
        if draft.properties["state"]?.string == "active", draft.properties["startDate"] == nil {
            draft.properties["startDate"] = .string(context.now)
        }
        if let primary = draft.secrets["primaryKey"], primary == draft.secrets["secondaryKey"] {
            throw .validation("secondaryKey", "The two keys must differ.")
        }
    }

    /// `/products/x`, `/apis/x`, `/apis` or `/`, from that or from a full resource id.
    private static func shortScope(_ text: String) throws(APIError) -> String {
        let short = shortened(text)
        let id = ResourceID(short)
        switch id.segments.count {
        case 0: return "/"
        case 1 where id.segments[0].lowercased() == "apis": return "/apis"
        case 2 where ["apis", "products"].contains(id.segments[0].lowercased()):
            return "/\(id.segments[0].lowercased())/\(id.segments[1])"
        default:
            throw .validation(
                "scope",
                "The scope must be /products/{id}, /apis/{id}, /apis or the service itself, as a path or a full resource id."
            )
        }
    }

    /// What follows the service's name in a full resource id.
    private static func shortened(_ text: String) -> String {
        let segments = text.split(separator: "/", omittingEmptySubsequences: true).map(String.init)
        guard let place = segments.firstIndex(where: { $0.lowercased() == "microsoft.apimanagement" }),
            segments.count > place + 2, segments[place + 1].lowercased() == "service"
        else { return text.hasPrefix("/") ? text : "/" + text }
        return "/" + segments[(place + 3)...].joined(separator: "/")
    }
}
