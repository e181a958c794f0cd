import ResourceModel
import Store

/// The name of a revision: that of its API and a number, as `echo;rev=2`.
struct RevisionName: Equatable {
    /// A number beyond is no revision's.
    private static let numberMax = 1_000_000
    private static let mark = "rev="

    /// Of the API itself, as it was written.
    let api: String
    /// As text: it has no leading zeros, so that no two texts name one revision.
    let number: String

    /// nil for a name that is none of a revision, be it an API's own or a wrong one.
    init?(_ name: String) {
        let parts = name.split(separator: ";", maxSplits: 1, omittingEmptySubsequences: false)
        guard parts.count == 2, !parts[0].isEmpty, parts[1].lowercased().hasPrefix(Self.mark) else { return nil }
        let text = parts[1].dropFirst(Self.mark.count)
        guard let value = Int(text), value > 0, value < Self.numberMax, text == String(value) else { return nil }
        api = String(parts[0])
        number = String(text)
    }

    var apiID: ResourceID { ResourceID(["apis", api]) }
    var id: ResourceID { ResourceID(["apis", "\(api);\(Self.mark)\(number)"]) }
}

/// What revisions of one API share, and what each has for itself (contracts/api-management.md 1.3).
enum RevisionRules {
    /// What callers of an API see of it whichever revision answers: the current one alone may change it.
    static let shared = [
        "displayName", "type", "description", "subscriptionRequired", "apiVersion", "apiVersionSetId",
        "apiVersionDescription", "path", "protocols",
    ]
    /// Where an API is reached: the same for a revision from its first moment on, or it would answer at another API's address.
    private static let address: Set<String> = ["path", "apiVersion", "apiVersionSetId"]
    /// What a copy does not take from its source: it says of the source which revision it is.
    private static let own = ["apiRevision", "apiRevisionDescription", "isCurrent", "sourceApiId"]
    /// What a description is: an import onto an API that is there replaces it, and leaves all else.
    private static let described = ["displayName", "description", "termsOfServiceUrl", "contact", "license"]
    /// The contract's own words.
    private static let refusal = "Can't change property for non-current revision"

    /// Reads the body of an API: takes everything from the source that it names, imports the description that it brings, and leaves alone
    /// what a revision shares with its API.
    static func prepare(
        _ id: ResourceID,
        _ given: JSONObject,
        _ before: Resource?,
        _ context: RuleContext
    ) async throws(APIError) -> PreparedBody {
        var said = given
        said["sourceApiId"] = nil
        var base = JSONObject()
        var prepared = PreparedBody(properties: given)
        var origin: Resource?
        if let source = given["sourceApiId"], !source.isNull {
            try ReferenceRules.requireOwn("sourceApiId", given, context)
            if let before {
                // The same request again: what it does not say stays as it is.
                base = before.properties
            } else {
                let found = try await copied(from: given, to: id, context, &prepared)
                base = found.properties
                for name in own { base[name] = nil }
                origin = found
            }
        }
        let imported = try await APIImport.take(id, &said, before, origin?.id, context)
        if imported != nil, let before, base.isEmpty {
            base = before.properties
            for name in described { base[name] = nil }
        }
        prepared.properties = overlaid(base, fitting(imported, to: base), said)
        prepared.alongside += imported?.writes ?? []
        if let name = RevisionName(id.name) {
            try await share(name, said, imported, before, origin, context, &prepared.properties)
        } else {
            if let before, said["apiRevision"]?.string == nil {
                prepared.properties["apiRevision"] = before.properties["apiRevision"]
            }
            if prepared.properties["displayName"] == nil, imported != nil {
                prepared.properties["displayName"] = before?.properties["displayName"] ?? .string(id.name)
            }
        }
        return prepared
    }

    /// What a description says of an API that is as it is: how it is reached, and where its calls go, stays what it was, but for what the
    /// description says of it expressly.
    private static func fitting(_ imported: APIImport.Result?, to base: JSONObject) -> JSONObject {
        guard let imported else { return JSONObject() }
        var properties = imported.properties
        let hasUpstream = base["serviceUrl"]?.string?.isEmpty == false
        if hasUpstream, !imported.saysServiceURL { properties["serviceUrl"] = nil }
        if base["protocols"] != nil, !imported.saysProtocols { properties["protocols"] = nil }
        return properties
    }

    /// One document over another: what a later one says counts more, and null takes out.
    private static func overlaid(_ documents: JSONObject...) -> JSONObject {
        var result = documents[0]
        for document in documents.dropFirst() {
            for member in document.members { result[member.name] = member.value.isNull ? nil : member.value }
        }
        return result
    }

