import ResourceModel
import Store

extension ResourceType {
    /// Releases: a revision becomes the current one, with notes for those who call it (contracts/api-management.md 1.3).
    package static let release = ResourceType(
        path: "apis/releases",
        properties: [
            .init("apiId", .text(1...1000)),
            .init("notes", .text(0...10_000)),
            .init("createdDateTime", .text(0...40), isReadOnly: true),
            .init("updatedDateTime", .text(0...40), isReadOnly: true),
        ],
        index: { _ in [] },
        rules: { draft, context throws(APIError) in try await ReleaseRules.check(&draft, context) },
        present: { ReferenceRules.shown("apiId", $0, $1) }
    )

    /// Schemas of the whole instance.
    package static let globalSchema = ResourceType(
        path: "schemas",
        properties: [
            .init("schemaType", .choice(["xml", "json"]), isRequired: true),
            .init("description", .text(0...10_000)),
            .init("value", .any),
            .init("document", .any),
        ],
        // 0 kind.
        index: { [$0["schemaType"]?.string] },
        rules: { draft, _ throws(APIError) in
            let field = draft.properties["schemaType"]?.string == "xml" ? "value" : "document"
            guard let value = draft.properties[field] ?? draft.properties["value"] else {
                throw .validation(field, "Value cannot be null.")
            }
            guard field == "value" else { return }
            guard let text = value.string else { throw .validation("value", "The value must be a text.") }
            do { _ = try XMLElement(parsing: Array(text.utf8)) } catch {
                throw .validation("value", "The value is no XML: \(error)")
            }
        }
    )
}

enum ReleaseRules {
    static func check(_ draft: inout ResourceDraft, _ context: RuleContext) async throws(APIError) {
        let api = ResourceID(["apis", draft.id.segments[1]])
        let released =
            draft.properties["apiId"] == nil ? api : try ReferenceRules.id("apiId", "apis", draft.properties)
        let bare = String(released.name.prefix { $0 != ";" })
        guard bare.lowercased() == api.name.lowercased() else {
            throw .validation("apiId", "The revision must be one of the API \(api.name).")
        }
        let (since, isCurrent) = try await context.reading { store in
            (try await store.lastSequence(), try await Self.isCurrent(released, of: api, store))
        }
        draft.properties["apiId"] = .string(released.description)
        draft.properties["createdDateTime"] = draft.before?.properties["createdDateTime"] ?? .string(context.now)
        draft.properties["updatedDateTime"] = .string(context.now)
        // Notes of a release that is there are changed without releasing it again.
        let isNew = ResourceID(draft.before?.properties["apiId"]?.string ?? "") != released
        // The revision that was released is the API itself by now.
        guard isNew, !isCurrent else { return }
        draft.requirements += [.exists(released), .unchanged(since: since)]
        guard released.name.contains(";") else { return }
        draft.alongside += try await context.reading { store in try await exchange(api, released, store) }
    }

    /// Whether a revision is the one that the API's own id stands for.
    private static func isCurrent(
        _ revision: ResourceID,
        of api: ResourceID,
        _ store: any ResourceStore
    ) async throws -> Bool {
        guard let name = RevisionName(revision.name) else { return !revision.name.contains(";") }
        return try await store.get(api)?.properties["apiRevision"]?.string == name.number
    }

    /// What stands below an API's revisions each for itself; issues and releases are the API's.
    private static let ownWords: Set<String> = [
        "operations", "policies", "schemas", "diagnostics", "tags", "tagdescriptions",
    ]

    /// Puts a revision in the place of the current one, which is kept as a revision of its number.
    private static func exchange(
        _ api: ResourceID,
        _ released: ResourceID,
        _ store: any ResourceStore
    ) async throws -> [ResourceWrite] {
        guard let current = try await store.get(api), let next = try await store.get(released) else { return [] }
        let number = current.properties["apiRevision"]?.string ?? "1"
        let kept = ResourceID(["apis", "\(api.name);rev=\(number)"])
        guard kept.key != released.key else { return [] }
        let oldTree = try await tree(api, store)
        // Issues that were once told of the revision are the API's from now on.
        let newTree = try await store.tree(released).filter { $0.id.segments.count > 2 }
        var writes = oldTree.reversed().map { ResourceWrite($0.id, .delete) }
        writes.append(ResourceWrite(released, .delete))
        // Links and children of the API itself stay: only its document is written anew, with what callers see of it whichever revision answers.
        var properties = next.properties
        for name in RevisionRules.shared { properties[name] = current.properties[name] }
        writes.append(APITree.put(api, properties, isCurrent: true))
        writes += newTree.map { APITree.moved($0, from: released, to: api) }
        writes.append(APITree.put(kept, current.properties, isCurrent: false))
        writes += oldTree.map { APITree.moved($0, from: api, to: kept) }
        return writes
    }

    static func tree(_ api: ResourceID, _ store: any ResourceStore) async throws -> [Resource] {
        try await store.tree(api).filter { resource in
            resource.id.segments.count > 2 && ownWords.contains(resource.id.segments[2].lowercased())
        }
    }
}

/// Copies of an API with what stands below it.
enum APITree {
    static func put(_ id: ResourceID, _ properties: JSONObject, isCurrent: Bool) -> ResourceWrite {
        var properties = properties
        properties["isCurrent"] = .bool(isCurrent)
        return ResourceType.api.write(id, properties)
    }

    /// A resource below one API as one below another.
    static func moved(_ resource: Resource, from: ResourceID, to: ResourceID) -> ResourceWrite {
        let id = ResourceID(to.segments + resource.id.segments.dropFirst(from.segments.count))
        let index = ResourceTypes.type(path: id.type)?.index(resource.properties) ?? []
        return ResourceWrite(id, .put(properties: resource.properties, index: index, secrets: []))
    }
}
