import Foundation
package import HTTPServing
package import Hummingbird
import ResourceModel
import Store

/// What the program declares of its types, and who changed what: read by the command line and by those who follow changes.
package struct DeclarationRoutes: Sendable {
    /// Changes of one answer.
    private static let changesMax = 1000

    private let service: ResourceService
    private let installation: InstallationSlot
    private let portalURL: @Sendable () -> String

    package init(
        service: ResourceService,
        installation: InstallationSlot,
        portalURL: @Sendable @escaping () -> String
    ) {
        self.service = service
        self.installation = installation
        self.portalURL = portalURL
    }

    /// Where the instance stands at the ARM door.
    private func instanceURL() -> String { portalURL() + installation.current.root }

    package func addRoutes(to router: Router<ServingContext>) {
        let group = router.group().add(middleware: AccessMiddleware(.administrator))
        group.get("/api/types") { _, _ -> Response in
            .json(["value": .array(ResourceTypes.all.map(Self.declaration))])
        }
        group.get("/api/openapi.json") { request, _ -> Response in
            switch request.query("door") ?? "arm" {
            case "arm": return .json(ManagementAPI().document(server: instanceURL()))
            case "direct": return .json(ManagementAPI(shape: .direct).document(server: portalURL() + DirectShape.path))
            default: throw APIError.validation("door", "The value must be one of arm, direct.")
            }
        }
        group.get("/api/changes") { request, _ -> Response in
            try await changes(request)
        }
    }

    /// `since` is the sequence of the last change that the caller knows; changes come in the order of their commits, each once.
    private func changes(_ request: Request) async throws -> Response {
        func number(_ name: String, _ fallback: Int, _ range: ClosedRange<Int>) throws(APIError) -> Int {
            guard let text = request.query(name) else { return fallback }
            guard let value = Int(text), range.contains(value) else {
                throw .validation(
                    name,
                    "The value must be a whole number from \(range.lowerBound) to \(range.upperBound)."
                )
            }
            return value
        }
        let since = try number("since", 0, 0...Int.max)
        let limit = try number("limit", Self.changesMax, 1...Self.changesMax)
        let entries = try await service.store.audit(since: Int64(since), limit: limit)
        let values = entries.map { entry -> JSONValue in
            let time = Date(timeIntervalSince1970: Double(entry.time) / 1000)
            return [
                "sequence": .int(Int(entry.change.sequence)), "id": .string(entry.change.id.description),
                "action": entry.change.isDeletion ? "delete" : "put",
                "time": .string(time.formatted(Date.ISO8601FormatStyle(includingFractionalSeconds: true))),
                "actor": .string(entry.actor),
            ]
        }
        return .json(["value": .array(values), "last": .int(Int(entries.last?.change.sequence ?? Int64(since)))])
    }

    private static func declaration(_ type: ResourceType) -> JSONValue {
        let words = type.path.split(separator: "/").map { noun(String($0)) }
        return [
            "path": .string(type.path), "noun": .string(words.joined(separator: "-")),
            "parents": .array(words.dropLast().map { .string($0) }), "isClosed": .bool(type.isClosed),
            "properties": .array(type.properties.filter { !$0.isReadOnly }.map(property)),
            "secrets": .array(type.secrets.map { .string($0.property) }),
            "actions": .array(type.actions.map { .string($0.name) }),
        ]
    }

    private static func property(_ rule: PropertyRule) -> JSONValue {
        var shown: JSONObject = ["name": .string(rule.name), "isRequired": .bool(rule.isRequired)]
        switch rule.kind {
        case .text: shown["kind"] = "text"
        case .choice(let words):
            shown["kind"] = "text"
            shown["words"] = .array(words.map { .string($0) })
        case .bool: shown["kind"] = "bool"
        case .int, .number: shown["kind"] = "number"
        case .words(let words):
            shown["kind"] = "words"
            shown["words"] = .array(words.map { .string($0) })
        case .list, .object, .any: shown["kind"] = "document"
        }
        return .object(shown)
    }

    /// A type word as the command line says it: one of them, in lower case with dashes.
    static func noun(_ word: String) -> String {
        let exceptions = [
            "apis": "api", "policies": "policy", "tenant": "tenant-access", "portalsettings": "portal-setting",
            "openidConnectProviders": "openid-connect-provider", "certificateAuthorities": "certificate-authority",
        ]
        if let known = exceptions[word] { return known }
        var noun = ""
        for character in word {
            if character.isUppercase { noun += "-" }
            noun += character.lowercased()
        }
        return noun.hasSuffix("s") ? String(noun.dropLast()) : noun
    }
}