    /// The source of a new revision, version or API, with copies of all that stands below it.
    private static func copied(
        from given: JSONObject,
        to id: ResourceID,
        _ context: RuleContext,
        _ prepared: inout PreparedBody
    ) async throws(APIError) -> Resource {
        let named = try ReferenceRules.id("sourceApiId", "apis", given)
        return try await context.reading { store in
            let since = try await store.lastSequence()
            let location = try await RevisionPath.located(named.segments, in: store)
            guard let source = try await store.get(ResourceID(location.words)) else {
                // A release between the two reads moved it: the change is tried again.
                guard try await store.lastSequence() == since else { throw APIError.preconditionFailed }
                throw APIError.notFound("apis not found: \(named.name)")
            }
            for resource in try await ReleaseRules.tree(source.id, store) {
                prepared.alongside.append(APITree.moved(resource, from: source.id, to: id))
            }
            // What is added to the source meanwhile would be missing in the copy.
            prepared.requirements.append(.unchanged(since: since))
            return source
        }
    }

    /// Keeps what a revision shares with its API.
    ///
    /// - Throws: `APIError` naming each property that the body would change.
    private static func share(
        _ name: RevisionName,
        _ said: JSONObject,
        _ imported: APIImport.Result?,
        _ before: Resource?,
        _ origin: Resource?,
        _ context: RuleContext,
        _ properties: inout JSONObject
    ) async throws(APIError) {
        let api = try await context.reading { store in try await store.get(name.apiID) }
        guard let api else { throw .notFound("apis not found: \(name.api)") }
        let standing = before?.properties ?? api.properties
        let isOfThisAPI = before != nil || origin.map { sameAPI($0.id, api.id) } ?? false
        var refused: [APIError.Detail] = []
        for property in shared {
            // A description says what it says of the upstream; of a revision that is there it must say nothing new.
            let byDescription =
                before == nil || property == "protocols" && imported?.saysProtocols != true
                ? nil : imported?.properties[property]
            let wanted = said[property] ?? byDescription
            guard let wanted, !(wanted.isNull && before == nil), !isSame(property, wanted, standing[property]) else {
                properties[property] = standing[property]
                continue
            }
            guard isOfThisAPI || address.contains(property) else { continue }
            refused.append(
                APIError.Detail(code: "ValidationError", message: "\(refusal): \(property)", target: property)
            )
        }
        guard refused.isEmpty else {
            let names = refused.compactMap(\.target).joined(separator: ", ")
            throw APIError(status: 400, code: "ValidationError", message: "\(refusal): \(names)", details: refused)
        }
    }

    private static func sameAPI(_ one: ResourceID, _ other: ResourceID) -> Bool {
        let bare = { (id: ResourceID) in RevisionName(id.name)?.api.lowercased() ?? id.name.lowercased() }
        return bare(one) == bare(other)
    }

    /// Whether two values of a property mean the same, however they are written.
    private static func isSame(_ property: String, _ left: JSONValue?, _ right: JSONValue?) -> Bool {
        let texts = (left?.string ?? "", right?.string ?? "")
        switch property {
        case "path":
            guard left?.string != nil else { return left == right }
            return APIRules.trimmed(path: texts.0) == APIRules.trimmed(path: texts.1)
        case "protocols":
            let words = { (value: JSONValue?) in value?.array.map { Set($0.compactMap(\.string)) } }
            return words(left) == words(right)
        case "apiVersionSetId": return ResourceID(texts.0).name.lowercased() == ResourceID(texts.1).name.lowercased()
        case "apiVersion", "apiVersionDescription", "description":
            // An empty text is as good as none.
            guard left == nil || left?.isNull == true || left?.string != nil else { return false }
            return texts.0 == texts.1
        default: return left == right
        }
    }

    // MARK: - The current revision

    /// Hands what the current revision changes of the shared properties on to the others.
    static func handOn(_ draft: inout ResourceDraft, _ context: RuleContext) async throws(APIError) {
        guard let before = draft.before?.properties, RevisionName(draft.id.name) == nil else { return }
        let after = draft.properties
        let changed = shared.filter { before[$0] != after[$0] }
        guard !changed.isEmpty else { return }
        let api = draft.id
        draft.alongside += try await context.reading { store in
            try await revisions(of: api, store).map { revision in
                var properties = revision.properties
                // One that was told otherwise when it was made keeps what it was told.
                for name in changed where properties[name] == before[name] { properties[name] = after[name] }
                return ResourceType.api.write(revision.id, properties, condition: .etag(revision.etag))
            }
        }
    }

