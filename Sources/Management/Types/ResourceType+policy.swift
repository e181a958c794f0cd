package import Policies
package import ResourceModel
package import Store

extension ResourceType {
    /// Policy documents at their four scopes (contracts/api-management.md 3.1, 4.1).
    package static let policies: [ResourceType] = [
        "policies", "products/policies", "apis/policies", "apis/operations/policies",
    ]
    .map { path in
        ResourceType(
            path: path,
            nameRule: .policy,
            properties: PolicyRules.properties,
            index: { properties in PolicyRules.references(properties) },
            rules: { draft, context throws(APIError) in
                try await PolicyRules.takeFormat(&draft, context)
                try await PolicyRules.compile(draft, context)
            }
        )
    }

    /// Fragments of policies that documents include by id.
    package static let policyFragment = ResourceType(
        path: "policyFragments",
        properties: PolicyRules.properties + [.init("description", .text(0...1000))],
        index: { properties in PolicyRules.references(properties) },
        rules: { draft, context throws(APIError) in
            try await PolicyRules.takeFormat(&draft, context)
            try await PolicyRules.compileFragment(draft, context)
        },
        deletionRules: { id, _, store in
            let name = id.name.lowercased()
            guard
                let user = try await PolicyRules.documents(store).first(where: { entry in
                    PolicyRules.words(entry.columns[1]).contains(name)
                })
            else { return }
            throw APIError.validation("id", "The fragment is used by \(user.id).")
        }
    )

    /// Named values: `{{name}}` in policy documents (contracts/api-management.md 1.8).
    package static let namedValue = ResourceType(
        path: "namedValues",
        nameRule: .free,
        properties: [
            .init("displayName", .text(1...256), isRequired: true),
            // One that becomes a secret later must not have rested in plain text before.
            .init("value", .text(0...4096), isSealed: true),
            .init("secret", .bool, default: false),
            .init("tags", .list(.text(1...300))),
        ],
        secrets: [.init("value", isKey: false, bytesMax: 4 * 4096)],
        index: { [$0["displayName"]?.string, $0["secret"]?.bool == true ? "secret" : "plain"] },
        rules: { draft, context throws(APIError) in try await NamedValueRules.check(&draft, context) },
        deletionRules: { id, _, store in
            guard let name = try await store.get(id)?.properties["displayName"]?.string else { return }
            guard
                let user = try await PolicyRules.documents(store).first(where: { entry in
                    PolicyRules.words(entry.columns[0]).contains(name)
                })
            else { return }
            throw APIError.validation("id", "The named value is used by \(user.id).")
        },
        actions: [
            ResourceAction("listValue") { call in
                guard call.resource.properties["secret"]?.bool ?? false else {
                    return .json(["value": call.resource.properties["value"] ?? .null])
                }
                return .json(["value": JSONValue(try await call.service.secret(call.resource.id, "value"))])
            }
        ]
    )
}

