import Foundation
import ResourceModel
package import Store

/// Lets people in by links: invitations, new passwords, and signing in without one.
package struct Invitations: Sendable {
    /// A code with whom it is for; the link is made where addresses are known.
    package struct Made: Sendable {
        package let code: String
        package let person: Person
        /// In seconds since 1970.
        package let expires: Double
    }

    private let people: PeopleDirectory
    private let sessions: Sessions
    private let codes: OneTimeCodes
    private let users: any UserBook
    private let record: LinkRecord

    package init(
        people: PeopleDirectory,
        sessions: Sessions,
        codes: OneTimeCodes,
        users: any UserBook,
        store: any ResourceStore
    ) {
        self.people = people
        self.sessions = sessions
        self.codes = codes
        self.users = users
        record = LinkRecord(store: store)
    }

    // MARK: - Making codes

    /// Makes a code that signs a person in.
    ///
    /// - Throws: `FormRefusal` for somebody who is not there or not active.
    package func signIn(email: String?) async throws -> Made {
        // The installation's administrator has this name.
        let person = if let email { try await known(email) } else { try await people.person(named: "1") }
        guard let person, person.isActive else { throw FormRefusal("email", .notActive) }
        return try await make(.signIn, person)
    }

    /// Makes a code by which a person chooses another password.
    package func resetPassword(email: String) async throws -> Made {
        let person = try await known(email)
        guard person.isActive else { throw FormRefusal("email", .notActive) }
        return try await make(.resetPassword, person)
    }

    /// Makes an account for somebody, or takes the one of an earlier invitation, and a code by which they choose a password.
    ///
    /// - Throws: `FormRefusal` for somebody who has an account and a password already.
    package func invite(email: String, firstName: String = "", lastName: String = "") async throws -> Made {
        try FormRefusal(PersonalData.refusals(email: email)).check()
        if let person = try await people.person(email: email) {
            guard person.isInvited else { throw FormRefusal("email", .emailTaken) }
            return try await make(.invite, person)
        }
        // The resource must have names; whoever is invited gives the real ones.
        let alias = String(email.prefix { $0 != "@" })
        let name = Identifier.hex24()
        try await users.create(
            name,
            [
                "email": .string(email), "firstName": .string(firstName.isEmpty ? alias : firstName),
                "lastName": .string(lastName.isEmpty ? alias : lastName), "state": "pending",
            ]
        )
        guard let person = try await people.person(named: name) else { throw FormRefusal("email", .emailUnknown) }
        return try await make(.invite, person)
    }

    private func known(_ email: String) async throws -> Person {
        guard let person = try await people.person(email: email) else { throw FormRefusal("email", .emailUnknown) }
        return person
    }

    private func make(_ purpose: OneTimeCodes.Purpose, _ person: Person) async throws -> Made {
        let (code, expires) = try await codes.make(purpose, for: person)
        try await record.made(code, purpose, for: person.name, expires: expires)
        return Made(code: code, person: person, expires: expires)
    }

    // MARK: - Using codes

    /// Whom a code is for that opens a form; nil where it is gone.
    package func person(of code: String, _ purpose: OneTimeCodes.Purpose) async throws -> Person? {
        guard let stored = try await codes.look(code, purpose) else { return nil }
        return try await person(of: stored, purpose)
    }

    /// Signs in whoever has a code, once.
    ///
    /// - Throws: `CodeIsGone`.
    package func follow(_ code: String, _ visitor: Visitor) async throws -> Session {
        guard let stored = try await codes.take(code, .signIn), let person = try await person(of: stored, .signIn)
        else { throw CodeIsGone() }
        return try await begin(person, code, visitor)
    }

    /// Gives somebody the password that they chose, and for an invitation the names, and signs them in.
    ///
    /// - Parameter names: first and last; nil where a password is reset.
    /// - Throws: `FormRefusal` with `firstName`, `lastName` and `password`; `CodeIsGone`.
    package func choose(
        _ code: String,
        _ purpose: OneTimeCodes.Purpose,
        names: (first: String, last: String)?,
        password: String,
        _ visitor: Visitor
    ) async throws -> Session {
        let names = purpose == .invite ? names ?? ("", "") : nil
        guard let email = try await self.person(of: code, purpose)?.email else { throw CodeIsGone() }
        let personal = names.map { PersonalData.refusals(firstName: $0.first, lastName: $0.last) } ?? []
        try FormRefusal(personal + NewPassword.refusals(password, email: email)).check()
        guard let stored = try await codes.take(code, purpose), let person = try await person(of: stored, purpose)
        else { throw CodeIsGone() }
        var properties: JSONObject = ["password": .string(password)]
        if let names {
            properties["firstName"] = .string(names.first)
            properties["lastName"] = .string(names.last)
            properties["state"] = "active"
        }
        let changes = properties
        do {
            try await ChangeActor.$current.withValue(person.actor) { try await users.change(person.name, changes) }
        } catch {
            try await codes.giveBack(stored)
            throw error
        }
        guard let changed = try await people.person(named: person.name) else { throw CodeIsGone() }
        _ = try await ChangeActor.$current.withValue(person.actor) { try await sessions.endAll(of: changed, but: nil) }
        return try await begin(changed, code, visitor)
    }

    private func begin(_ person: Person, _ code: String, _ visitor: Visitor) async throws -> Session {
        try await ChangeActor.$current.withValue(person.actor) { try await record.used(code, of: person.name) }
        return try await sessions.begin(person, isRemembered: false, address: visitor.address, agent: visitor.agent)
    }

    /// A code of somebody who was blocked or deleted meanwhile opens nothing, nor does a second invitation after the first was used.
    ///
    /// Neither does a code of before another password, or of an account that had the same name.
    private func person(of code: StoredCode, _ purpose: OneTimeCodes.Purpose) async throws -> Person? {
        guard let name = code.user, let person = try await people.person(named: name),
            ConstantTime.equal(person.passwordMark, code.passwordMark)
        else { return nil }
        return (purpose == .invite ? person.isInvited : person.isActive) ? person : nil
    }

    /// Forgets links that ended.
    func tidy(now: Double) async throws { try await record.tidy(now: now) }
}