    /// The revisions of an API beside the current one.
    static func revisions(of api: ResourceID, _ store: any ResourceStore) async throws -> [Resource] {
        let prefix = api.name.lowercased() + ";"
        var found: [Resource] = []
        for entry in try await store.index(type: "apis") where entry.id.name.lowercased().hasPrefix(prefix) {
            if let revision = try await store.get(entry.id) { found.append(revision) }
        }
        return found
    }

    /// A number that another revision has cannot become the current one's without a release.
    static func checkNumber(_ draft: ResourceDraft, _ context: RuleContext) async throws(APIError) {
        guard RevisionName(draft.id.name) == nil, let before = draft.before,
            let number = draft.properties["apiRevision"]?.string, number != before.properties["apiRevision"]?.string,
            let name = RevisionName("\(draft.id.name);rev=\(number)")
        else { return }
        guard try await context.reading({ store in try await store.get(name.id) }) == nil else {
            throw .validation(
                "apiRevision",
                "There is a revision \(number) already; a release makes it the current one."
            )
        }
    }
}

/// Where the resource of a path is kept: the current revision is the API itself, and what belongs to all revisions is the API's.
struct RevisionPath {
    /// What belongs to an API whichever of its revisions is named.
    private static let ofAll: Set<String> = ["releases", "issues", "revisions", "products"]

    /// The path of the resource as it is kept.
    let words: [String]
    /// The path as the caller wrote it.
    let given: [String]
    /// The number by which the caller named the current revision, or the API that is yet to be made.
    private(set) var current: RevisionName?
    /// The revision that is not current, below which something of the API was named.
    private(set) var other: RevisionName?

    private init(_ words: [String], given: [String]) {
        self.words = words
        self.given = given
    }

    /// The API whose revisions a path may name: one that it stands below, or that has a place in a product or gateway.
    static func api(_ given: [String]) -> ResourceID? {
        let isPlace = given.count == 4 && given[2].lowercased() == "apis"
        guard isPlace || given.count >= 2 && given[0].lowercased() == "apis" else { return nil }
        return ResourceID(["apis", String(given[isPlace ? 3 : 1].prefix { $0 != ";" })])
    }

    /// - Parameter creates: whether the first revision of an API may be named that is not there yet.
    static func located(
        _ given: [String],
        creates: Bool = false,
        in store: any ResourceStore
    ) async throws -> RevisionPath {
        let plain = RevisionPath(given, given: given)
        // Places of APIs in products and gateways are those of all revisions.
        let isPlace = given.count == 4 && given[2].lowercased() == "apis"
        guard isPlace || given.count >= 2 && given[0].lowercased() == "apis" else { return plain }
        let index = isPlace ? 3 : 1
        guard let name = RevisionName(given[index]) else { return plain }
        var bare = given
        bare[index] = name.api
        var path = RevisionPath(bare, given: given)
        if try await store.indexEntry(name.id) != nil {
            guard isPlace || given.count > 2 && isOfAll(given[2]) else { return plain }
            path.other = name
            return path
        }
        path.current = name
        guard let api = try await store.get(name.apiID) else {
            return creates && given.count == 2 && name.number == "1" ? path : plain
        }
        return api.properties["apiRevision"]?.string ?? "1" == name.number ? path : plain
    }

    /// What the path says of a body's properties.
    func complete(_ properties: inout JSONObject, _ type: ResourceType, isPatch: Bool) throws(APIError) {
        if type.path == ResourceType.api.path, let current { properties["apiRevision"] = .string(current.number) }
        if type.path == ResourceType.release.path, let other, !isPatch { try Self.takeRevision(other, &properties) }
    }

    /// A release that stands below a revision is of it.
    static func takeRevision(_ revision: RevisionName, _ properties: inout JSONObject) throws(APIError) {
        let said = ResourceID(properties["apiId"]?.string ?? "").name.lowercased()
        guard ["", revision.api.lowercased(), revision.id.name.lowercased()].contains(said) else {
            throw .validation("apiId", "The release stands below the revision \(revision.number), and must be of it.")
        }
        properties["apiId"] = .string(revision.id.description)
    }

    /// Whether resources of this word belong to an API whichever of its revisions is named.
    static func isOfAll(_ word: String) -> Bool { ofAll.contains(word.lowercased()) }

    /// A resource's id as the caller writes it.
    func shown(_ id: ResourceID) -> ResourceID {
        guard current != nil || other != nil, given.count >= 2, id.segments.count >= 2,
            ResourceID(Array(id.segments.prefix(2))) == ResourceID(Array(words.prefix(2)))
        else { return id }
        return ResourceID(Array(given.prefix(2)) + id.segments.dropFirst(2))
    }
}
