import Policies
import ResourceModel
import Store

extension ResourceType {
    private static let parameter: PropertyRule.Kind = .object([
        .init("name", .text(1...300), isRequired: true),
        .init("type", .text(1...100), isRequired: true),
        .init("description", .text(0...10_000)),
        .init("defaultValue", .text(0...10_000)),
        .init("required", .bool),
        .init("values", .list(.text(0...10_000))),
    ])

    /// Operations: verb and URL template (contracts/api-management.md 1.4).
    package static let operation = ResourceType(
        path: "apis/operations",
        properties: [
            .init("displayName", .text(1...300), isRequired: true),
            .init("method", .text(1...32), isRequired: true),
            .init("urlTemplate", .text(1...1000), isRequired: true),
            .init("templateParameters", .list(parameter), default: []),
            .init("description", .text(0...1000)),
            .init("request", .any),
            .init("responses", .list(.any), default: []),
            .init("policies", .any, isSealed: true),
        ],
        // 0 display name, 1 method, 2 template.
        index: { [$0["displayName"]?.string, $0["method"]?.string, $0["urlTemplate"]?.string] },
        rules: { draft, context throws(APIError) in
            try OperationRules.check(&draft)
            guard let before = draft.before else { return }
            var surroundings: PolicySurroundings?
            try await OperationRules.checkDocument(
                of: draft.id,
                before: before.properties,
                after: draft.properties,
                context,
                &surroundings
            )
        },
        deletionRules: { _, _, _ in }
    )
}

enum OperationRules {
    /// Refuses to take parameters from an operation that its policy document names.
    ///
    /// - Parameter known: what documents may name, once it was read: it is read once for all operations of a change.
    static func checkDocument(
        of id: ResourceID,
        before: JSONObject,
        after: JSONObject,
        _ context: RuleContext,
        _ known: inout PolicySurroundings?
    ) async throws(APIError) {
        guard context.checksOperations else { return }
        let (old, new) = (
            PolicyRules.operation(before, refusesOthers: true), PolicyRules.operation(after, refusesOthers: true)
        )
        // Names that come in addition break nothing.
        guard !old.template.union(old.query).isSubset(of: new.template.union(new.query)) else { return }
        let document = id.child("policies", "policy")
        guard let user = try await context.reading({ store in try await store.get(document) }) else { return }
        let isOfTemplate = !old.template.isSubset(of: new.template)
        if known == nil { known = try await PolicyRules.surroundings(context.store, context.secret) }
        guard var surroundings = known else { return }
        surroundings.operation = old
        let present = surroundings
        surroundings.operation = new
        try await PolicyRules.checkUser(
            user,
            field: isOfTemplate ? "urlTemplate" : "request.queryParameters",
            surroundings
        ) { () async throws(APIError) in present }
    }

    static func check(_ draft: inout ResourceDraft) throws(APIError) {
        let method = draft.properties["method"]?.string ?? ""
        guard method.utf8.allSatisfy({ (0x41...0x5A).contains($0) || (0x61...0x7A).contains($0) || $0 == 0x2D }) else {
            throw .validation("method", "The method must be an HTTP verb.")
        }
        draft.properties["method"] = .string(method.uppercased())
        let template: URLTemplate
        do { template = try URLTemplate(draft.properties["urlTemplate"]?.string ?? "") } catch {
            throw .validation("urlTemplate", error.message)
        }
        let declared = (draft.properties["templateParameters"]?.array ?? []).compactMap { $0["name"]?.string }
        guard Set(declared.map { $0.lowercased() }).count == declared.count else {
            throw .validation("templateParameters", "Parameter names must be unique, whatever their case.")
        }
        let known = Set(declared.map { $0.lowercased() })
        if let missing = template.parameterNames.first(where: { !known.contains($0.lowercased()) }) {
            throw .validation(
                "templateParameters",
                "All template parameters used in the UriTemplate must be defined in the Operation; \"\(missing)\" is not."
            )
        }
        let used = Set(template.parameterNames.map { $0.lowercased() })
        if let extra = declared.first(where: { !used.contains($0.lowercased()) }) {
            throw .validation("templateParameters", "The parameter \"\(extra)\" does not stand in the UriTemplate.")
        }
    }
}
