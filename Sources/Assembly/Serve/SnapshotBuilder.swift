import Foundation
import Gateway
import HTTPWire
import Logging
import Management
import Policies
import ResourceModel
import Store

/// Follows the change feed and builds the gateway's snapshot: what changed is built anew, the rest is shared.
actor SnapshotBuilder {
    /// Changes taken in one turn.
    private static let changesMax = 10_000
    /// Schemas and operations of one API that answers are made by.
    private static let schemasMax = 1000
    private static let operationsMax = 10_000
    /// Owners of subscriptions whose names policies may ask for.
    private static let usersMax = 100_000

    /// Types that calls are answered by.
    private static let watched = Set(
        [
            "apis", "apiversionsets", "products", "products/apis", "users", "backends", "namedvalues", "certificates",
            "subscriptions", "policyfragments",
        ] + ResourceType.policies.map { $0.path.lowercased() }
    )

    private let store: any ResourceStore
    private let slot: SnapshotSlot
    private let secret: @Sendable (ResourceID, String) async throws -> String?
    private let upstreamTLS: UpstreamTLS
    private let logger: Logger
    private var sequence: Int64 = 0
    private var apis: [String: APIRoute] = [:]
    private var routes = RouteTree([])
    private var keys = KeyShards()
    /// The digests that stand for a subscription, so that they can be taken out again.
    private var digests: [String: [KeyDigest]] = [:]
    private var productAPIs: [String: Set<String>] = [:]
    private var openProducts: Set<String> = []
    private var products: [String: PolicyFacts.Product] = [:]
    private var users: [String: PolicyFacts.User] = [:]
    /// Owners whose keys are no good.
    private var blockedUsers: Set<String> = []
    private var backends: [String: ManagedBackend] = [:]
    /// How the versions of each version set are asked for.
    private var schemes: [String: VersionScheme] = [:]
    private var policies: PolicyDocuments
    /// APIs whose operations hold their samples, since a policy answers with them.
    private var sampled: Set<String> = []
    /// Revisions that are not to be called.
    private var offline: Set<String> = []
    private var update: Task<Void, Never>?
    /// What changed and could not be built yet.
    private var owed: [String: ResourceID] = [:]
    /// Whether the last change could not be built.
    private(set) var isFailing = false

    /// - Parameter secret: the plain text of a resource's secret slot.
    init(
        store: any ResourceStore,
        slot: SnapshotSlot,
        secret: @Sendable @escaping (ResourceID, String) async throws -> String?,
        upstreamTLS: UpstreamTLS,
        logger: Logger
    ) {
        self.upstreamTLS = upstreamTLS
        self.store = store
        self.slot = slot
        self.logger = logger
        self.secret = secret
        policies = PolicyDocuments(store: store, secret: secret, logger: logger)
    }

    /// Builds everything from the flat columns.
    func start() async throws {
        sequence = try await store.lastSequence()
        async let apiEntries = store.index(type: "apis")
        async let operationEntries = store.index(type: "apis/operations")
        async let subscriptionEntries = store.index(type: "subscriptions")
        async let hashes = store.keyHashes(type: "subscriptions")
        var operations: [String: [IndexEntry]] = [:]
        for entry in try await operationEntries {
            operations[entry.id.segments[1].lowercased(), default: []].append(entry)
        }
        for entry in try await store.index(type: "apiVersionSets") {
            schemes[entry.id.name.lowercased()] = Self.scheme(entry)
        }
        for entry in try await apiEntries {
            let name = entry.id.name.lowercased()
            apis[name] = route(entry, operations[name] ?? [])
            if !Self.isOnline(entry) { offline.insert(name) }
        }
        for entry in try await store.index(type: "products") { try await take(product: entry.id) }
        for user in try await store.list(ResourceQuery(parent: .service, type: "users", limit: Self.usersMax)) {
            take(user: user.id, user)
        }
        for entry in try await store.index(type: "backends") { try await take(backend: entry.id) }
        routes = RouteTree(apis.filter { !offline.contains($0.key) }.values)
        policies = try await policies.reloaded()
        try await takeSamples()
        for entry in try await store.index(type: "products/apis") {
            productAPIs[entry.id.segments[1].lowercased(), default: []].insert(entry.id.name.lowercased())
        }
        var subscriptions: [String: SubscriptionEntry] = [:]
        for entry in try await subscriptionEntries { subscriptions[entry.id.description] = Self.subscription(entry) }
        for hash in try await hashes {
            guard let subscription = subscriptions[hash.id.description] else { continue }
            add(hash, subscription)
        }
        publish()
    }

    /// Returns once the snapshot holds all changes of these resources up to this one: at once where calls ask for none of them.
    nonisolated func reach(_ target: Int64, for ids: [ResourceID]) async {
        guard ids.contains(where: Self.isWatched) else { return }
        await reach(target)
    }

    /// Returns once the snapshot holds all changes up to this one.
    private func reach(_ target: Int64) async {
        while sequence < target {
            if let update {
                await update.value
            } else {
                // Documents are compiled here: never on the threads that blobs are served on.
                let task = Task(executorPreference: PlaneThreads.management) { await self.follow() }
                update = task
                await task.value
            }
        }
    }

    private func follow() async {
        defer { update = nil }
        // Each thing once, however often it changed; what calls do not ask for is none of the snapshot's.
        var touched = owed
        do {
            let changes = try await store.changes(since: sequence, limit: Self.changesMax)
            guard let last = changes.last else { return }
            for change in changes {
                let id = Self.partID(change.id)
                if Self.isWatched(id) { touched[id.key] = id }
            }
            guard !touched.isEmpty else {
                sequence = last.sequence
                isFailing = false
                return
            }
            // APIs are built by the schemes of their version sets, so those come first.
            for id in touched.values where id.type.lowercased() == "apiversionsets" { try await takeVersionSet(id) }
            for id in touched.values { try await rebuild(id) }
            policies = try await policies.updated(Array(touched.values))
            try await takeSamples()
            sequence = last.sequence
            isFailing = false
            owed = [:]
            publish()
        } catch {
            isFailing = true
            owed = touched
            // The last good snapshot stays in force; the next change tries again.
            logger.error("snapshot could not be built", metadata: ["error.code": "\(type(of: error))"])
            sequence = max(sequence, (try? await store.lastSequence()) ?? sequence)
        }
    }

    /// The part of the snapshot that a change touches: an operation touches its API.
    private static func isWatched(_ id: ResourceID) -> Bool { watched.contains(partID(id).type.lowercased()) }

    private static func partID(_ id: ResourceID) -> ResourceID {
        id.segments.first?.lowercased() == "apis" && !id.type.lowercased().hasSuffix("/policies")
            ? ResourceID(Array(id.segments.prefix(2))) : id
    }

    private func rebuild(_ id: ResourceID) async throws {
        switch id.type.lowercased() {
        case "apis": try await rebuild(api: id)
        case "products": try await take(product: id)
        case "users": take(user: id, try await store.get(id))
        case "backends": try await take(backend: id)
        case "namedvalues", "certificates":
            // Backends may be sent any of them.
            for entry in try await store.index(type: "backends") { try await take(backend: entry.id) }
        case "products/apis":
            let isThere = try await store.indexEntry(id) != nil
            let product = id.segments[1].lowercased()
            if isThere {
                productAPIs[product, default: []].insert(id.name.lowercased())
            } else {
                productAPIs[product]?.remove(id.name.lowercased())
            }
        case "subscriptions":
            for digest in digests.removeValue(forKey: id.key) ?? [] { keys[digest] = nil }
            guard let entry = try await store.indexEntry(id) else { return }
            let subscription = Self.subscription(entry)
            for hash in try await store.keyHashes(id) { add(hash, subscription) }
        default: break
        }
    }

    private func rebuild(api id: ResourceID) async throws {
        let name = id.name.lowercased()
        guard let entry = try await store.indexEntry(id) else {
            take(api: name, nil, isOnline: false)
            policies.forget(api: name, keeping: nil)
            return
        }
        let operations = try await store.index(type: "operations", parent: id)
        let samples = try await samples(api: id)
        take(api: name, route(entry, operations, samples), isOnline: Self.isOnline(entry))
        policies.forget(api: name, keeping: Set(operations.map { $0.id.name.lowercased() }))
    }

    /// - Parameter route: nil for an API that is gone.
    private func take(api name: String, _ route: APIRoute?, isOnline: Bool) {
        routes.replace(offline.contains(name) ? nil : apis[name], with: isOnline ? route : nil)
        apis[name] = route
        if route == nil || isOnline { offline.remove(name) } else { offline.insert(name) }
    }

    /// What the operations of an API are answered with by policies that do; empty where none does.
    private func samples(api id: ResourceID) async throws -> [String: [PolicyFacts.Sample]] {
        let name = id.name.lowercased()
        guard policies.book.usesSamples(api: name) else {
            sampled.remove(name)
            return [:]
        }
        sampled.insert(name)
        var schemas: [String: JSONValue] = [:]
        for schema in try await store.list(ResourceQuery(parent: id, type: "schemas", limit: Self.schemasMax)) {
            schemas[schema.id.name.lowercased()] = schema.properties["document"]
        }
        var reader = OperationSamples(schemas: schemas)
        var samples: [String: [PolicyFacts.Sample]] = [:]
        for operation in try await store.list(ResourceQuery(parent: id, type: "operations", limit: Self.operationsMax))
        {
            samples[operation.id.key] = reader.read(operation.properties)
        }
        return samples
    }

    private static func isOnline(_ entry: IndexEntry) -> Bool {
        entry.columns[3]?.split(separator: "\t", omittingEmptySubsequences: false).dropFirst(2).first != "offline"
    }

    /// Builds the APIs anew whose samples a policy has begun to answer with.
    private func takeSamples() async throws {
        let candidates = policies.book.samplesAll ? Array(apis.keys) : Array(policies.book.sampledAPIs)
        for name in candidates where apis[name] != nil && !sampled.contains(name) {
            try await rebuild(api: ResourceID(["apis", name]))
        }
    }

    /// A version set that changed: the APIs in it are built anew.
    private func takeVersionSet(_ id: ResourceID) async throws {
        let name = id.name.lowercased()
        schemes[name] = try await store.indexEntry(id).map(Self.scheme)
        for entry in try await store.index(type: "apis")
        where entry.columns[0]?.split(separator: "\t").dropFirst().first.map(String.init) == name {
            try await rebuild(api: entry.id)
        }
    }

    private static func scheme(_ entry: IndexEntry) -> VersionScheme {
        let name = Array((entry.columns[2] ?? "").utf8)
        switch entry.columns[1] {
        case "Query": return .query(name)
        case "Header": return .header(name)
        default: return .segment
        }
    }

    private func take(product id: ResourceID) async throws {
        let name = id.name.lowercased()
        guard let properties = try await store.get(id)?.properties else {
            openProducts.remove(name)
            products[name] = nil
            policies.forget(product: name)
            return
        }
        let requiresSubscription = properties["subscriptionRequired"]?.bool ?? true
        if requiresSubscription { openProducts.remove(name) } else { openProducts.insert(name) }
        products[name] = PolicyFacts.Product(
            id: id.name,
            name: properties["displayName"]?.string ?? "",
            isPublished: properties["state"]?.string == "published",
            requiresApproval: properties["approvalRequired"]?.bool ?? false,
            requiresSubscription: requiresSubscription
        )
    }

    private func take(user id: ResourceID, _ user: Resource?) {
        let name = id.name.lowercased()
        users[name] = user.map(Self.user)
        if ["blocked", "deleted"].contains(user?.properties["state"]?.string) {
            blockedUsers.insert(name)
        } else {
            blockedUsers.remove(name)
        }
    }

    private func take(backend id: ResourceID) async throws {
        let name = id.name.lowercased()
        guard let properties = try await store.get(id)?.properties else {
            backends[name] = nil
            return
        }
        let rule = BackendDocument.circuit(properties)
        // What is known of its health stays, unless it is to be judged by another rule.
        let known = backends[name]?.state
        let state = known.flatMap { $0.rule == rule ? $0 : nil } ?? BackendState(rule: rule)
        var values: [String: String] = [:]
        let text = try await secret(id, BackendRules.credentialsSlot) ?? "{}"
        if text.contains("{{") { values = try await PolicyRules.namedValues(store, secret).values }
        backends[name] = ManagedBackend(
            id: name,
            kind: properties["type"]?.string == "Pool"
                ? .pool(BackendDocument.members(properties))
                : .single(
                    BackendDocument.target(
                        properties,
                        Self.backend(properties["url"]?.string ?? ""),
                        try await identity(properties)
                    )
                ),
            credentials: BackendDocument.credentials(text, values),
            state: state
        )
    }

    /// The certificate that a backend is shown; nil where it has none.
    private func identity(_ properties: JSONObject) async throws -> ClientIdentity? {
        guard let name = BackendRules.certificates(properties).first else { return nil }
        let id = ResourceID(["certificates", name])
        guard let text = try await secret(id, CertificateRules.data), let data = Data(base64Encoded: text) else {
            return nil
        }
        let password = try await secret(id, CertificateRules.password) ?? ""
        return try? upstreamTLS.identity(
            CertificateFile(Array(data), password: password),
            BackendDocument.checks(properties)
        )
    }

    private static func user(_ user: Resource) -> PolicyFacts.User {
        func text(_ name: String) -> String { user.properties[name]?.string ?? "" }
        return PolicyFacts.User(
            id: user.id.name,
            email: text("email"),
            firstName: text("firstName"),
            lastName: text("lastName"),
            note: text("note")
        )
    }

    private func add(_ hash: KeyHashEntry, _ subscription: SubscriptionEntry) {
        guard let digest = KeyDigest(hash.hash) else { return }
        keys[digest] = subscription
        digests[hash.id.key, default: []].append(digest)
    }

    private func publish() {
        slot.publish(
            GatewaySnapshot(
                sequence: sequence,
                routes: routes,
                keys: keys,
                productAPIs: productAPIs,
                openProducts: openProducts,
                policies: policies.book,
                products: products,
                users: users,
                blockedUsers: blockedUsers,
                backends: backends
            )
        )
    }

    private static func subscription(_ entry: IndexEntry) -> SubscriptionEntry {
        let scope = ResourceID(entry.columns[1] ?? "/")
        let kind: SubscriptionEntry.Scope =
            switch (scope.segments.first?.lowercased(), scope.segments.count) {
            case ("products", 2): .product(scope.name.lowercased())
            case ("apis", 2): .api(scope.name.lowercased())
            case ("apis", 1): .allAPIs
            default: .service
            }
        let owner = entry.columns[3].map { ResourceID($0) }
        return SubscriptionEntry(
            id: entry.id.name,
            scope: kind,
            isActive: entry.columns[2] == "active",
            // The administrator's own keys may, whatever they say.
            mayTrace: entry.columns[5] == "tracing" || owner?.key == "/users/1",
            name: entry.columns[0] ?? "",
            owner: owner?.name.lowercased(),
            startSeconds: entry.columns[4].flatMap(Int64.init) ?? 0
        )
    }

    /// An API from its flat columns and those of its operations.
    ///
    /// - Parameter samples: of operations, by the keys of their ids.
    private func route(
        _ entry: IndexEntry,
        _ operations: [IndexEntry],
        _ samples: [String: [PolicyFacts.Sample]] = [:]
    ) -> APIRoute {
        var parsed: [APIOperation] = []
        for operation in operations {
            // Templates were checked when they were written.
            guard let method = operation.columns[1], let text = operation.columns[2],
                let template = try? URLTemplate(text)
            else { continue }
            parsed.append(
                APIOperation(
                    facts: PolicyFacts.Operation(
                        id: operation.id.name,
                        name: operation.columns[0] ?? "",
                        method: method,
                        urlTemplate: text,
                        samples: samples[operation.id.key] ?? []
                    ),
                    template: template
                )
            )
        }
        let place = (entry.columns[0] ?? "").split(separator: "\t", omittingEmptySubsequences: false).map(String.init)
        // Columns of earlier data folders have the first part only.
        let state = (entry.columns[3] ?? "").split(separator: "\t", omittingEmptySubsequences: false).map(String.init)
        let path = place.first ?? ""
        let protocols = (entry.columns[2] ?? "").split(separator: ",").map(String.init)
        let version = place.count == 3 ? (scheme: schemes[place[1]] ?? .segment, name: place[2]) : nil
        let isCurrent =
            state.count < 4 || state[2] == "current" || state[2] == "offline" && !entry.id.name.contains(";")
        let revision = state.count < 4 ? "1" : state[1]
        return APIRoute(
            resource: entry.id.name,
            revision: revision,
            isCurrent: isCurrent,
            version: version,
            path: path,
            backend: Self.backend(entry.columns[1] ?? ""),
            protocols: protocols,
            requiresKey: state.first != "open",
            keyHeader: entry.columns[4] ?? APIRoute.usualKeyHeaderName,
            keyQuery: entry.columns[5] ?? APIRoute.usualKeyQueryName,
            bodyBytesMax: protocols.first { $0.hasPrefix("body=") }.flatMap { Int($0.dropFirst(5)) },
            facts: PolicyFacts.API(
                id: entry.id.name,
                name: state.count < 4 ? "" : state[3...].joined(separator: "\t"),
                path: path,
                revision: revision,
                version: version?.name,
                isCurrentRevision: isCurrent
            ),
            operations: parsed
        )
    }

    private static func backend(_ url: String) -> APIRoute.Backend {
        guard url.hasPrefix(APIRules.localServices) else {
            guard !url.isEmpty else { return .unsupported(reason: "The API has no service URL.") }
            do throws(BackendURL.Problem) { return try APIRoute.Backend(url: url) } catch {
                return .unsupported(reason: "The API's service URL \(error.words).")
            }
        }
        let path = url.dropFirst(APIRules.localServices.count)
        return .local(pathPrefix: path.hasSuffix("/") ? String(path.dropLast()) : String(path))
    }
}
