package import Foundation
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
        // 0 display name, 1 scope and 3 owner in lower case, 2 state, 4 start in seconds since 1970, 5 "tracing" where its keys may ask for traces.
        index: { properties in
            let start = properties["startDate"]?.string.flatMap { try? Date($0, strategy: .iso8601) }
            return [
                properties["displayName"]?.string, properties["scope"]?.string?.lowercased(),
                properties["state"]?.string, properties["ownerId"]?.string?.lowercased(),
                start.map { String(Int64($0.timeIntervalSince1970)) },
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

package enum SubscriptionRules {
    static let scopeColumn = 1
    static let stateColumn = 2
    static let ownerColumn = 3
    /// States of those that count against a product's limit: asked for, in use, or to be in use again.
    private static let counted = ["submitted", "active", "suspended"]
    /// States in which a subscription has ended.
    private static let ended: Set<String> = ["cancelled", "expired", "rejected"]

    /// A product allows each of its users so many; the administrator may try things out with more.
    private static func checkLimit(
        _ draft: inout ResourceDraft,
        _ product: ResourceID,
        _ context: RuleContext
    ) async throws(APIError) {
        guard let owner = draft.properties["ownerId"]?.string, ResourceID(owner) != UserRules.administrator,
            counted.contains(draft.properties["state"]?.string ?? "")
        else { return }
        let found: Resource?
        do { found = try await context.store.get(product) } catch {
            throw APIError.inside
        }
        guard let limit = found?.properties["subscriptionsLimit"]?.int, limit > 0 else { return }
        draft.requirements.append(
            .fewer(
                than: limit,
                type: "subscriptions",
                matches: [
                    (ownerColumn, [owner.lowercased()]), (scopeColumn, [product.key]), (stateColumn, counted),
                ],
                field: "subscriptionsLimit"
            )
        )
    }

    /// Times of the life of a subscription, by the state that it comes to.
    private static func setTimes(_ draft: inout ResourceDraft, _ context: RuleContext) throws(APIError) {
        if let text = draft.properties["expirationDate"]?.string {
            guard let time = time(text) else {
                throw .validation("expirationDate", "The value must be a time of ISO 8601.")
            }
            draft.properties["expirationDate"] = .string(time.formatted(.iso8601))
        }
        let state = draft.properties["state"]?.string ?? ""
        if state == "active", draft.properties["startDate"] == nil {
            draft.properties["startDate"] = .string(context.now)
        }
        if !ended.contains(state) {
            draft.properties["endDate"] = nil
        } else if draft.before?.properties["state"]?.string != state {
            draft.properties["endDate"] = .string(context.now)
        }
    }

    static func time(_ text: String) -> Date? {
        (try? Date(text, strategy: .iso8601))
            ?? (try? Date(text, strategy: Date.ISO8601FormatStyle(includingFractionalSeconds: true)))
    }

    /// Ends the subscriptions whose time is over; their keys open nothing from then on.
    package static func expire(_ service: ResourceService, now: Date) async throws {
        var request = ResourceService.ListRequest()
        request.top = ResourceService.pageMax
        request.filter = .and(
            .compare(["state"], .equal, .text("active")),
            .compare(["expirationDate"], .lessOrEqual, .time(now.formatted(.iso8601)))
        )
        for subscription in try await service.list(.subscription, parent: .service, request).resources {
            do {
                _ = try await service.patch(
                    .subscription,
                    subscription.id,
                    ["state": "expired"],
                    ifMatch: subscription.etag
                )
            } catch let error as APIError where [404, 412].contains(error.status) {
                // Somebody was quicker; the next turn looks again.
            }
        }
    }

    static func check(_ draft: inout ResourceDraft, _ context: RuleContext) async throws(APIError) {
        var scope = try shortScope(draft.properties["scope"]?.string ?? "")
        // Keys of an API open all its revisions, whichever of them is named.
        if let name = RevisionName(ResourceID(scope).name), ResourceID(scope).segments.count == 2 {
            scope = name.apiID.description
        }
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
        if target.segments.count == 2, target.segments[0] == "products" {
            try await checkLimit(&draft, target, context)
        }
        if draft.before == nil {
            draft.properties["createdDate"] = .string(context.now)
            for slot in ["primaryKey", "secondaryKey"] where draft.secrets[slot] == nil {
                draft.secrets[slot] = Identifier.hex32()
            }
        }
        try setTimes(&draft, context)
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
