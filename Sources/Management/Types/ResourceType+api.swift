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
            .init("apiVersionSetId", .text(1...300)),
            .init("isCurrent", .bool, default: true),
            .init("isOnline", .bool, default: true),
            .init("sourceApiId", .text(1...1000)),
            // Our own: bytes of a request's body that the gateway takes for this API.
            .init("requestBodyBytesMax", .int(0...(1 << 40))),
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
        // 0 path with version set and version, 1 upstream, 2 protocols and the most of a body, 3 whether a key is needed, revision, whether it is the
        // current one or offline, display name; 4 and 5 names of the key. Those of several parts are separated by tabs.
        index: { properties in
            let names = properties["subscriptionKeyParameterNames"]
            var words = (properties["protocols"]?.array ?? []).compactMap(\.string)
            if let most = properties["requestBodyBytesMax"]?.int { words.append("body=\(most)") }
            let protocols = words.joined(separator: ",")
            return [
                APIRules.place(properties), properties["serviceUrl"]?.string, protocols,
                [
                    properties["subscriptionRequired"]?.bool == false ? "open" : "key",
                    properties["apiRevision"]?.string ?? "1",
                    properties["isOnline"]?.bool == false
                        ? "offline" : properties["isCurrent"]?.bool == false ? "other" : "current",
                    properties["displayName"]?.string ?? "",
                ].joined(separator: "\t"),
                names?["header"]?.string, names?["query"]?.string,
            ]
        },
        prepare: { id, given, before, context throws(APIError) in
            try await RevisionRules.prepare(id, given, before, context)
        },
        rules: { draft, context throws(APIError) in
            try APIRules.checkRevision(&draft)
            try await RevisionRules.checkNumber(draft, context)
            APIRules.addHandshake(&draft)
            try APIRules.checkVersion(&draft)
            try APIRules.checkPath(&draft)
            try APIRules.checkServiceURL(&draft, context)
            try await RevisionRules.handOn(&draft, context)
            if draft.properties["isCurrent"]?.bool ?? true {
                // Its own revisions stand at the same path.
                draft.requirements.append(
                    .unique(
                        type: "apis",
                        column: 0,
                        value: APIRules.place(draft.properties),
                        field: "path",
                        besides: draft.id.key + ";"
                    )
                )
            }
        },
        present: { properties, context in
            var shown = properties
            if let url = properties["serviceUrl"]?.string, url.hasPrefix(APIRules.localServices) {
                shown["serviceUrl"] = .string(context.servicesURL + url.dropFirst(APIRules.localServices.count))
            }
            if let set = properties["apiVersionSetId"]?.string {
                shown["apiVersionSetId"] = .string(context.root + set)
            }
            return shown
        },
        dependents: { id, store in
            // Its places in products and its revisions go with it.
            var links: [ResourceID] = []
            let revisions = id.name.lowercased() + ";"
            for entry in try await store.index(type: "apis") where entry.id.name.lowercased().hasPrefix(revisions) {
                links.append(entry.id)
            }
            links += try await LinkRules.links(to: id, store)
            return links
        },
        statuses: Statuses(delete: 204)
    )
}

/// The rules of APIs beyond single properties.
package enum APIRules {
    /// What stands in a stored serviceUrl for the web services of this installation, so that other ports at the next start
    /// change nothing.
    package static let localServices = "gatehouse://services"

    /// What no two current APIs may share: the path, and the version where there is one.
    static func place(_ properties: JSONObject) -> String {
        let path = (properties["path"]?.string ?? "").lowercased()
        guard let set = properties["apiVersionSetId"]?.string, let version = properties["apiVersion"]?.string else {
            return path
        }
        return [path, ResourceID(set).name.lowercased(), version.lowercased()].joined(separator: "\t")
    }

    /// A name as `echo;rev=2` is that of a revision: it is not the current one, and its number stands in it.
    static func checkRevision(_ draft: inout ResourceDraft) throws(APIError) {
        guard draft.id.name.contains(";") else {
            draft.properties["isCurrent"] = true
            return
        }
        guard let name = RevisionName(draft.id.name) else {
            throw .validation("name", "A revision is named by the API's id and \";rev=\" with a number.")
        }
        draft.requirements.append(.exists(name.apiID))
        draft.properties["apiRevision"] = .string(name.number)
        draft.properties["isCurrent"] = false
    }

    /// A WebSocket API has the one operation that its connections begin with, as soon as it is there.
    static func addHandshake(_ draft: inout ResourceDraft) {
        guard draft.properties["type"] == "websocket", draft.before == nil, draft.alongside.isEmpty else { return }
        draft.alongside.append(
            ResourceType.operation.write(
                ResourceID(draft.id.segments + ["operations", "onHandshake"]),
                [
                    "displayName": "onHandshake", "method": "GET", "urlTemplate": "/*", "templateParameters": [],
                    "responses": [],
                ]
            )
        )
    }

    /// A version belongs to a version set, and a set's API has a version.
    static func checkVersion(_ draft: inout ResourceDraft) throws(APIError) {
        let version = draft.properties["apiVersion"]?.string ?? ""
        if version.isEmpty { draft.properties["apiVersion"] = nil }
        guard let set = draft.properties["apiVersionSetId"]?.string else {
            guard version.isEmpty else {
                throw .validation("apiVersionSetId", "An API with a version needs its version set.")
            }
            return
        }
        guard !version.isEmpty else { throw .validation("apiVersion", "An API of a version set needs a version.") }
        guard version.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F && !"/?#;%&=+".utf8.contains($0) }) else {
            throw .validation("apiVersion", "The version must be made of characters of a segment of a URL.")
        }
        let segments = set.split(separator: "/").map(String.init)
        guard segments.count >= 2, segments[segments.count - 2].lowercased() == "apiversionsets" else {
            throw .validation(
                "apiVersionSetId",
                "The id must be /apiVersionSets/{id}, as a path or a full resource id."
            )
        }
        let id = ResourceID(["apiVersionSets", segments[segments.count - 1]])
        draft.properties["apiVersionSetId"] = .string(id.description)
        draft.requirements.append(.exists(id))
    }

    /// A path without slashes at its ends and beside each other.
    static func trimmed(path: String) -> String {
        path.split(separator: "/", omittingEmptySubsequences: true).joined(separator: "/")
    }

    static func checkPath(_ draft: inout ResourceDraft) throws(APIError) {
        let path = trimmed(path: draft.properties["path"]?.string ?? "")
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
        do throws(BackendURL.Problem) { _ = try BackendURL(text) } catch {
            throw .validation("serviceUrl", "The service URL \(error.words).")
        }
    }
}
