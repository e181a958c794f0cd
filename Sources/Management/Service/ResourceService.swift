import Foundation
import HTTPServing
import Policies
package import ResourceModel
package import Store

/// The one way to managed resources: every door of the control plane, and every type, goes through here.
package struct ResourceService: Sendable {
    /// A page of a list, and where the next one begins.
    package struct Page: Sendable {
        package let resources: [Resource]
        package let count: Int
        package let next: String?
    }

    /// Elements of a page when the caller does not say, and at most.
    package static let pageDefault = 100
    package static let pageMax = 1000
    /// Tries of one change of any version, where others change the resource at the same time: each time one of them gets through.
    private static let attemptsMax = 100

    package private(set) var store: any ResourceStore
    /// Whoever writes below an API by a path waits here until it is its turn.
    let writers = APIWriters()
    /// What this service is called; its root begins full ids of its own resources.
    private let installation: InstallationSlot
    /// Whether an operation is refused that its policy document does not fit; else whoever writes looks at the end.
    private var checksOperations = true
    private let box: SecretBox
    private let servicesURL: @Sendable () -> String
    /// Where people reach the portals, without a closing slash.
    let portalURL: @Sendable () -> String
    private let fetch: @Sendable (_ url: String, _ bytesMax: Int) async throws(APIError) -> String
    private let readCertificate: @Sendable ([UInt8], _ password: String) throws -> CertificateFacts
    private let hashPassword: @Sendable (String) async throws(APIError) -> String
    /// Waits until the gateway's snapshot holds the change of these resources, so that a caller's next request meets it.
    private var afterCommit: @Sendable (Int64, [ResourceID]) async -> Void

    package init(
        store: any ResourceStore,
        box: SecretBox,
        installation: InstallationSlot,
        servicesURL: @Sendable @escaping () -> String,
        portalURL: @Sendable @escaping () -> String,
        fetch: @Sendable @escaping (_ url: String, _ bytesMax: Int) async throws(APIError) -> String,
        readCertificate: @Sendable @escaping ([UInt8], _ password: String) throws -> CertificateFacts,
        hashPassword: @Sendable @escaping (String) async throws(APIError) -> String,
        afterCommit: @Sendable @escaping (Int64, [ResourceID]) async -> Void
    ) {
        self.store = store
        self.box = box
        self.installation = installation
        self.servicesURL = servicesURL
        self.portalURL = portalURL
        self.fetch = fetch
        self.readCertificate = readCertificate
        self.hashPassword = hashPassword
        self.afterCommit = afterCommit
    }

    /// The same rules over another store, which no gateway follows, and where operations and their documents come one after another.
    func working(on store: any ResourceStore) -> ResourceService {
        var other = self
        other.store = store
        other.afterCommit = { _, _ in }
        other.checksOperations = false
        return other
    }

    /// Writes what the rules let through elsewhere, in one transaction, and waits until it is in force.
    func replay(_ writes: [ResourceWrite]) async throws {
        try await apply(writes)
        await afterCommit(try await store.lastSequence(), writes.map(\.id))
    }

    package func exists(_ id: ResourceID) async throws -> Bool { try await store.indexEntry(id) != nil }

    package func get(_ id: ResourceID) async throws -> Resource {
        guard let resource = try await store.get(id) else { throw ResourceService.notFound(id) }
        return resource
    }

    /// What a list is asked for.
    package struct ListRequest: Sendable {
        package var top = ResourceService.pageDefault
        package var skip = 0
        /// Of the page before.
        package var token: String?
        package var filter: ODataFilter?
        package var order: ResourceQuery.Order?

        package init() {}
    }

    /// A page of the resources of a type below a parent.
    ///
    /// - Parameter matches: values of flat columns that must hold beside the caller's own filter.
    package func list(
        _ type: ResourceType,
        parent: ResourceID,
        _ request: ListRequest,
        matches: [(column: Int, value: String)] = []
    ) async throws -> Page {
        if parent != .service, try await store.get(parent) == nil { throw ResourceService.notFound(parent) }
        for field in (request.filter?.fields ?? []) + (request.order.map { [$0.field] } ?? [])
        where field != ["name"] && !PropertyRule.knows(field, type.properties) {
            throw APIError.validation(
                "$filter",
                "The field \"\(field.joined(separator: "/"))\" is none of this type; there are name and "
                    + type.properties.map(\.name).joined(separator: ", ") + "."
            )
        }
        let word = type.path.split(separator: "/").last.map(String.init) ?? type.path
        var query = ResourceQuery(parent: parent, type: word, limit: request.top + 1)
        query.after = try request.token.map { text throws(APIError) in try ResourceService.place(text) }
        query.offset = query.after == nil ? request.skip : 0
        query.filter = request.filter
        query.matches = matches
        query.order = request.order
        let found = try await store.list(query)
        let page = Array(found.prefix(request.top))
        var next: String?
        if found.count > request.top, let last = page.last {
            next = ResourceService.token(value: try await store.orderValue(query, last.id), key: last.id.key)
        }
        return Page(resources: page, count: try await store.count(query), next: next)
    }

    /// The place where a page ended as one opaque word.
    private static func token(value: String, key: String) -> String {
        Data(JSONValue.array([.string(value), .string(key)]).bytes).base64EncodedString()
    }

    private static func place(_ token: String) throws(APIError) -> ResourceQuery.Place {
        guard let data = Data(base64Encoded: token),
            let parts = try? JSONValue(parsing: Array(data)).array, parts.count == 2,
            let value = parts[0].string, let key = parts[1].string
        else { throw .validation("$skiptoken", "The token is none that a page was given.") }
        return ResourceQuery.Place(value: value, key: key)
    }

    /// Creates or replaces.
    ///
    /// - Parameters:
    ///   - given: the document's properties, secrets among them.
    ///   - ifMatch: `*` or an etag; then the resource must be there.
    /// - Returns: the resource, and whether it is new.
    package func put(
        _ type: ResourceType,
        _ id: ResourceID,
        _ given: JSONObject,
        ifMatch: String?
    ) async throws -> (resource: Resource, isNew: Bool) {
        try type.nameRule.check(id.name)
        return try await retrying(ifMatch == nil || ifMatch == "*") {
            let before = try await store.get(id)
            return try await write(type, id, given, before: before, condition: condition(ifMatch, before: before))
        }
    }

    /// Does a change once more where others were quicker, as often as one of them may get through.
    private func retrying<Value>(_ mayRetry: Bool, _ change: () async throws -> Value) async throws -> Value {
        var attempts = 0
        while true {
            do { return try await change() } catch let error as APIError where error == .preconditionFailed && mayRetry
            {
                attempts += 1
                guard attempts < ResourceService.attemptsMax else { throw error }
            }
        }
    }

    /// Changes single properties of a resource that is there.
    package func patch(
        _ type: ResourceType,
        _ id: ResourceID,
        _ given: JSONObject,
        ifMatch: String?
    ) async throws -> Resource {
        guard let ifMatch else { throw ResourceService.missingIfMatch }
        return try await retrying(ifMatch == "*") {
            let before = try await get(id)
            guard ifMatch == "*" || bareETag(ifMatch) == before.etag else { throw APIError.preconditionFailed }
            var merged = ResourceService.merged(before.properties, given)
            // Rules must see that something is to be taken out.
            for member in given.members where member.value.isNull { merged[member.name] = .null }
            // What was merged with must still be there: a change of another property meanwhile would be lost.
            return try await write(type, id, merged, before: before, condition: .etag(before.etag)).resource
        }
    }

    /// A JSON merge patch (RFC 7396): objects are merged, null takes a member out, all else is replaced.
    static func merged(_ before: JSONObject, _ given: JSONObject) -> JSONObject {
        // By hash: documents come from outside, and a search for each name would be quadratic.
        let changes = Dictionary(given.members.map { ($0.name, $0.value) }) { _, last in last }
        let known = Set(before.names)
        var members: [(name: String, value: JSONValue)] = []
        for member in before.members {
            guard let change = changes[member.name] else {
                members.append(member)
                continue
            }
            if change.isNull { continue }
            if let inner = change.object, member.value != SealedRules.sealed, let outer = member.value.object {
                members.append((member.name, .object(ResourceService.merged(outer, inner))))
            } else {
                members.append((member.name, change))
            }
        }
        for member in given.members where !known.contains(member.name) && !member.value.isNull {
            members.append(member)
        }
        return JSONObject(members)
    }

    package func delete(
        _ type: ResourceType,
        _ id: ResourceID,
        ifMatch: String?,
        request: DeletionRequest = DeletionRequest()
    ) async throws {
        guard let ifMatch else { throw ResourceService.missingIfMatch }
        let isDone = try await retrying(type.deletesAsRead) {
            try await deleteOnce(type, id, ifMatch: ifMatch, request: request)
        }
        guard isDone else { throw APIError.preconditionFailed }
    }

    /// - Returns: false where the resource is not the one that the caller knew, so that no other try helps.
    private func deleteOnce(
        _ type: ResourceType,
        _ id: ResourceID,
        ifMatch: String,
        request: DeletionRequest
    ) async throws -> Bool {
        let sequence = type.deletesAsRead ? try await store.lastSequence() : nil
        guard let before = try await store.get(id) else { throw ResourceService.notFound(id) }
        try await type.deletionRules(id, request, store)
        guard ifMatch == "*" || bareETag(ifMatch) == before.etag else { return false }
        if type.isClosed {
            guard let builtIn = type.builtIn.first(where: { $0.name.lowercased() == id.name.lowercased() }) else {
                throw ResourceService.notFound(id)
            }
            try await apply([type.write(id, builtIn.properties, condition: condition(ifMatch, before: before))])
            await afterCommit(try await store.lastSequence(), [id])
            return true
        }
        var writes = [ResourceWrite(id, .delete, condition: condition(ifMatch, before: before))]
        if let sequence { writes[0].requirements.append(.unchanged(since: sequence)) }
        for dependent in try await type.dependents(id, store) { writes.append(ResourceWrite(dependent, .delete)) }
        try await apply(writes)
        await afterCommit(try await store.lastSequence(), writes.map(\.id))
        return true
    }

    /// A secret of a resource in plain text.
    package func secret(_ id: ResourceID, _ slot: String) async throws -> String? {
        guard let sealed = try await store.secrets(id)[slot] else { return nil }
        return try box.open(sealed, key: id.key, slot: slot)
    }

    /// A key of this installation for one purpose of the control plane.
    func key(for purpose: String) -> [UInt8] { box.key(for: purpose) }

    /// Sets a secret and nothing else, whoever changes the resource at the same time.
    ///
    /// - Parameter isOnlyMissing: whether one that is there stays.
    package func setSecret(
        _ type: ResourceType,
        _ id: ResourceID,
        _ slot: String,
        _ text: String,
        isOnlyMissing: Bool = false
    ) async throws {
        let isKey = type.secrets.first { $0.property == slot }?.isKey ?? false
        let secret = try box.secret(text, key: id.key, slot: slot, isKey: isKey)
        try await retrying(true) {
            let before = try await get(id)
            if isOnlyMissing, try await store.secrets(id)[slot] != nil { return }
            let write = ResourceWrite(
                id,
                .put(properties: before.properties, index: type.index(before.properties), secrets: [secret]),
                condition: .etag(before.etag)
            )
            let result = try await apply([write])
            if let sequence = result.last?.sequence { await afterCommit(sequence, [id]) }
        }
    }

    /// Changes what may change of the instance itself: who publishes, and its tags.
    package func update(instance body: JSONObject, ifMatch: String?) async throws {
        let before = try await get(.service)
        let given = body["properties"]?.object ?? JSONObject()
        let rules: [PropertyRule] = [
            .init("publisherEmail", .text(1...100)), .init("publisherName", .text(1...100)),
            .init("notificationSenderEmail", .text(1...100)),
        ]
        let changed = try PropertyRule.apply(rules, to: given, before: nil)
        for field in ["publisherEmail", "notificationSenderEmail"] {
            guard let text = changed[field]?.string, !UserRules.isAddress(text) else { continue }
            throw APIError.validation(field, "The value must be an e-mail address.")
        }
        var properties = before.properties
        for member in changed.members { properties[member.name] = member.value }
        if let tags = body["tags"], !tags.isNull {
            guard let tags = tags.object, tags.members.count <= 15, tags.members.allSatisfy({ $0.value.string != nil })
            else {
                throw APIError.validation("tags", "The value must hold up to 15 texts by name.")
            }
            properties["tags"] = .object(tags)
        }
        let action = ResourceWrite.Action.put(properties: properties, index: [], secrets: [])
        let written = try await apply([
            ResourceWrite(.service, action, condition: condition(ifMatch, before: before))
        ])
        for service in written { installation.take(service) }
    }

    // MARK: - Inside

    private func write(
        _ type: ResourceType,
        _ id: ResourceID,
        _ given: JSONObject,
        before: Resource?,
        condition: ResourceWrite.Condition
    ) async throws -> (resource: Resource, isNew: Bool) {
        let context = ruleContext
        let prepared = try await type.prepare(id, given, before, context)
        var draft = ResourceDraft(
            id: id,
            properties: try PropertyRule.apply(type.properties, to: prepared.properties, before: before?.properties),
            before: before,
            secrets: try secrets(type, prepared.properties)
        )
        draft.alongside = prepared.alongside
        draft.requirements = prepared.requirements
        try await type.rules(&draft, context)
        if id.segments.count > 2 { draft.requirements.append(.exists(id.parent)) }
        var writes: [SecretWrite] = []
        for (slot, text) in draft.secrets.sorted(by: { $0.key < $1.key }) {
            let isKey = type.secrets.first { $0.property == slot }?.isKey ?? false
            writes.append(try box.secret(text, key: id.key, slot: slot, isKey: isKey))
        }
        let write = ResourceWrite(
            id,
            .put(properties: draft.properties, index: type.index(draft.properties), secrets: writes),
            condition: condition,
            requirements: draft.requirements
        )
        let written = try await apply([write] + draft.alongside)
        guard let resource = written.first else { throw ResourceService.notFound(id) }
        await afterCommit(written.last?.sequence ?? resource.sequence, [id] + draft.alongside.map(\.id))
        return (resource, before == nil)
    }

    private var ruleContext: RuleContext {
        RuleContext(
            store: store,
            root: installation.current.root,
            servicesURL: servicesURL(),
            now: Date().formatted(.iso8601),
            checksOperations: checksOperations,
            secret: { try await secret($0, $1) },
            fetch: fetch,
            readCertificate: readCertificate,
            hashPassword: hashPassword
        )
    }

    /// Refuses operations whose policy documents name parameters that they have no more.
    ///
    /// - Returns: those that are refused.
    func refusedOperations(
        _ before: [(id: ResourceID, properties: JSONObject)]
    ) async throws -> [(
        id: ResourceID, error: APIError
    )] {
        var context = ruleContext
        context.checksOperations = true
        var surroundings: PolicySurroundings?
        var refused: [(id: ResourceID, error: APIError)] = []
        for (id, properties) in before {
            guard let after = try await store.get(id)?.properties, after != properties else { continue }
            do throws(APIError) {
                try await OperationRules.checkDocument(
                    of: id,
                    before: properties,
                    after: after,
                    context,
                    &surroundings
                )
            } catch { refused.append((id, error)) }
        }
        return refused
    }

    private func secrets(_ type: ResourceType, _ given: JSONObject) throws(APIError) -> [String: String] {
        var result: [String: String] = [:]
        for rule in type.secrets {
            guard let value = given[rule.property], !value.isNull else { continue }
            guard let text = value.string, (1...rule.bytesMax).contains(text.utf8.count) else {
                throw .validation(rule.property, "The value must be a text of 1 to \(rule.bytesMax) bytes.")
            }
            result[rule.property] = text
        }
        return result
    }

    private func condition(_ ifMatch: String?, before: Resource?) -> ResourceWrite.Condition {
        switch ifMatch {
        // Without a condition a create stays a create: of two at once only one may say 201.
        case nil: before == nil ? .absent : .exists
        case "*": .exists
        case let etag?: .etag(bareETag(etag))
        }
    }

    @discardableResult
    private func apply(_ writes: [ResourceWrite]) async throws -> [Resource] {
        do { return try await store.apply(writes) } catch let error as StoreError { throw APIError(error) }
    }

    static func notFound(_ id: ResourceID) -> APIError { APIError(.notFound(id)) }

    static let missingIfMatch = APIError(
        status: 400,
        code: "MissingRequiredHeader",
        message: "The If-Match header is required."
    )
}
