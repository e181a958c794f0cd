package import ResourceModel
package import Store

/// One type of managed resource, declared: its schema, its rules and its flat columns.
///
/// Adding a type is a file and a line in `ResourceTypes`.
package struct ResourceType: Sendable {
    /// Type words below the service, as `apis/operations`.
    package let path: String
    /// What a name may look like.
    package let nameRule: NameRule
    package let properties: [PropertyRule]
    /// Secret slots; a secret is never part of a document.
    package let secrets: [SecretRule]
    /// What must be true beyond single properties; may complete the draft.
    package let rules: @Sendable (inout ResourceDraft, RuleContext) async throws(APIError) -> Void
    /// The flat columns: what start-up and look-ups read.
    package let index: @Sendable (JSONObject) -> [String?]
    /// Shows stored properties to clients.
    package let present: @Sendable (JSONObject, PresentationContext) -> JSONObject
    /// Which resources elsewhere go when one of this type goes.
    package let dependents: @Sendable (ResourceID, any ResourceStore) async throws -> [ResourceID]
    /// What must hold before one is deleted.
    package let deletionRules: @Sendable (ResourceID, DeletionRequest, any ResourceStore) async throws -> Void

    package init(
        path: String,
        nameRule: NameRule = .identifier,
        properties: [PropertyRule],
        secrets: [SecretRule] = [],
        index: @Sendable @escaping (JSONObject) -> [String?],
        rules: @Sendable @escaping (inout ResourceDraft, RuleContext) async throws(APIError) -> Void = { _, _ in },
        present: @Sendable @escaping (JSONObject, PresentationContext) -> JSONObject = { properties, _ in properties },
        dependents: @Sendable @escaping (ResourceID, any ResourceStore) async throws -> [ResourceID] = { _, _ in [] },
        deletionRules: @Sendable @escaping (ResourceID, DeletionRequest, any ResourceStore) async throws -> Void = {
            _,
            _,
            _ in
        }
    ) {
        self.path = path
        self.nameRule = nameRule
        self.properties = properties
        self.secrets = secrets
        self.index = index
        self.rules = rules
        self.present = present
        self.dependents = dependents
        self.deletionRules = deletionRules
    }
}

/// What a resource is about to become.
package struct ResourceDraft: Sendable {
    package let id: ResourceID
    package var properties: JSONObject
    package let before: Resource?
    /// Plain texts of secrets to be set, by slot.
    package var secrets: [String: String]
    package var requirements: [ResourceWrite.Requirement] = []
}

/// What rules may look at.
package struct RuleContext: Sendable {
    package let store: any ResourceStore
    /// Where this installation's web services are reached, without a closing slash.
    package let servicesURL: String
    /// ISO 8601 now.
    package let now: String
    /// The plain text of a resource's secret slot.
    package let secret: @Sendable (ResourceID, String) async throws -> String?
    /// The text at an address, up to so many bytes.
    package let fetch: @Sendable (_ url: String, _ bytesMax: Int) async throws(APIError) -> String
}

/// What the presentation of a document depends on.
package struct PresentationContext: Sendable {
    package let servicesURL: String
    /// `/subscriptions/…/service/name`.
    package let root: String
}

/// The words of a DELETE beside its path.
package struct DeletionRequest: Sendable {
    package var takesSubscriptions = false
}

package struct SecretRule: Sendable {
    /// The property that carries it in requests.
    package let property: String
    /// Whether callers present it, so that it is found by its hash.
    package let isKey: Bool
    package let bytesMax: Int

    package init(_ property: String, isKey: Bool, bytesMax: Int) {
        self.property = property
        self.isKey = isKey
        self.bytesMax = bytesMax
    }
}

/// Rules for the last segment of an id.
package enum NameRule: Sendable {
    /// 1 to 80 letters, digits, dashes and underscores, begun and ended by neither dash.
    case identifier
    /// As above, up to 256 characters and with `;rev=N` allowed: names of APIs.
    case api
    /// 1 to 256 characters but `*#&+:<>?`.
    case free
    /// The one name that a scope's policy document has.
    case policy

    package func check(_ name: String) throws(APIError) {
        let isValid: Bool
        switch self {
        case .identifier:
            isValid = (1...80).contains(name.count) && name.utf8.allSatisfy(NameRule.isWord)
        case .api:
            let bare = name.split(separator: ";", maxSplits: 1, omittingEmptySubsequences: false)[0]
            isValid =
                (1...256).contains(name.count) && !bare.isEmpty && !bare.utf8.contains { "*#&+:<>?".utf8.contains($0) }
        case .policy: isValid = name.lowercased() == "policy"
        case .free:
            isValid = (1...256).contains(name.count) && !name.utf8.contains { "*#&+:<>?".utf8.contains($0) }
        }
        guard isValid else {
            throw .validation("name", "The name \"\(name.prefix(80))\" breaks the rule for names of this type.")
        }
    }

    private static func isWord(_ byte: UInt8) -> Bool {
        (0x30...0x39).contains(byte) || (0x41...0x5A).contains(byte) || (0x61...0x7A).contains(byte)
            || byte == 0x2D || byte == 0x5F
    }
}