/// The rules of policy documents beyond single properties.
package enum PolicyRules {
    /// Bytes of a document (the service's own bound).
    static let documentBytesMax = 262_144

    static let properties: [PropertyRule] = [
        .init("value", .text(1...documentBytesMax), isRequired: true, isSealed: true),
        .init("format", .choice(["xml", "rawxml", "xml-link", "rawxml-link"]), default: "xml"),
    ]

    /// Named values and fragments at most: all of them are read when a document is compiled.
    package static let referencesMax = 10_000

    /// A document by link is fetched once, and kept as if it had been sent.
    static func takeFormat(_ draft: inout ResourceDraft, _ context: RuleContext) async throws(APIError) {
        let format = draft.properties["format"]?.string ?? "xml"
        guard format.hasSuffix("-link") else { return }
        let text = try await context.fetch(draft.properties["value"]?.string ?? "", documentBytesMax)
        guard !text.isEmpty, text.count <= documentBytesMax else {
            throw .validation("value", "The length must be between 1 and \(documentBytesMax) characters.")
        }
        draft.properties["value"] = .string(text)
        draft.properties["format"] = .string(String(format.dropLast("-link".count)))
    }

    static func compile(_ draft: ResourceDraft, _ context: RuleContext) async throws(APIError) {
        var surroundings = try await surroundings(context.store, context.secret)
        do {
            surroundings.operation = try await operation(of: draft.id, context.store, refusesOthers: true)
        } catch { throw APIError.inside }
        do throws(PolicyDiagnostic) { _ = try document(draft.id, draft.properties, surroundings) } catch {
            throw .validation("value", error.description)
        }
    }

    /// The parameters of the operation that a document is of; nil for documents of wider scopes.
    ///
    /// - Parameter refusesOthers: whether a document that names others is refused.
    package static func operation(
        of id: ResourceID,
        _ store: any ResourceStore,
        refusesOthers: Bool = false
    ) async throws -> PolicySurroundings.Operation? {
        guard scope(id) == .operation,
            let properties = try await store.get(ResourceID(Array(id.segments.prefix(4))))?.properties
        else { return nil }
        return operation(properties, refusesOthers: refusesOthers)
    }

    /// The parameters of an operation that has these properties.
    static func operation(_ properties: JSONObject, refusesOthers: Bool) -> PolicySurroundings.Operation {
        func lowercased(_ names: [String]) -> Set<String> { Set(names.map { $0.lowercased() }) }
        return PolicySurroundings.Operation(
            template: lowercased((try? URLTemplate(properties["urlTemplate"]?.string ?? ""))?.parameterNames ?? []),
            query: lowercased(
                (properties["request"]?["queryParameters"]?.array ?? []).compactMap { $0["name"]?.string }
            ),
            refusesOthers: refusesOthers
        )
    }

    static func compileFragment(_ draft: ResourceDraft, _ context: RuleContext) async throws(APIError) {
        let surroundings = try await surroundings(
            context.store,
            context.secret,
            replacing: (draft.id.name, PolicySurroundings.Fragment(draft.properties))
        )
        do throws(PolicyDiagnostic) {
            try PolicyDocument.checkFragment(
                draft.properties["value"]?.string ?? "",
                isRaw: isRaw(draft.properties),
                surroundings: surroundings
            )
        } catch { throw .validation("value", error.description) }
        try await checkUsers(ofNamedValue: nil, context, surroundings)
    }

    /// Refuses a change that would break a document which is in force.
    ///
    /// - Parameters:
    ///   - name: of the named value that changes; nil where a fragment does.
    ///   - surroundings: as they would be.
    static func checkUsers(
        ofNamedValue name: String?,
        _ context: RuleContext,
        _ surroundings: PolicySurroundings
    ) async throws(APIError) {
        var users: [Resource] = []
        do {
            for type in ResourceType.policies {
                for entry in try await context.store.index(type: type.path) {
                    // A fragment may hold what changes, so whoever includes any is looked at.
                    let isUser = !words(entry.columns[1]).isEmpty || name.map(words(entry.columns[0]).contains) ?? false
                    if isUser, let user = try await context.store.get(entry.id) { users.append(user) }
                }
            }
        } catch {
            throw APIError.inside
        }
        for user in users {
            let itsOperation = try await context.reading { store in
                try await operation(of: user.id, store, refusesOthers: true)
            }
            var after = surroundings
            after.operation = itsOperation
            try await checkUser(user, field: "value", after) { () async throws(APIError) in
                var before = try await Self.surroundings(context.store, context.secret)
                before.operation = itsOperation
                return before
            }
        }
    }

    /// Refuses a change that would break a document.
    ///
    /// - Parameters:
    ///   - field: what is changed.
    ///   - after: the document's surroundings as they would be.
    ///   - before: as they are.
    static func checkUser(
        _ user: Resource,
        field: String,
        _ after: PolicySurroundings,
        before: () async throws(APIError) -> PolicySurroundings
    ) async throws(APIError) {
        do throws(PolicyDiagnostic) { _ = try document(user.id, user.properties, after) } catch {
            // One that was wrong before, as of an earlier version, is no fault of the change.
            let before = try await before()
            guard (try? document(user.id, user.properties, before)) != nil else { return }
            throw .validation(field, "\(user.id) would not compile any more: \(error.description)")
        }
    }

    /// A stored document, compiled.
    package static func document(
        _ id: ResourceID,
        _ properties: JSONObject,
        _ surroundings: PolicySurroundings
    ) throws(PolicyDiagnostic) -> PolicyDocument {
        try PolicyDocument(
            properties["value"]?.string ?? "",
            isRaw: isRaw(properties),
            scope: scope(id),
            owner: id.key,
            surroundings: surroundings
        )
    }

    static func isRaw(_ properties: JSONObject) -> Bool { properties["format"]?.string == "rawxml" }

    package static func scope(_ id: ResourceID) -> PolicyScope {
        switch (id.segments.count, id.segments.first?.lowercased()) {
        case (4, "products"): .product
        case (4, _): .api
        case (6, _): .operation
        default: .global
        }
    }

    /// What documents may name: all named values and fragments.
    ///
    /// - Parameters:
    ///   - secret: the plain text of a resource's secret slot.
    ///   - fragment: one that is about to take the place of what is stored.
    ///   - value: of a named value, by its display name, likewise.
    package static func surroundings(
        _ store: any ResourceStore,
        _ secret: @Sendable (ResourceID, String) async throws -> String?,
        replacing fragment: (id: String, fragment: PolicySurroundings.Fragment)? = nil,
        value: (name: String, text: String)? = nil
    ) async throws(APIError) -> PolicySurroundings {
        do {
            var (values, secretNames) = try await namedValues(store, secret)
            if let value { values[value.name] = value.text }
            var fragments: [String: PolicySurroundings.Fragment] = [:]
            for found in try await store.list(
                ResourceQuery(parent: .service, type: "policyFragments", limit: referencesMax)
            ) {
                fragments[found.id.name.lowercased()] = PolicySurroundings.Fragment(found.properties)
            }
            if let fragment { fragments[fragment.id.lowercased()] = fragment.fragment }
            let backends = Set(try await store.index(type: "backends").map { $0.id.name.lowercased() })
            return PolicySurroundings(
                namedValues: values,
                secretNames: secretNames,
                fragments: fragments,
                backends: backends
            )
        } catch {
            throw (error as? APIError)
                ?? APIError.inside
        }
    }

    /// All named values by display name, in plain text, and the names of those that are secret.
    package static func namedValues(
        _ store: any ResourceStore,
        _ secret: @Sendable (ResourceID, String) async throws -> String?
    ) async throws -> (values: [String: String], secretNames: Set<String>) {
        var values: [String: String] = [:]
        var secretNames: Set<String> = []
        let query = ResourceQuery(parent: .service, type: "namedValues", limit: referencesMax)
        for value in try await store.list(query) {
            guard let name = value.properties["displayName"]?.string else { continue }
            let isSecret = value.properties["secret"]?.bool == true
            values[name] =
                isSecret ? try await secret(value.id, "value") : value.properties["value"]?.string ?? ""
            if isSecret { secretNames.insert(name) }
        }
        return (values, secretNames)
    }

    // MARK: - References

    /// Flat columns: 0 display names of named values, 1 ids of fragments; one a line.
    static func references(_ properties: JSONObject) -> [String?] {
        let text = properties["value"]?.string ?? ""
        return [
            PolicyDocument.namedValues(in: text).joined(separator: "\n"),
            PolicyDocument.fragments(in: text).map { $0.lowercased() }.joined(separator: "\n"),
        ]
    }

    /// The ids of backends that a text may name, in lower case; one inside a comment counts as well.
    static func backends(in text: String) -> Set<String> {
        var found: Set<String> = []
        for piece in text.split(separator: "backend-id").dropFirst() {
            let value = piece.drop { $0 != "\"" && $0 != "'" }.dropFirst()
            found.insert(String(value.prefix { $0 != "\"" && $0 != "'" }).lowercased())
        }
        return found
    }

    static func words(_ column: String??) -> [String] {
        (column ?? nil)?.split(separator: "\n").map(String.init) ?? []
    }

    /// All documents and fragments.
    static func documents(_ store: any ResourceStore) async throws -> [IndexEntry] {
        var entries: [IndexEntry] = []
        for type in ResourceType.policies.map(\.path) + [ResourceType.policyFragment.path] {
            entries += try await store.index(type: type)
        }
        return entries
    }
}

