package import ResourceModel
import Store

extension ResourceType {
    /// Bytes of connection strings and credentials.
    private static let credentialsMax = 4096

    /// Loggers: where diagnostics would send what they see (contracts/api-management.md 1.8).
    package static let logger = ResourceType(
        path: "loggers",
        nameRule: .free,
        properties: [
            .init("loggerType", .choice(["azureEventHub", "applicationInsights", "azureMonitor"]), isRequired: true),
            .init("description", .text(0...256)),
            .init("isBuffered", .bool, default: true),
            .init("resourceId", .text(0...2000)),
            .init("credentials", .any),
        ],
        secrets: [],
        index: { [$0["loggerType"]?.string] },
        rules: { draft, _ throws(APIError) in
            let kind = draft.properties["loggerType"]?.string
            if draft.properties["credentials"] == nil, draft.before?.properties["credentials"] != nil {
                draft.properties["credentials"] = SealedRules.sealed
            }
            guard draft.properties["credentials"] != nil || kind == "azureMonitor" else {
                throw .validation("credentials", "A logger of the type \(kind ?? "") needs credentials.")
            }
            try SealedRules.seal("credentials", bytesMax: credentialsMax, &draft)
        },
        present: { properties, _ in
            var shown = properties
            shown["credentials"] = nil
            return shown
        }
    )

    /// What of calls is noted, for all APIs.
    package static let diagnostic = diagnostics("diagnostics")
    /// What of calls is noted, for one API.
    package static let apiDiagnostic = diagnostics("apis/diagnostics")

    /// External caches, which are kept and shown.
    ///
    /// The gateway's own cache stays in use.
    package static let cache = ResourceType(
        path: "caches",
        properties: [
            .init("description", .text(0...2000)),
            .init("useFromLocation", .text(1...256), isRequired: true),
            .init("resourceId", .text(0...2000)),
        ],
        secrets: [.init("connectionString", isKey: false, bytesMax: 300)],
        index: { [$0["useFromLocation"]?.string] },
        rules: { draft, _ throws(APIError) in try SecretRules.need("connectionString", draft) },
        present: { properties, _ in
            var shown = properties
            // Callers are told that there is one, by the name of a value that only the installation reads.
            shown["connectionString"] = "{{sealed}}"
            return shown
        }
    )

    private static func diagnostics(_ path: String) -> ResourceType {
        let message: PropertyRule.Kind = .object([
            .init("headers", .list(.text(1...256))),
            .init("body", .object([.init("bytes", .int(0...8192))])),
            .init("dataMasking", .object([.init("queryParams", .list(masking)), .init("headers", .list(masking))])),
        ])
        let side: PropertyRule.Kind = .object([.init("request", message), .init("response", message)])
        return ResourceType(
            path: path,
            properties: [
                .init("alwaysLog", .choice(["allErrors"])),
                .init("loggerId", .text(1...1000), isRequired: true),
                .init(
                    "sampling",
                    .object([.init("samplingType", .choice(["fixed"])), .init("percentage", .number(0...100))])
                ),
                .init("frontend", side),
                .init("backend", side),
                .init("logClientIp", .bool),
                .init("httpCorrelationProtocol", .choice(["None", "Legacy", "W3C"])),
                .init("verbosity", .choice(["verbose", "information", "error"])),
                .init("operationNameFormat", .choice(["Name", "Url"])),
                .init("metrics", .bool),
            ],
            index: { [$0["loggerId"]?.string] },
            rules: { draft, _ throws(APIError) in
                let logger = try ReferenceRules.id("loggerId", "loggers", draft.properties)
                draft.properties["loggerId"] = .string(logger.description)
                draft.requirements.append(.exists(logger))
            },
            present: { ReferenceRules.shown("loggerId", $0, $1) }
        )
    }

    private static let masking: PropertyRule.Kind = .object([
        .init("value", .text(0...1000)), .init("mode", .choice(["Mask", "Hide"])),
    ])
}

/// Properties that rest encrypted as a whole and are shown to those who manage them.
package enum SealedRules {
    /// Stands in the stored document in their place.
    package static let sealed: JSONValue = ["sealed": true]

    static func seal(_ field: String, bytesMax: Int, _ draft: inout ResourceDraft) throws(APIError) {
        guard let value = draft.properties[field], value != sealed else { return }
        guard value.object != nil else { throw .validation(field, "The value must be an object.") }
        let text = value.text
        guard text.utf8.count <= bytesMax else { throw .validation(field, "The value may have \(bytesMax) bytes.") }
        draft.secrets[field] = text
        draft.properties[field] = sealed
    }
}

/// Properties that name another resource, as a path or a full resource id.
enum ReferenceRules {
    static func id(_ field: String, _ word: String, _ properties: JSONObject) throws(APIError) -> ResourceID {
        let segments = (properties[field]?.string ?? "").split(separator: "/").map(String.init)
        guard segments.count >= 2, segments[segments.count - 2].lowercased() == word.lowercased() else {
            throw .validation(field, "The id must be /\(word)/{id}, as a path or a full resource id.")
        }
        return ResourceID([word, segments[segments.count - 1]])
    }

    /// A full id must be of this service: the resource of the same name here is another one.
    static func requireOwn(_ field: String, _ properties: JSONObject, _ context: RuleContext) throws(APIError) {
        let segments = (properties[field]?.string ?? "").lowercased().split(separator: "/").dropLast(2)
        let root = context.root.lowercased().split(separator: "/")
        // The resource group may be left out, as in paths.
        let short = Array(root.prefix(2)) + Array(root.dropFirst(4))
        guard segments.isEmpty || [root, short].contains(Array(segments)) else {
            throw .validation(field, "The id is of another service; this one is \(context.root).")
        }
    }

    static func shown(_ field: String, _ properties: JSONObject, _ context: PresentationContext) -> JSONObject {
        guard let id = properties[field]?.string, id.hasPrefix("/") else { return properties }
        var shown = properties
        shown[field] = .string(context.root + id)
        return shown
    }
}
