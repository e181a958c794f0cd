import ResourceModel
import Store

extension ResourceType {
    private static let settingNames = ["signin", "signup", "delegation"]

    /// Settings of the developer portal: one of three, each with its own properties (contracts/api-management.md 1.2).
    package static let portalSetting = ResourceType(
        path: "portalsettings",
        nameRule: .oneOf(settingNames),
        properties: [
            .init("enabled", .bool),
            .init(
                "termsOfService",
                .object([
                    .init("text", .text(0...100_000)), .init("enabled", .bool), .init("consentRequired", .bool),
                ])
            ),
            // Addresses of functions carry their keys.
            .init("url", .text(0...2000), isSealed: true),
            .init("subscriptions", .object([.init("enabled", .bool)])),
            .init("userRegistration", .object([.init("enabled", .bool)])),
        ],
        secrets: [.init("validationKey", isKey: false, bytesMax: 512)],
        index: { _ in [] },
        rules: { draft, _ throws(APIError) in
            let known: [String: Set<String>] = [
                "signin": ["enabled"], "signup": ["enabled", "termsOfService"],
                "delegation": ["url", "subscriptions", "userRegistration"],
            ]
            let own = known[draft.id.name.lowercased()] ?? []
            for field in draft.properties.names where !own.contains(field) { draft.properties[field] = nil }
            try URLRules.check("url", draft.properties)
        },
        builtIn: [
            BuiltIn("signin", ["enabled": false]),
            BuiltIn(
                "signup",
                ["enabled": true, "termsOfService": ["text": "", "enabled": false, "consentRequired": false]]
            ),
            BuiltIn("delegation", ["subscriptions": ["enabled": false], "userRegistration": ["enabled": false]]),
        ],
        isClosed: true,
        actions: [.listing(["validationKey"])],
        statuses: Statuses(patch: 204)
    )

    /// What publishers are told of by mail (contracts/api-management.md 1.9).
    package static let notification = ResourceType(
        path: "notifications",
        nameRule: .oneOf(PortalTexts.notifications.map(\.name)),
        properties: [.init("title", .text(0...1000)), .init("description", .text(0...10_000))],
        index: { [$0["title"]?.string] },
        rules: { draft, _ throws(APIError) in
            // A PUT carries no body: the words are the service's own.
            if let before = draft.before { draft.properties = before.properties }
        },
        builtIn: PortalTexts.notifications.map {
            BuiltIn($0.name, ["title": .string($0.title), "description": .string($0.description)])
        },
        isClosed: true
    )

    package static let recipientUser = link("notifications/recipientUsers", to: "users", statuses: .place)

    package static let recipientEmail = ResourceType(
        path: "notifications/recipientEmails",
        nameRule: .address,
        properties: [],
        index: { _ in [] },
        present: { _, context in context.id.map { ["email": .string($0.name)] } ?? [:] },
        statuses: .place
    )

    /// Mails to developers: words that may be changed, and put back by DELETE (contracts/api-management.md 1.9).
    package static let template = ResourceType(
        path: "templates",
        nameRule: .oneOf(PortalTexts.templates.map(\.name)),
        properties: [
            .init("subject", .text(1...1000), isRequired: true),
            .init("body", .text(1...100_000), isRequired: true),
            .init("title", .text(0...1000)),
            .init("description", .text(0...10_000)),
            .init("isDefault", .bool),
            .init(
                "parameters",
                .list(
                    .object([
                        .init("name", .text(1...256)), .init("title", .text(0...4096)),
                        .init("description", .text(0...256)),
                    ])
                )
            ),
        ],
        // 0 title.
        index: { [$0["title"]?.string] },
        rules: { draft, _ throws(APIError) in
            let words = PortalTexts.templates.first { $0.name.lowercased() == draft.id.name.lowercased() }
            let isAsBuilt =
                draft.properties["subject"]?.string == words?.subject && draft.properties["body"]?.string == words?.body
            draft.properties["isDefault"] = .bool(isAsBuilt)
            for field in ["title", "description", "parameters"] where draft.properties[field] == nil {
                draft.properties[field] = draft.before?.properties[field]
            }
        },
        builtIn: PortalTexts.templates.map { words in
            BuiltIn(
                words.name,
                [
                    "subject": .string(words.subject), "body": .string(words.body), "title": .string(words.title),
                    "description": .string(words.description), "isDefault": true,
                    "parameters": .array(
                        words.parameters.map { ["name": .string($0), "title": .string(PortalTexts.title(of: $0))] }
                    ),
                ]
            )
        },
        isClosed: true
    )
}

/// Our own words for the contract's events and mails.
enum PortalTexts {
    static let notifications: [(name: String, title: String, description: String)] = [
        (
            "RequestPublisherNotificationMessage", "Subscription requests (requiring approval)",
            "Tells of requests for products whose subscriptions need an approval."
        ),
        ("PurchasePublisherNotificationMessage", "New subscriptions", "Tells of new subscriptions to products."),
        (
            "NewApplicationNotificationMessage", "Application gallery requests",
            "Tells of applications that were handed in for the gallery."
        ),
        ("BCC", "BCC", "Gets blind copies of all mails to developers."),
        (
            "NewIssuePublisherNotificationMessage", "New issue or comment",
            "Tells of issues and comments that were written in the developer portal."
        ),
        ("AccountClosedPublisher", "Close account message", "Tells of developers who closed their account."),
        (
            "QuotaLimitApproachingPublisherNotificationMessage", "Approaching subscription quota limit",
            "Tells of subscriptions that have nearly used up their quota."
        ),
    ]