extension PolicySurroundings.Fragment {
    init(_ properties: JSONObject) {
        self.init(text: properties["value"]?.string ?? "", isRaw: PolicyRules.isRaw(properties))
    }
}

enum NamedValueRules {
    static func check(_ draft: inout ResourceDraft, _ context: RuleContext) async throws(APIError) {
        let name = draft.properties["displayName"]?.string ?? ""
        guard
            name.utf8.allSatisfy({ byte in
                switch byte {
                case 0x30...0x39, 0x41...0x5A, 0x61...0x7A, 0x2D, 0x2E, 0x5F: true
                default: false
                }
            })
        else {
            throw .validation("displayName", "The name may hold letters, digits, dots, dashes and underscores.")
        }
        draft.requirements.append(.unique(type: "namedValues", column: 0, value: name, field: "displayName"))
        if let before = draft.before?.properties["displayName"]?.string, before != name {
            try await checkUnused(before, context)
        }
        let isSecret = draft.properties["secret"]?.bool ?? false
        let given = draft.properties["value"]?.string
        if let given, given.contains("{{") {
            throw .validation("value", "A named value may not hold another.")
        }
        // It is put into names and values of headers, where a line end begins another header.
        if let given, given != draft.before?.properties["value"]?.string,
            given.unicodeScalars.contains(where: isControl)
        {
            throw .validation(
                "value",
                "The value must not hold control characters, such as a carriage return, a line feed, a tab or a NUL."
            )
        }
        if isSecret {
            // A secret is never part of a document: it rests encrypted.
            draft.properties["value"] = nil
            guard given != nil || draft.before?.properties["secret"]?.bool == true else {
                throw .validation("value", "A secret needs its value.")
            }
        } else {
            draft.secrets["value"] = nil
            guard given != nil else { throw .validation("value", "Value cannot be null.") }
        }
        if let given, draft.before != nil {
            let surroundings = try await PolicyRules.surroundings(context.store, context.secret, value: (name, given))
            try await PolicyRules.checkUsers(ofNamedValue: name, context, surroundings)
        }
    }

    private static func isControl(_ character: Unicode.Scalar) -> Bool {
        character.properties.generalCategory == .control || ["\u{2028}", "\u{2029}"].contains(character)
    }

    private static func checkUnused(_ name: String, _ context: RuleContext) async throws(APIError) {
        let documents: [IndexEntry]
        do { documents = try await PolicyRules.documents(context.store) } catch {
            throw APIError.inside
        }
        if let user = documents.first(where: { PolicyRules.words($0.columns[0]).contains(name) }) {
            throw .validation("displayName", "The named value is used by \(user.id) under its present name.")
        }
    }
}
