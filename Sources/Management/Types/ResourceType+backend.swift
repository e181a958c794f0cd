import Foundation
package import ResourceModel
import Store

extension ResourceType {
    /// Backends: where calls go, what is sent along, and when they count as broken (contracts/api-management.md 1.8).
    package static let backend = ResourceType(
        path: "backends",
        properties: [
            .init("title", .text(1...300)),
            .init("description", .text(1...2000)),
            .init("type", .choice(["Single", "Pool"]), default: "Single"),
            .init("url", .text(1...2000)),
            .init("protocol", .choice(["http", "soap"])),
            .init("resourceId", .text(1...2000)),
            .init("credentials", .any),
            .init(
                "tls",
                .object([.init("validateCertificateChain", .bool), .init("validateCertificateName", .bool)])
            ),
            .init("circuitBreaker", .object([.init("rules", .list(BackendRules.circuitRule))])),
            .init(
                "pool",
                .object([
                    .init(
                        "services",
                        .list(
                            .object([
                                .init("id", .text(1...1000), isRequired: true), .init("weight", .int(0...100)),
                                .init("priority", .int(0...100)),
                            ])
                        )
                    )
                ])
            ),
            .init("proxy", .any),
            .init("properties", .any),
        ],
        // 0 title, 1 ids of the pool's members, 2 names of certificates, one a line.
        index: { properties in
            [
                properties["title"]?.string,
                BackendRules.members(properties).map(\.id).joined(separator: "\n"),
                BackendRules.certificates(properties).joined(separator: "\n"),
            ]
        },
        rules: { draft, context throws(APIError) in try await BackendRules.check(&draft, context) },
        present: { properties, _ in
            var shown = properties
            shown[BackendRules.certificatesField] = nil
            return shown
        },
        deletionRules: { id, _, store in
            let name = id.name.lowercased()
            for entry in try await store.index(type: "backends")
            where PolicyRules.words(entry.columns[1]).contains(name) {
                throw APIError.validation("id", "The backend is used by \(entry.id).")
            }
            for entry in try await PolicyRules.documents(store) {
                guard let text = try await store.get(entry.id)?.properties["value"]?.string else { continue }
                if PolicyRules.backends(in: text).contains(name) {
                    throw APIError.validation("id", "The backend is used by \(entry.id).")
                }
            }
        },
        // The health that a backend had is forgotten: connections are made anew in any case.
        actions: [ResourceAction("reconnect") { _ in .empty(202) }]
    )
}

