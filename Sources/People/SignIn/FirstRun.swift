import ResourceModel
package import Store

/// The create form of an installation that nobody has claimed yet.
package struct FirstRun: Sendable {
    /// What the form asks for.
    package struct Form: Sendable {
        package var name: String
        package var organization: String
        package var email: String
        package var password: String

        package init(name: String, organization: String, email: String, password: String) {
            self.name = name
            self.organization = organization
            self.email = email
            self.password = password
        }
    }

    /// What the form changes beside the administrator's account.
    package struct Premises: Sendable {
        let isValidName: @Sendable (String) -> Bool
        let rename: @Sendable (_ name: String, _ organization: String, _ email: String) async throws -> Void
        let holdsBlobs: @Sendable () async throws -> Bool
        let forgetFirstPassword: @Sendable () -> Void

        /// - Parameters:
        ///   - holdsBlobs: whether anybody has made a container, of which the configuration knows nothing.
        ///   - forgetFirstPassword: takes away what was written down of the password that the form replaces.
        package init(
            isValidName: @escaping @Sendable (String) -> Bool,
            rename: @escaping @Sendable (_ name: String, _ organization: String, _ email: String) async throws -> Void,
            holdsBlobs: @escaping @Sendable () async throws -> Bool,
            forgetFirstPassword: @escaping @Sendable () -> Void
        ) {
            self.isValidName = isValidName
            self.rename = rename
            self.holdsBlobs = holdsBlobs
            self.forgetFirstPassword = forgetFirstPassword
        }
    }

    /// The name of the installation's administrator, which the form fills in.
    private static let administrator = "1"
    /// Who changes something in the record of changes while the form is filled in.
    private static let actor = "setup"
    /// Changes that say nothing of use: the server's own, and those of a form that was not filled in to its end.
    private static let idleActors: Set<String> = ["system", actor]
    /// Rows of the record that are looked at together.
    private static let auditRows = 100
    /// Is there as long as an installation has the names that `serve` gave it by itself.
    private static let mark = ResourceID(["firstRun", "open"])

    /// Belongs to the batch that makes an installation whose names nobody chose.
    package static let write = ResourceWrite(mark, .put(properties: [:], index: [], secrets: []))

    private let store: any ResourceStore
    private let people: PeopleDirectory
    private let sessions: Sessions
    private let codes: OneTimeCodes
    private let users: any UserBook
    private let premises: Premises
    /// Of two who fill the form in at once, one is first.
    private let turns = Turns(count: 1, waitingMax: 8)

    package init(
        store: any ResourceStore,
        people: PeopleDirectory,
        sessions: Sessions,
        codes: OneTimeCodes,
        users: any UserBook,
        premises: Premises
    ) {
        self.store = store
        self.people = people
        self.sessions = sessions
        self.codes = codes
        self.users = users
        self.premises = premises
    }

    /// Whether the installation has the names that `serve` gave it, nobody ever signed in, and nobody changed anything since.
    package func isOpen() async throws -> Bool {
        guard let mark = try await store.indexEntry(Self.mark), try await !sessions.haveEverBegun(),
            try await !premises.holdsBlobs()
        else { return false }
        var sequence = mark.sequence
        while true {
            let rows = try await store.audit(since: sequence, limit: Self.auditRows)
            guard rows.allSatisfy({ Self.idleActors.contains($0.actor) }) else { return false }
            guard rows.count == Self.auditRows, let last = rows.last else { return true }
            sequence = last.change.sequence
        }
    }

    /// Closes the form for good, where it is not closed yet.
    static func close(_ store: any ResourceStore) async throws {
        guard try await store.indexEntry(mark) != nil else { return }
        _ = try await store.apply([ResourceWrite(mark, .delete)])
    }

    /// Makes a code for the form.
    package func makeCode() async throws -> String { try await codes.make(.firstRun, for: nil).code }

    /// Until when a code opens the form, in seconds since 1970; nil where it does not.
    package func opens(_ code: String) async throws -> Double? {
        guard let stored = try await codes.look(code, .firstRun), try await isOpen() else { return nil }
        return stored.expires
    }

    /// Gives the installation its names and its administrator the account, and signs the administrator in.
    ///
    /// - Throws: `FormRefusal` with `name`, `organization`, `email` and `password`; `CodeIsGone`.
    package func claim(_ form: Form, code: String, _ visitor: Visitor) async throws -> Session {
        try FormRefusal(refusals(form)).check()
        do { try await turns.wait() } catch is Turns.AreTooMany {
            throw APIError(status: 503, code: "ServiceUnavailable", message: "Too many fill the form in; try again.")
        }
        defer { turns.pass() }
        guard try await isOpen(), let taken = try await codes.take(code, .firstRun) else { throw CodeIsGone() }
        do {
            try await ChangeActor.$current.withValue(Self.actor) { try await fillIn(form) }
        } catch {
            try await codes.giveBack(taken)
            throw error
        }
        premises.forgetFirstPassword()
        guard let person = try await people.person(named: Self.administrator) else { throw CodeIsGone() }
        return try await sessions.begin(person, isRemembered: false, address: visitor.address, agent: visitor.agent)
    }

    /// A start that ends in the midst of this finds the form still open, and the same form does it all again.
    private func fillIn(_ form: Form) async throws {
        try await premises.rename(form.name, form.organization, form.email)
        let called = Self.name(in: form.email)
        try await users.change(
            Self.administrator,
            [
                "email": .string(form.email), "firstName": .string(called.first ?? "Administrator"),
                "lastName": .string(called.last ?? form.organization), "password": .string(form.password),
            ]
        )
        do { _ = try await store.apply([ResourceWrite(Self.mark, .delete, condition: .exists)]) } catch is StoreError {
            // Somebody signed in meanwhile.
            guard try await store.indexEntry(Self.mark) != nil else { throw CodeIsGone() }
            throw APIError(status: 503, code: "ServiceUnavailable", message: "The form could not be closed; try again.")
        }
    }

    /// What an address says of its person's name, as `ines.robles@example.com` does: the account page corrects it.
    static func name(in email: String) -> (first: String?, last: String?) {
        let words = email.prefix { $0 != "@" && $0 != "+" }.split { !$0.isLetter && $0 != "-" }
        let names = words.map { $0.prefix(1).uppercased() + $0.dropFirst() }
        return (names.first, names.count > 1 ? names.dropFirst().joined(separator: " ") : nil)
    }

    private func refusals(_ form: Form) -> [FieldRefusal] {
        var refusals: [FieldRefusal] = []
        if !premises.isValidName(form.name) { refusals.append(FieldRefusal("name", .serviceName)) }
        if !(1...100).contains(form.organization.count) {
            refusals.append(FieldRefusal("organization", .organizationLength))
        }
        return refusals + PersonalData.refusals(email: form.email)
            + NewPassword.refusals(form.password, email: form.email)
    }
}
