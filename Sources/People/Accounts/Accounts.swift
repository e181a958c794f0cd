import Foundation
package import HTTPServing
import ResourceModel
import Store

/// What people do with their own accounts.
package struct Accounts: Sendable {
    private let people: PeopleDirectory
    private let sessions: Sessions
    private let signIns: SignIns
    private let users: any UserBook

    package init(people: PeopleDirectory, sessions: Sessions, signIns: SignIns, users: any UserBook) {
        self.people = people
        self.sessions = sessions
        self.signIns = signIns
        self.users = users
    }

    /// The person who calls.
    ///
    /// - Throws: `APIError` 404 for whoever is none, or was removed a moment ago.
    package func person(of caller: Caller) async throws -> Person {
        guard let name = caller.user, let person = try await people.person(named: name) else {
            throw APIError.notFound("users not found: \(caller.user ?? "")")
        }
        return person
    }

    /// - Throws: `FormRefusal` with `firstName` and `lastName`.
    package func rename(_ person: Person, firstName: String, lastName: String) async throws {
        try FormRefusal(PersonalData.refusals(firstName: firstName, lastName: lastName)).check()
        try await users.change(person.name, ["firstName": .string(firstName), "lastName": .string(lastName)])
    }

    /// Gives the person another password, and ends all sessions; a new one begins for whoever did it.
    ///
    /// - Returns: the new session, whose cookie takes the place of the one before.
    /// - Throws: `FormRefusal` with `current` and `password`; `TooManyTries`.
    package func changePassword(
        of person: Person,
        current: String,
        password: String,
        isRemembered: Bool,
        _ visitor: Visitor
    ) async throws -> Session {
        try FormRefusal(NewPassword.refusals(password, email: person.email)).check()
        try await check(current, of: person, field: "current", visitor)
        guard current != password else { throw FormRefusal("password", .passwordSame) }
        try await users.change(person.name, ["password": .string(password)])
        guard let changed = try await people.person(named: person.name) else {
            throw APIError.notFound("users not found: \(person.name)")
        }
        let session = try await sessions.begin(
            changed,
            isRemembered: isRemembered,
            address: visitor.address,
            agent: visitor.agent
        )
        _ = try await sessions.endAll(of: changed, but: session.stored)
        return session
    }

    // MARK: - Showing the password again

    /// Whether the caller showed the password lately enough for what is dangerous.
    package func isFresh(_ caller: Caller) async throws -> Bool {
        // A token is shown with each request.
        guard caller.isPerson else { return caller.proof == .managementToken }
        guard let session = try await sessions.stored(of: caller) else { return false }
        return sessions.isFresh(session)
    }

    /// Notes that the caller has shown the password again.
    ///
    /// - Throws: `FormRefusal` with `password`; `TooManyTries`.
    package func again(_ caller: Caller, password: String, _ visitor: Visitor) async throws {
        let person = try await person(of: caller)
        try await check(password, of: person, field: "password", visitor)
        guard let session = try await sessions.stored(of: caller) else { throw Access.person.refusal(of: .nobody) }
        try await sessions.refresh(session)
    }

    private func check(_ password: String, of person: Person, field: String, _ visitor: Visitor) async throws {
        switch try await signIns.judge(email: person.email, password: password, address: visitor.address) {
        case .right(let found) where found.name == person.name: return
        case .right, .wrong: throw FormRefusal(field, .passwordWrong)
        case .tooMany(let seconds): throw TooManyTries(seconds: seconds)
        }
    }

    // MARK: - Sessions

    /// The caller's own session.
    package func session(of caller: Caller) async throws -> PersonSession? {
        try await sessions.stored(of: caller).map(PersonSession.init)
    }

    /// The sessions of the caller that are not over, the one seen last first.
    package func sessions(of caller: Caller) async throws -> [PersonSession] {
        try await sessions.list(of: try await person(of: caller)).map(PersonSession.init)
    }

    /// Ends the session that the caller showed, if any.
    package func endSession(of caller: Caller) async throws {
        guard let session = try await sessions.stored(of: caller) else { return }
        _ = try await sessions.end(session.id, of: session.user)
    }

    /// Ends one session of the caller by its public id.
    ///
    /// - Throws: `APIError` 404 where there is none of this id.
    package func endSession(_ id: String, of caller: Caller) async throws {
        guard try await sessions.end(id, of: try await person(of: caller).name) else {
            throw APIError.notFound("The session was not found.")
        }
    }

    /// Ends all other sessions of the caller.
    ///
    /// - Returns: how many.
    @discardableResult
    package func endOtherSessions(of caller: Caller) async throws -> Int {
        let person = try await person(of: caller)
        guard let own = try await sessions.stored(of: caller) else { return 0 }
        return try await sessions.endAll(of: person, but: own)
    }
}
