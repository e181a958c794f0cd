import Foundation
import HTTPServing
import HTTPTypes
import Hummingbird
import Policies
import ResourceModel
package import Store

/// Lists of the ARM door that are made of other resources, or of the program itself, and so can only be read.
package struct ServiceViews: Sendable {
    private let service: ResourceService
    private let reports: ReportViews
    private let exports: APIExport
    private let quotas: QuotaViews

    package init(service: ResourceService, facts: any FactReports, exports: APIExport, quotas: QuotaViews) {
        self.service = service
        self.quotas = quotas
        self.exports = exports
        reports = ReportViews(facts: facts, service: service)
    }

    /// - Returns: nil for a path that is none of these.
    func answer(_ request: Request, _ words: [String], _ routes: ARMRoutes) async throws -> Response? {
        let lower = words.map { $0.lowercased() }
        if request.method == .post, lower.count == 3, lower[0] == "policyfragments", lower[2] == "listreferences" {
            return try await references(request, ResourceID(words.prefix(2).map { $0 }), routes)
        }
        if lower.first == "quotas", lower.count == 2 || lower.count == 3 || lower.count == 4 && lower[2] == "periods" {
            return try await quotas.answer(request, words)
        }
        guard request.method == .get || request.method == .head else { return nil }
        switch (lower.count, lower.first) {
        case (2, "apis") where request.query("export")?.lowercased() == "true":
            return try await exports.answer(request, ids(words), root: routes.installation.root)
        case (2, "reports"): return try await reports.answer(request, lower[1], routes)
        case (1, "regions"): return list([["name": "Local", "isMasterRegion": true, "isDeleted": false]])
        case (1, "skus"):
            return list([
                [
                    "resourceType": "Microsoft.ApiManagement/service", "sku": ["name": "Developer"],
                    "capacity": ["minimum": 1, "maximum": 1, "default": 1, "scaleType": "none"],
                ]
            ])
        case (1, "networkstatus"):
            return .json([["location": "Local", "networkStatus": ServiceViews.networkStatus]])
        case (3, "locations") where lower[2] == "networkstatus":
            guard lower[1] == "local" else {
                throw APIError.notFound("The location \(words[1].prefix(64)) was not found.")
            }
            return .json(ServiceViews.networkStatus)
        case (1, "policydescriptions"): return try descriptions(request, routes)
        case (1, "settings"): return list([try await settings(routes)])
        case (2, "settings"):
            guard lower[1] == "public" else {
                throw APIError.notFound("The setting \(words[1].prefix(64)) was not found.")
            }
            return .json(try await settings(routes))
        case (1, "issues"): return list(try await issues(nil, routes))
        case (2, "issues"):
            guard let issue = try await issues(words[1], routes).first else {
                throw APIError.notFound("issues not found: \(words[1])")
            }
            return .json(issue)
        case (1, "allpolicies"): return list(try await allPolicies(routes))
        case (1, "apisbytags"): return list(try await tagged([(.apiTag, "api")], routes))
        case (1, "productsbytags"): return list(try await tagged([(.productTag, "product")], routes))
        case (1, "tagresources"):
            return list(
                try await tagged([(.apiTag, "api"), (.operationTag, "operation"), (.productTag, "product")], routes)
            )
        case (3, "apis"):
            switch lower[2] {
            case "products": return try await places(of: ids(words), in: .productAPI, .product, request, routes)
            case "revisions": return try await revisions(ids(words))
            case "operationsbytags":
                return list(try await tagged([(.operationTag, "operation")], routes, below: ids(words)))
            default: return nil
            }
        case (3, "products") where lower[2] == "subscriptions":
            let product = try await service.get(ids(words))
            let scope = [(column: SubscriptionRules.scopeColumn, value: product.id.key)]
            return try await routes.list(request, .subscription, parent: .service, matches: scope)
        case (3, "users"): return try await user(request, words, routes)
        case (4, "users") where lower[2] == "subscriptions":
            let subscription = try await service.get(ResourceID(["subscriptions", words[3]]))
            guard subscription.properties["ownerId"]?.string.map(ResourceID.init) == ids(words) else {
                throw APIError.notFound("subscriptions not found: \(words[3])")
            }
            return .json(try await routes.json(subscription, .subscription), etag: subscription.etag)
        default: return nil
        }
    }

    private func ids(_ words: [String]) -> ResourceID { ResourceID(words.prefix(2).map { $0 }) }

    private func list(_ values: [JSONValue]) -> Response {
        .json(["value": .array(values), "count": .int(values.count)])
    }

    // MARK: - Of resources

    private func user(_ request: Request, _ words: [String], _ routes: ARMRoutes) async throws -> Response? {
        let user = ids(words)
        switch words[2].lowercased() {
        case "subscriptions":
            let found = try await service.get(user)
            let owner = [(column: SubscriptionRules.ownerColumn, value: found.id.key)]
            return try await routes.list(request, .subscription, parent: .service, matches: owner)
        case "groups": return try await places(of: user, in: .groupUser, .group, request, routes)
        case "identities":
            let found = try await service.get(user)
            return list([["provider": "Basic", "id": found.properties["email"] ?? .null]])
        default: return nil
        }
    }

    /// The resources in which another one has a place, as the products of an API.
    private func places(
        of id: ResourceID,
        in link: ResourceType,
        _ type: ResourceType,
        _ request: Request,
        _ routes: ARMRoutes
    ) async throws -> Response {
        _ = try await service.get(id)
        let wanted = try routes.listRequest(request)
        let found = try await service.store.find(type: link.path, value: id.name.lowercased())
        var values: [JSONValue] = []
        for entry in found.dropFirst(wanted.skip).prefix(wanted.top) {
            guard let resource = try await service.store.get(entry.id.parent) else { continue }
            values.append(try await routes.json(resource, type))
        }
        return .json(["value": .array(values), "count": .int(found.count)])
    }

    private func revisions(_ api: ResourceID) async throws -> Response {
        let current = try await service.get(api)
        let found = [current] + (try await RevisionRules.revisions(of: current.id, service.store))
        return list(
            found.map { revision in
                let number = revision.properties["apiRevision"]?.string ?? "1"
                let path = revision.properties["path"]?.string ?? ""
                return [
                    "apiId": .string("\(current.id.description);rev=\(number)"), "apiRevision": .string(number),
                    "description": revision.properties["apiRevisionDescription"] ?? .null,
                    "privateUrl": .string("/\(path);rev=\(number)"),
                    "isOnline": revision.properties["isOnline"] ?? true,
                    "isCurrent": .bool(revision.id == current.id),
                ]
            }
        )
    }

    /// Issues of all APIs, or the one of a name.
    private func issues(_ name: String?, _ routes: ARMRoutes) async throws -> [JSONValue] {
        var values: [JSONValue] = []
        for entry in try await service.store.index(type: ResourceType.issue.path)
        where name.map({ $0.lowercased() == entry.id.name.lowercased() }) ?? true {
            guard let issue = try await service.store.get(entry.id) else { continue }
            values.append(try await routes.json(issue, .issue))
        }
        return values
    }

    private func allPolicies(_ routes: ARMRoutes) async throws -> [JSONValue] {
        var values: [JSONValue] = []
        for type in ResourceType.policies {
            for entry in try await service.store.index(type: type.path) {
                values.append([
                    "id": .string(routes.installation.root + entry.id.description),
                    "type": "Microsoft.ApiManagement/service/allPolicies", "name": .string(entry.id.name),
                    "properties": [
                        "referencePolicyId": .string(routes.installation.root + entry.id.description),
                        "complianceState": "NonCompliant",
                    ],
                ])
            }
        }
        return values
    }

    /// Tags beside what they stand on.
    private func tagged(
        _ links: [(type: ResourceType, member: String)],
        _ routes: ARMRoutes,
        below parent: ResourceID? = nil
    ) async throws -> [JSONValue] {
        var values: [JSONValue] = []
        for link in links {
            for entry in try await service.store.index(type: link.type.path) {
                if let parent, ResourceID(entry.id.segments.prefix(2).map { $0 }) != parent { continue }
                guard let resource = try await service.store.get(entry.id.parent),
                    let tag = try await service.store.get(ResourceID(["tags", entry.id.name]))
                else { continue }
                var shown = resource.properties
                shown["id"] = .string(resource.id.description)
                shown["name"] = shown["displayName"]
                values.append([
                    "tag": ["id": .string(tag.id.description), "name": tag.properties["displayName"] ?? .null],
                    link.member: .object(shown),
                ])
            }
        }
        return values
    }

    /// The documents that include a fragment.
    private func references(_ request: Request, _ id: ResourceID, _ routes: ARMRoutes) async throws -> Response {
        let fragment = try await service.get(id)
        let name = fragment.id.name.lowercased()
        let wanted = try routes.listRequest(request)
        let users = try await PolicyRules.documents(service.store).filter {
            PolicyRules.words($0.columns[1]).contains(name)
        }
        let values = users.dropFirst(wanted.skip).prefix(wanted.top).map { entry -> JSONValue in
            [
                "id": .string(routes.installation.root + entry.id.description), "name": .string(entry.id.name),
                "type": .string("Microsoft.ApiManagement/service/" + entry.id.type),
            ]
        }
        return .json(["value": .array(Array(values)), "count": .int(users.count)])
    }

    // MARK: - Of the program

    /// One machine has no network of the service's own to be judged.
    private static let networkStatus: JSONValue = ["dnsServers": [], "connectivityStatus": []]

    /// What the developer portal asks before anybody has signed in.
    private func settings(_ routes: ARMRoutes) async throws -> JSONValue {
        let delegation = try await service.get(ResourceID(["portalsettings", "delegation"])).properties
        let isDelegated = delegation["userRegistration"]?["enabled"]?.bool ?? false
        return [
            "id": .string(routes.installation.root + "/settings/public"),
            "type": "Microsoft.ApiManagement/service/settings", "name": "public",
            "properties": [
                "settings": [
                    "CustomPortalSettings.UserRegistrationTerms": .null,
                    "CustomPortalSettings.DelegationEnabled": .string(String(isDelegated)),
                    "CustomPortalSettings.DelegationUrl": delegation["url"] ?? "",
                ]
            ],
        ]
    }

    /// The policies of the catalogue, with the scopes and sections where they may stand.
    private func descriptions(_ request: Request, _ routes: ARMRoutes) throws -> Response {
        let bits: [(PolicyScope, Int)] = [(.global, 1), (.product, 2), (.api, 4), (.operation, 8)]
        let words = ["tenant": 1, "product": 2, "api": 4, "operation": 8, "all": 15]
        var wanted = 15
        if let text = request.query("scope") {
            guard let bit = words[text.lowercased()] else {
                throw APIError.validation("scope", "The value must be one of Tenant, Product, Api, Operation, All.")
            }
            wanted = bit
        }
        let values = PolicyCatalogue.descriptions.compactMap { policy -> JSONValue? in
            let scope = bits.reduce(0) { $0 | (policy.scopes.contains($1.0) ? $1.1 : 0) }
            guard scope & wanted != 0 else { return nil }
            return [
                "id": .string("\(routes.installation.root)/policyDescriptions/\(policy.name)"),
                "type": "Microsoft.ApiManagement/service/policyDescriptions", "name": .string(policy.name),
                "properties": [
                    "description": .string("In " + policy.sections.map(\.rawValue).joined(separator: ", ")),
                    "scope": .int(scope),
                ],
            ]
        }
        return .json(["value": .array(values), "count": .int(values.count)])
    }
}
