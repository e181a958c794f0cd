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
    /// Reads a body that is a document of another kind, as a description to import, before its properties are looked at; gives them with
    /// what is written in the same transaction.
    package let prepare:
        @Sendable (ResourceID, JSONObject, Resource?, RuleContext) async throws(APIError) -> PreparedBody
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
    /// What every instance holds of this type (contracts/api-management.md 1.2).
    package let builtIn: [BuiltIn]
    /// Whether only what is built in exists; deleting one puts it back as it was.
    package let isClosed: Bool
    /// Whether what a deletion's rules and dependents read must still hold when it is written.
    package let deletesAsRead: Bool
    /// POSTs on one resource.
    package let actions: [ResourceAction]
    /// The type whose resource of the same name one of this type stands for, as an API's place in a product; nil for ordinary types.
    package let link: String?
    /// What the clients of the contract take for done.
    package let statuses: Statuses

    /// Statuses that tell clients that something was done.
    package struct Statuses: Sendable {
        /// Of a HEAD that finds the resource.
        var head = 200
        var patch = 200
        var delete = 200
        /// Of places of one resource at another: a HEAD asks whether there is one.
        static let place = Statuses(head: 204)
    }

    /// A write of a document that is known to be good, without secrets.
    func write(
        _ id: ResourceID,
        _ properties: JSONObject,
        condition: ResourceWrite.Condition = .none
    ) -> ResourceWrite {
        ResourceWrite(id, .put(properties: properties, index: index(properties), secrets: []), condition: condition)
    }

    /// One that every instance holds.
    package struct BuiltIn: Sendable {
        package let name: String
        package let properties: JSONObject

        package init(_ name: String, _ properties: JSONObject) {
            self.name = name
            self.properties = properties
        }
    }

    package init(
        path: String,
        nameRule: NameRule = .identifier,
        properties: [PropertyRule],
        secrets: [SecretRule] = [],
        index: @Sendable @escaping (JSONObject) -> [String?],
        prepare:
            @Sendable @escaping (ResourceID, JSONObject, Resource?, RuleContext) async throws(APIError) -> PreparedBody =
            {
                _,
                given,
                _,
                _ in PreparedBody(properties: given)
            },
        rules: @Sendable @escaping (inout ResourceDraft, RuleContext) async throws(APIError) -> Void = { _, _ in },
        present: @Sendable @escaping (JSONObject, PresentationContext) -> JSONObject = { properties, _ in properties },
        dependents: @Sendable @escaping (ResourceID, any ResourceStore) async throws -> [ResourceID] = { _, _ in [] },
        deletionRules: @Sendable @escaping (ResourceID, DeletionRequest, any ResourceStore) async throws -> Void = {
            _,
            _,
            _ in
        },
        builtIn: [BuiltIn] = [],
        isClosed: Bool = false,
        deletesAsRead: Bool = false,
        actions: [ResourceAction] = [],
        link: String? = nil,
        statuses: Statuses = Statuses()
    ) {
        self.prepare = prepare
        self.builtIn = builtIn
        self.isClosed = isClosed
        self.deletesAsRead = deletesAsRead
        self.actions = actions
        self.link = link
        self.statuses = statuses
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

/// A body that was read: the properties that it means, and what is written with them.
package struct PreparedBody: Sendable {
    package var properties: JSONObject
    package var alongside: [ResourceWrite] = []
    package var requirements: [ResourceWrite.Requirement] = []

    package init(properties: JSONObject) { self.properties = properties }
}

/// What a resource is about to become.
package struct ResourceDraft: Sendable {
    package let id: ResourceID
    package var properties: JSONObject
    package let before: Resource?
    /// Plain texts of secrets to be set, by slot.
    package var secrets: [String: String]
    package var requirements: [ResourceWrite.Requirement] = []
    /// What else is written in the same transaction.
    package var alongside: [ResourceWrite] = []
}

/// A POST on a resource, declared with its type.
package struct ResourceAction: Sendable {
    /// As the contract writes it; compared without case.
    package let name: String
    package let run: @Sendable (ActionCall) async throws -> ActionAnswer

    package init(_ name: String, run: @Sendable @escaping (ActionCall) async throws -> ActionAnswer) {
        self.name = name
        self.run = run
    }

    /// Tells the plain texts of secrets; those that were never set are null.
    package static func listing(_ slots: [String], as name: String = "listSecrets") -> ResourceAction {
        ResourceAction(name) { call in
            var document = JSONObject()
            for slot in slots { document[slot] = JSONValue(try await call.service.secret(call.resource.id, slot)) }
            return .json(.object(document))
        }
    }

    /// Makes a secret anew; the one before is dead when the caller is answered.
    package static func regenerating(_ slot: String, as name: String) -> ResourceAction {
        ResourceAction(name) { call in
            try await call.service.setSecret(call.type, call.resource.id, slot, Identifier.hex32())
            return .empty(204)
        }
    }
}

/// What an action is asked for.
package struct ActionCall: Sendable {
    package let resource: Resource
    package let type: ResourceType
    package let body: JSONObject
    package let service: ResourceService
}

package enum ActionAnswer: Sendable {
    case json(JSONValue)
    /// A status without a body.
    case empty(Int)
}

/// What rules may look at.
package struct RuleContext: Sendable {
    package let store: any ResourceStore
    /// What full ids of this service's own resources begin with.
    package let root: String
    /// Where this installation's web services are reached, without a closing slash.
    package let servicesURL: String
    /// ISO 8601 now.
    package let now: String
    /// Whether an operation is refused that its policy document does not fit.
    package var checksOperations: Bool
    /// The plain text of a resource's secret slot.
    package let secret: @Sendable (ResourceID, String) async throws -> String?
    /// The text at an address, up to so many bytes.
    package let fetch: @Sendable (_ url: String, _ bytesMax: Int) async throws(APIError) -> String
    /// What a certificate in PKCS #12 or DER says of itself.
    package let readCertificate: @Sendable ([UInt8], _ password: String) throws -> CertificateFacts
    /// What is stored of a new password.
    package let hashPassword: @Sendable (String) async throws(APIError) -> String

    /// Looks into the store; a fault of its own is none of the request's.
    func reading<Value>(
        _ body: (any ResourceStore) async throws -> Value
    ) async throws(APIError) -> Value {
        do { return try await body(store) } catch { throw (error as? APIError) ?? APIError.inside }
    }
}

/// What is shown of a certificate.
package struct CertificateFacts: Sendable {
    package let subject: String
    /// SHA-1 of its DER in upper-case hexadecimal.
    package let thumbprint: String
    /// ISO 8601.
    package let expirationDate: String

    package init(subject: String, thumbprint: String, expirationDate: String) {
        self.subject = subject
        self.thumbprint = thumbprint
        self.expirationDate = expirationDate
    }
}

/// What the presentation of a document depends on.
package struct PresentationContext: Sendable {
    package let servicesURL: String
    /// `/subscriptions/…/service/name`.
    package let root: String
    /// Whose properties are shown; nil where they stand for no resource.
    package var id: ResourceID?
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
    /// 1 to 256 characters but `*#&+:<>?/` and controls.
    case free
    /// The one name that a scope's policy document has.
    case policy
    /// One of these words, whatever their case.
    case oneOf([String])
    /// An e-mail address of at most 254 characters.
    case address

    package func check(_ name: String) throws(APIError) {
        let isValid: Bool
        switch self {
        case .identifier:
            isValid = (1...80).contains(name.count) && name.utf8.allSatisfy(NameRule.isWord)
        case .api:
            let bare = name.split(separator: ";", maxSplits: 1, omittingEmptySubsequences: false)[0]
            isValid =
                (1...256).contains(name.count) && !bare.isEmpty && !name.utf8.contains(where: NameRule.isMark)
        case .policy: isValid = name.lowercased() == "policy"
        case .oneOf(let words): isValid = words.contains { $0.lowercased() == name.lowercased() }
        case .address: isValid = name.count <= 254 && UserRules.isAddress(name)
        case .free:
            isValid = (1...256).contains(name.count) && !name.utf8.contains(where: NameRule.isMark)
        }
        guard isValid else {
            throw .validation("name", "The name \"\(name.prefix(80))\" breaks the rule for names of this type.")
        }
    }

    /// What the contract refuses in names, and what would make another id of one: a slash, or a control character.
    private static func isMark(_ byte: UInt8) -> Bool { byte < 0x20 || byte == 0x7F || "*#&+:<>?/".utf8.contains(byte) }

    private static func isWord(_ byte: UInt8) -> Bool {
        (0x30...0x39).contains(byte) || (0x41...0x5A).contains(byte) || (0x61...0x7A).contains(byte)
            || byte == 0x2D || byte == 0x5F
    }
}
