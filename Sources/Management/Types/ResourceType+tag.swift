import ResourceModel
import Store

extension ResourceType {
    /// Tags, by which APIs, operations and products are grouped.
    package static let tag = ResourceType(
        path: "tags",
        properties: [.init("displayName", .text(1...160), isRequired: true)],
        // 0 display name.
        index: { [$0["displayName"]?.string] },
        rules: { draft, _ throws(APIError) in
            draft.requirements.append(
                .unique(
                    type: "tags",
                    column: 0,
                    value: draft.properties["displayName"]?.string ?? "",
                    field: "displayName"
                )
            )
        },
        dependents: { id, store in try await LinkRules.links(to: id, store) }
    )

    package static let apiTag = link("apis/tags", to: "tags", nameRule: .identifier)
    package static let operationTag = link("apis/operations/tags", to: "tags", nameRule: .identifier)
    package static let productTag = link("products/tags", to: "tags", nameRule: .identifier)

    /// What a tag means for an API.
    package static let tagDescription = ResourceType(
        path: "apis/tagDescriptions",
        properties: [
            .init("description", .text(0...10_000)),
            .init("externalDocsUrl", .text(0...2000)),
            .init("externalDocsDescription", .text(0...10_000)),
        ],
        index: { _ in [] },
        rules: { draft, _ throws(APIError) in
            try URLRules.check("externalDocsUrl", draft.properties)
            draft.requirements.append(.exists(ResourceID(["tags", draft.id.name])))
        },
        present: { properties, context in
            var shown = properties
            if let id = context.id {
                shown["tagId"] = .string("\(context.root)/tags/\(id.name)")
                shown["displayName"] = .string(id.name)
            }
            return shown
        }
    )
}