/// The rules of backends beyond single properties.
package enum BackendRules {
    package static let credentialsSlot = "credentials"
    /// Bytes of credentials as JSON.
    private static let credentialsMax = 64 << 10
    private static let membersMax = 30

    static let circuitRule: PropertyRule.Kind = .object([
        .init("name", .text(1...80)),
        .init("tripDuration", .text(1...40), isRequired: true),
        .init("acceptRetryAfter", .bool),
        .init(
            "failureCondition",
            .object([
                .init("count", .int(1...1_000_000)), .init("percentage", .int(1...100)),
                .init("interval", .text(1...40), isRequired: true),
                .init(
                    "statusCodeRanges",
                    .list(
                        .object([
                            .init("min", .int(200...599), isRequired: true),
                            .init("max", .int(200...599), isRequired: true),
                        ])
                    )
                ),
                .init("errorReasons", .list(.text(1...200))),
            ]),
            isRequired: true
        ),
    ])

    package struct Member: Sendable {
        /// In lower case.
        package let id: String
        package let weight: Int
        package let priority: Int
    }

    /// The members of a pool.
    package static func members(_ properties: JSONObject) -> [Member] {
        (properties["pool"]?["services"]?.array ?? []).compactMap { service in
            guard let words = service["id"]?.string?.split(separator: "/"), let name = words.last else { return nil }
            return Member(
                id: name.lowercased(),
                weight: service["weight"]?.int ?? 1,
                priority: service["priority"]?.int ?? 0
            )
        }
    }

    static func check(_ draft: inout ResourceDraft, _ context: RuleContext) async throws(APIError) {
        for refused in ["proxy", "properties"] {
            if let value = draft.properties[refused], !value.isNull {
                throw .validation(refused, "The property is not supported yet.")
            }
        }
        if draft.properties["type"]?.string == "Pool" {
            try await checkPool(&draft, context)
        } else {
            guard draft.properties["pool"] == nil else {
                throw .validation("pool", "A backend with a pool is of the type Pool.")
            }
            try checkURL(draft.properties["url"]?.string)
        }
        try checkCircuit(draft.properties["circuitBreaker"]?["rules"]?.array ?? [])
        try await takeCredentials(&draft, context)
    }

    private static func checkURL(_ text: String?) throws(APIError) {
        guard let text else { throw .validation("url", "Value cannot be null.") }
        do throws(BackendURL.Problem) {
            guard try !BackendURL(text).isWebSocket else { throw .scheme }
        } catch {
            throw .validation("url", "The value \(error.words).")
        }
    }

    private static func checkPool(_ draft: inout ResourceDraft, _ context: RuleContext) async throws(APIError) {
        let members = members(draft.properties)
        guard (1...membersMax).contains(members.count) else {
            throw .validation("pool.services", "A pool has 1 to \(membersMax) backends.")
        }
        guard Set(members.map(\.id)).count == members.count else {
            throw .validation("pool.services", "A backend may stand once in a pool.")
        }
        for member in members {
            let id = ResourceID(["backends", member.id])
            let found: Resource?
            do { found = try await context.store.get(id) } catch {
                throw APIError.inside
            }
            guard let found, found.properties["type"]?.string != "Pool" else {
                throw .validation("pool.services", "\"\(member.id)\" is no backend of the type Single.")
            }
            draft.requirements.append(.exists(id))
        }
    }

    private static func checkCircuit(_ rules: [JSONValue]) throws(APIError) {
        guard rules.count <= 1 else { throw .validation("circuitBreaker.rules", "There may be one rule.") }
        guard let rule = rules.first else { return }
        let target = "circuitBreaker.rules[0]"
        let condition = rule["failureCondition"]
        for (name, value) in [("tripDuration", rule["tripDuration"]), ("interval", condition?["interval"])] {
            guard let seconds = ISODuration.seconds(value?.string ?? ""), (1...86_400).contains(seconds) else {
                throw .validation("\(target).\(name)", "The value must be an ISO 8601 duration up to a day, as PT1M.")
            }
        }
        guard (condition?["count"]?.int == nil) != (condition?["percentage"]?.int == nil) else {
            throw .validation("\(target).failureCondition", "There must be count or percentage, and not both.")
        }
        for range in condition?["statusCodeRanges"]?.array ?? [] where range["min"]?.int ?? 0 > range["max"]?.int ?? 0 {
            throw .validation("\(target).failureCondition.statusCodeRanges", "min must not be above max.")
        }
    }

    /// Stands in stored documents beside sealed credentials: the names of the certificates among them.
    static let certificatesField = "clientCertificateNames"

    /// The names of the certificates that a backend is shown, in lower case.
    package static func certificates(_ properties: JSONObject) -> [String] {
        (properties[certificatesField]?.array ?? []).compactMap(\.string)
    }

    /// By id or thumbprint; one at most, since a connection shows one.
    private static func findCertificates(
        _ credentials: JSONObject,
        _ context: RuleContext
    ) async throws(APIError) -> [String] {
        var names: [String] = []
        for text in (credentials["certificateIds"]?.array ?? []).map({ $0.string ?? "" }) {
            names.append(
                try ReferenceRules.id(
                    "credentials.certificateIds",
                    "certificates",
                    ["credentials.certificateIds": .string(text)]
                ).name
            )
        }
        for text in (credentials["certificate"]?.array ?? []).map({ $0.string ?? "" }) {
            let found: [IndexEntry]
            do { found = try await context.store.find(type: "certificates", value: text.uppercased()) } catch {
                throw APIError.inside
            }
            guard let first = found.first else {
                throw .validation(
                    "credentials.certificate",
                    "There is no certificate of the thumbprint \(text.prefix(64))."
                )
            }
            names.append(first.id.name)
        }
        names = names.map { $0.lowercased() }
        guard Set(names).count <= 1 else {
            throw .validation("credentials.certificateIds", "A backend is shown one client certificate.")
        }
        return Array(names.prefix(1))
    }

    /// Headers, query parameters, authorization and a client certificate.
    private static func takeCredentials(
        _ draft: inout ResourceDraft,
        _ context: RuleContext
    ) async throws(APIError) {
        guard let given = draft.properties["credentials"], !given.isNull else {
            // Replaced by a document without them: what was sealed must not be sent any more.
            if draft.before?.properties["credentials"] != nil { draft.secrets[credentialsSlot] = "{}" }
            return
        }
        if given == SealedRules.sealed, let before = draft.before?.properties, before["credentials"] != nil {
            draft.properties[certificatesField] = before[certificatesField]
            return
        }
        guard let credentials = given.object else { throw .validation("credentials", "The value must be an object.") }
        let certificates = try await findCertificates(credentials, context)
        for name in certificates { draft.requirements.append(.exists(ResourceID(["certificates", name]))) }
        draft.properties[certificatesField] =
            certificates.isEmpty ? nil : .array(certificates.map { .string($0) })
        for part in ["header", "query"] {
            guard let value = credentials[part], !value.isNull else { continue }
            guard let object = value.object,
                object.members.allSatisfy({ member in
                    isName(member.name)
                        && member.value.array?.allSatisfy { $0.string.map(isValue) ?? false } ?? false
                })
            else {
                throw .validation(
                    "credentials.\(part)",
                    "The value must hold lists of texts by name, which can stand in a header."
                )
            }
        }
        if let authorization = credentials["authorization"], !authorization.isNull {
            guard let scheme = authorization["scheme"]?.string, let parameter = authorization["parameter"]?.string,
                isName(scheme), isValue(parameter), !parameter.isEmpty
            else {
                throw .validation("credentials.authorization", "Scheme and parameter are needed.")
            }
        }
        let text = given.text
        guard text.utf8.count <= credentialsMax else {
            throw .validation("credentials", "Credentials may have \(credentialsMax) bytes.")
        }
        draft.secrets[credentialsSlot] = text
        draft.properties["credentials"] = SealedRules.sealed
    }

    private static func isName(_ text: String) -> Bool {
        !text.isEmpty && text.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7F && !"\"(),/:;<=>?@[\\]{}".utf8.contains($0) }
    }

    private static func isValue(_ text: String) -> Bool { text.utf8.allSatisfy { $0 >= 0x20 && $0 != 0x7F } }
}

/// Durations of ISO 8601 without years and months, as `PT1H30M` or `P1D`.
package enum ISODuration {
    /// - Returns: whole seconds; nil where the text is no such duration.
    package static func seconds(_ text: String) -> Int64? {
        guard text.hasPrefix("P"), (3...20).contains(text.utf8.count) else { return nil }
        var total: Int64 = 0
        var digits = ""
        var isTime = false
        var hasPart = false
        for character in text.dropFirst() {
            if character == "T", !isTime, digits.isEmpty {
                isTime = true
                hasPart = false
                continue
            }
            if character.isASCII, character.isWholeNumber {
                digits.append(character)
                continue
            }
            let units: [Character: Int64] = isTime ? ["H": 3600, "M": 60, "S": 1] : ["W": 604_800, "D": 86_400]
            guard digits.utf8.count <= 9, let number = Int64(digits), let unit = units[character] else { return nil }
            total += number * unit
            digits = ""
            hasPart = true
        }
        return digits.isEmpty && hasPart ? total : nil
    }
}
