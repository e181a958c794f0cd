import Foundation
import ResourceModel
import Store

extension ResourceType {
    /// What callers told of an API, to be discussed.
    package static let issue = ResourceType(
        path: "apis/issues",
        nameRule: .free,
        properties: [
            .init("title", .text(1...1000), isRequired: true),
            .init("description", .text(1...100_000), isRequired: true),
            .init("userId", .text(1...300), isRequired: true),
            .init("state", .choice(["proposed", "open", "removed", "resolved", "closed"]), default: "proposed"),
            .init("createdDate", .text(1...40)),
            .init("apiId", .text(1...1000)),
        ],
        // 0 state.
        index: { [$0["state"]?.string] },
        rules: { draft, context throws(APIError) in
            try IssueRules.takeUser(&draft, context)
            draft.properties["apiId"] = .string("/apis/\(draft.id.segments[1])")
        },
        present: { ReferenceRules.shown("apiId", ReferenceRules.shown("userId", $0, $1), $1) }
    )

    package static let issueComment = ResourceType(
        path: "apis/issues/comments",
        nameRule: .free,
        properties: [
            .init("text", .text(1...100_000), isRequired: true),
            .init("userId", .text(1...300), isRequired: true),
            .init("createdDate", .text(1...40)),
        ],
        index: { _ in [] },
        rules: { draft, context throws(APIError) in try IssueRules.takeUser(&draft, context) },
        present: { ReferenceRules.shown("userId", $0, $1) }
    )

    package static let issueAttachment = ResourceType(
        path: "apis/issues/attachments",
        nameRule: .free,
        properties: [
            .init("title", .text(1...1000), isRequired: true),
            .init("contentFormat", .text(1...100), isRequired: true),
            .init("content", .text(1...IssueRules.attachmentMax), isRequired: true),
        ],
        index: { [$0["title"]?.string] },
        rules: { draft, _ throws(APIError) in
            guard Data(base64Encoded: draft.properties["content"]?.string ?? "") != nil else {
                throw .validation("content", "The value must be base64.")
            }
        }
    )
}

enum IssueRules {
    /// Characters of an attachment in base64: three quarters of them are its bytes.
    static let attachmentMax = 1 << 20

    static func takeUser(_ draft: inout ResourceDraft, _ context: RuleContext) throws(APIError) {
        let user = try ReferenceRules.id("userId", "users", draft.properties)
        draft.properties["userId"] = .string(user.description)
        draft.requirements.append(.exists(user))
        if draft.properties["createdDate"] == nil { draft.properties["createdDate"] = .string(context.now) }
    }
}