    struct Mail: Sendable {
        let name: String
        let title: String
        let description: String
        let subject: String
        /// The paragraphs between greeting and signature.
        let text: String
        let more: [String]

        var parameters: [String] { ["OrganizationName", "DevFirstName", "DevLastName", "DevPortalUrl"] + more }
        var body: String {
            "<!DOCTYPE html>\n<html>\n<body>\n<p>Dear $DevFirstName $DevLastName,</p>\n\(text)\n"
                + "<p>$OrganizationName<br /><a href=\"$DevPortalUrl\">$DevPortalUrl</a></p>\n</body>\n</html>\n"
        }
    }

    static let templates: [Mail] = [
        mail(
            "applicationApprovedNotificationMessage",
            "Application gallery submission approved",
            "Tells developers that their application stands in the gallery.",
            "Your application $AppName is in the gallery",
            "<p>Your application $AppName was approved.</p>",
            ["AppId", "AppName"]
        ),
        mail(
            "accountClosedDeveloper",
            "Developer farewell letter",
            "Says good-bye to developers who closed their account.",
            "Your account at $OrganizationName is closed",
            "<p>Your account was closed as you asked for.</p>"
        ),
        mail(
            "quotaLimitApproachingDeveloperNotificationMessage",
            "Developer quota limit approaching notification",
            "Tells developers that a quota is nearly used up.",
            "Your quota of $ProdName is nearly used up",
            "<p>Your subscription to $ProdName has used up $QuotaPercent % of its quota.</p>",
            ["ProdName", "QuotaPercent"]
        ),
        mail(
            "newDeveloperNotificationMessage",
            "Developer welcome letter",
            "Welcomes developers who have signed up.",
            "Welcome to the APIs of $OrganizationName",
            "<p>Your account is ready. You sign in as $DevUsername.</p>",
            ["DevUsername"]
        ),
        mail(
            "emailChangeIdentityDefault",
            "Email change notification",
            "Asks developers to confirm a new address.",
            "Please confirm your new e-mail address",
            "<p>Please <a href=\"$ConfirmUrl\">confirm the new address</a>.</p>",
            ["ConfirmUrl", "ConfirmQuery"]
        ),
        mail(
            "inviteUserNotificationMessage",
            "Invite user",
            "Invites somebody to the developer portal.",
            "You are invited to the APIs of $OrganizationName",
            "<p>Your account is prepared. Please <a href=\"$ConfirmUrl\">choose a password</a> within two days.</p>",
            ["ConfirmUrl", "ConfirmQuery"]
        ),
        mail(
            "newCommentNotificationMessage",
            "New comment added to an issue",
            "Tells developers of a comment on their issue.",
            "A comment on $IssueName",
            "<p>$CommenterFirstName $CommenterLastName wrote on $IssueName:</p>\n<p>$CommentText</p>",
            ["IssueId", "IssueName", "CommentText", "CommenterFirstName", "CommenterLastName"]
        ),
        mail(
            "confirmSignUpIdentityDefault",
            "New developer account confirmation",
            "Asks developers to confirm their address.",
            "Please confirm your account at $OrganizationName",
            "<p>Please <a href=\"$ConfirmUrl\">confirm your address</a> to finish signing up.</p>",
            ["ConfirmUrl", "ConfirmQuery"]
        ),
        mail(
            "newIssueNotificationMessage",
            "New issue received",
            "Tells developers that their issue has arrived.",
            "We have received $IssueName",
            "<p>Thank you for telling us. Your issue is $IssueName.</p>",
            ["IssueId", "IssueName"]
        ),
        mail(
            "purchaseDeveloperNotificationMessage",
            "New subscription activated",
            "Tells developers that they may use a product.",
            "Your subscription to $ProdName is active",
            "<p>Your subscription $SubscriptionName to $ProdName is active.</p>",
            ["ProdName", "SubscriptionName"]
        ),
        mail(
            "passwordResetIdentityDefault",
            "Password change confirmation",
            "Lets developers choose a new password.",
            "Your new password at $OrganizationName",
            "<p>Somebody asked for a new password. If it was you, <a href=\"$ConfirmUrl\">choose it here</a>.</p>",
            ["ConfirmUrl", "ConfirmQuery"]
        ),
        mail(
            "passwordResetByAdminNotificationMessage",
            "Password reset by an administrator notification",
            "Lets developers choose a password where an administrator asked for it.",
            "Your password at $OrganizationName was reset",
            "<p>An administrator reset your password. Please <a href=\"$ConfirmUrl\">choose a new one</a>.</p>",
            ["ConfirmUrl", "ConfirmQuery"]
        ),
        mail(
            "rejectDeveloperNotificationMessage",
            "Subscription request declined",
            "Tells developers that a request was declined.",
            "Your request for $ProdName was declined",
            "<p>Your request for $ProdName was declined.</p>\n<p>$RejectionReason</p>",
            ["ProdName", "RejectionReason"]
        ),
        mail(
            "requestDeveloperNotificationMessage",
            "Subscription request received",
            "Tells developers that their request has arrived.",
            "We have received your request for $ProdName",
            "<p>Your request for $ProdName waits for an approval.</p>",
            ["ProdName"]
        ),
    ]

    private static func mail(
        _ name: String,
        _ title: String,
        _ description: String,
        _ subject: String,
        _ text: String,
        _ more: [String] = []
    ) -> Mail {
        Mail(name: name, title: title, description: description, subject: subject, text: text, more: more)
    }

    /// A parameter's name in words.
    static func title(of parameter: String) -> String {
        var words = ""
        for character in parameter {
            if character.isUppercase, !words.isEmpty { words += " " }
            words += words.isEmpty ? String(character) : character.lowercased()
        }
        return words
    }
}
