import Foundation
import ResourceModel
import Store

extension ResourceType {
    /// APIs: where they are found at the gateway and where their calls go (contracts/api-management.md 1.3).
    package static let api = ResourceType(
        path: "apis",
        nameRule: .api,
        properties: [
            .init("displayName", .text(1...300), isRequired: true),
            .init("description", .text(0...100_000)),
            .init("apiRevision", .text(1...100), default: "1"),
            .init("apiRevisionDescription", .text(0...256)),
            .init("apiVersion", .text(0...100)),
            .init("apiVersionDescription", .text(0...256)),
            .init("isCurrent", .bool, default: true),
            .init("subscriptionRequired", .bool, default: true),
            .init("serviceUrl", .text(0...2000)),
            .init("path", .text(0...400), isRequired: true),
            .init("protocols", .words(["http", "https", "ws", "wss"]), default: ["https"]),
            .init("type", .choice(["http", "soap", "websocket", "graphql"]), default: "http"),
            .init(
                "subscriptionKeyParameterNames",
                .object([.init("header", .text(1...256)), .init("query", .text(1...256))]),
                default: ["header": "Ocp-Apim-Subscription-Key", "query": "subscription-key"]
            ),
            .init("authenticationSettings", .any),
            .init("contact", .any),
            .init("license", .any),
            .init("termsOfServiceUrl", .text(0...2000)),
        ],
        // 0 path, 1 upstream, 2 protocols, 3 whether a key is needed, and the display name, 4 key names; the path is kept for uniqueness and for the routes.
        index: { properties in
            let names = properties["subscriptionKeyParameterNames"]
            let protocols = (properties["protocols"]?.array ?? []).compactMap(\.string).joined(separator: ",")
            return [
                (properties["path"]?.string ?? "").lowercased(), properties["serviceUrl"]?.string, protocols,
                (properties["subscriptionRequired"]?.bool == false ? "open " : "key ")
                    + (properties["displayName"]?.string ?? ""),
                names?["header"]?.string, names?["query"]?.string,
            ]
        },
        rules: { draft, context throws(APIError) in
            try APIRules.checkPath(&draft)
            try APIRules.checkServiceURL(&draft, context)
            if draft.properties["isCurrent"]?.bool ?? true {
                draft.requirements.append(
                    .unique(
                        type: "apis",
                        column: 0,
                        value: (draft.properties["path"]?.string ?? "").lowercased(),
                        field: "path"
                    )
                )
            }
        },
        present: { properties, context in
            var shown = properties
            if let url = properties["serviceUrl"]?.string, url.hasPrefix(APIRules.localServices) {
                shown["serviceUrl"] = .string(context.servicesURL + url.dropFirst(APIRules.localServices.count))
            }
            return shown
        },
        dependents: { id, store in
            // Its places in products go with it.
            var links: [ResourceID] = []
            for entry in try await store.index(type: "products/apis")
            where entry.id.name.lowercased() == id.name.lowercased() {
                links.append(entry.id)
            }
            return links
        }
    )
}

/// The rules of APIs beyond single properties.
package enum APIRules {
    /// What stands in a stored serviceUrl for the web services of this installation, so that other ports at the next start
    /// change nothing.
    package static let localServices = "gatehouse://services"

    static func checkPath(_ draft: inout ResourceDraft) throws(APIError) {
        let given = draft.properties["path"]?.string ?? ""
        let path = given.split(separator: "/", omittingEmptySubsequences: true).joined(separator: "/")
        guard path.utf8.allSatisfy({ $0 > 0x20 && $0 != 0x7F && $0 != 0x3F && $0 != 0x23 && $0 < 0x80 }) else {
            throw .validation("path", "The path must be made of segments of a URL, without query or fragment.")
        }
        guard !path.contains(";") else { throw .validation("path", "The path must not contain \";\".") }
        draft.properties["path"] = .string(path)
    }

    static func checkServiceURL(_ draft: inout ResourceDraft, _ context: RuleContext) throws(APIError) {
        guard let text = draft.properties["serviceUrl"]?.string, !text.isEmpty else { return }
        if text.hasPrefix(localServices) { return }
        if text == context.servicesURL || text.hasPrefix(context.servicesURL + "/") {
            let rest = text.dropFirst(context.servicesURL.count)
            draft.properties["serviceUrl"] = .string(localServices + (rest == "/" ? "" : rest))
            return
        }
        guard let url = URL(string: text), let scheme = url.scheme?.lowercased(),
            ["http", "https", "ws", "wss"].contains(scheme),
            let host = url.host, !host.isEmpty, url.user == nil, url.query == nil, url.fragment == nil
        else {
            throw .validation("serviceUrl", "The service URL must be an absolute URL of http or https without query.")
        }
    }
}
