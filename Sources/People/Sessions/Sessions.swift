import Crypto
import Foundation
package import HTTPServing
package import Logging
import ResourceModel
package import Store
import Synchronization

/// A session that a request showed, with its person.
package struct Session: Sendable {
    /// The cookie's value, from which the session's CSRF token is made.
    package let token: String
    package let stored: StoredSession
    package let person: Person
}

/// Begins, finds and ends the sessions of people.
package struct Sessions: Sendable {
    /// What a session lives at most, seconds.
    package struct Lifetime: Sendable {
        /// Without a request.
        package let idle: Double
        /// From its beginning.
        package let absolute: Double

        /// A working day without a request, a week in all.
        package static let usual = Lifetime(idle: 12 * 3600, absolute: 7 * 86_400)
        /// On a computer that is the person's own.
        package static let remembered = Lifetime(idle: 30 * 86_400, absolute: 90 * 86_400)
    }

    /// Sessions of one person; the least recently seen one ends when another begins.
    private static let perPerson = 50
    /// A session is noted as seen once in so many seconds, so that reading pages writes nothing.
    private static let seenPeriod = 60.0
    /// What is dangerous asks for the password again after so many seconds.
    package static let freshSeconds = 600.0
    /// Of what a browser says of itself.
    private static let agentCharactersMax = 200

    private let store: any SessionStore
    private let people: PeopleDirectory
    private let failures: FailedNotes
    private let now: @Sendable () -> Double

    package init(
        store: any SessionStore,
        people: PeopleDirectory,
        logger: Logger,
        now: @escaping @Sendable () -> Double = { Date().timeIntervalSince1970 }
    ) {
        self.store = store
        self.people = people
        failures = FailedNotes(logger)
        self.now = now
    }

    /// Begins a session of a person who has just shown who they are.
    package func begin(_ person: Person, isRemembered: Bool, address: String, agent: String) async throws -> Session {
        let token = Identifier.hex(Identifier.randomBytes(32))
        let stored = StoredSession(
            digest: Self.digest(token),
            id: Identifier.hex(Identifier.randomBytes(8)),
            user: person.name,
            passwordMark: person.passwordMark,
            created: now(),
            isRemembered: isRemembered,
            address: address,
            agent: String(agent.prefix(Self.agentCharactersMax))
        )
        // Before: an installation that somebody has signed in to is nobody else's to name, whatever becomes of its sessions.
        try await FirstRun.close(people.store)
        try await store.add(stored, atMost: Self.perPerson)
        return Session(token: token, stored: stored, person: person)
    }

    /// The session of a token, unless it is over or its person may not be signed in any more.
    ///
    /// Nobody is signed out, and nothing fails, because that cannot be noted: a full disk is mended by people who are signed in.
    package func find(token: String) async throws -> Session? {
        // Another length is none of ours, and need not be hashed.
        guard token.utf8.count == 64, let stored = try await store.session(digest: Self.digest(token)) else {
            return nil
        }
        let time = now()
        let lifetime = stored.isRemembered ? Lifetime.remembered : Lifetime.usual
        guard time - stored.seen <= lifetime.idle, time - stored.created <= lifetime.absolute,
            let person = try await people.person(named: stored.user), person.isActive,
            ConstantTime.equal(person.passwordMark, stored.passwordMark)
        else {
            await failures.trying { _ = try await store.end(user: stored.user, id: stored.id) }
            return nil
        }
        if time - stored.seen >= Self.seenPeriod {
            await failures.trying {
                try await store.touch(digest: stored.digest, seen: time, authenticated: stored.authenticated)
            }
        }
        return Session(token: token, stored: stored, person: person)
    }

    /// The session that a caller showed, as it is kept; nil for whoever showed none.
    package func stored(of caller: Caller) async throws -> StoredSession? {
        guard case .session(let id) = caller.proof, let user = caller.user else { return nil }
        return try await store.sessions(user: user).first { $0.id == id }
    }

    /// Whether the person showed the password lately enough for what is dangerous.
    package func isFresh(_ session: StoredSession) -> Bool { now() - session.authenticated <= Self.freshSeconds }

    /// Notes that the person has just shown the password again.
    package func refresh(_ session: StoredSession) async throws {
        let time = now()
        try await store.touch(digest: session.digest, seen: time, authenticated: time)
    }

    /// The sessions of a person that are not over, the one seen last first.
    package func list(of person: Person) async throws -> [StoredSession] {
        let time = now()
        return try await store.sessions(user: person.name).filter {
            let lifetime = $0.isRemembered ? Lifetime.remembered : Lifetime.usual
            return time - $0.seen <= lifetime.idle && time - $0.created <= lifetime.absolute
                && ConstantTime.equal(person.passwordMark, $0.passwordMark)
        }
    }

    package func end(_ id: String, of user: String) async throws -> Bool {
        try await store.end(user: user, id: id)
    }

    /// Ends all sessions of a person but for one, and takes back links that let the person in.
    package func endAll(of person: Person, but session: StoredSession?) async throws -> Int {
        let count = try await store.endAll(user: person.name, but: session?.digest)
        try await LinkRecord(store: people.store).tookBack(of: person.name)
        return count
    }

    /// Whether anybody has ever signed in.
    package func haveEverBegun() async throws -> Bool { try await store.hasEverSignedIn() }

    /// Removes what is over.
    package func tidy() async throws {
        let time = now()
        try await store.removeEnded(
            SessionBounds(
                now: time,
                createdAfter: time - Lifetime.usual.absolute,
                seenAfter: time - Lifetime.usual.idle,
                rememberedCreatedAfter: time - Lifetime.remembered.absolute,
                rememberedSeenAfter: time - Lifetime.remembered.idle
            )
        )
    }

    static func digest(_ token: String) -> [UInt8] { Array(SHA256.hash(data: Data(token.utf8))) }
}

/// Tells the log that nothing can be noted of sessions: once, until it can be again.
private final class FailedNotes: Sendable {
    private let isFailing = Mutex(false)
    private let logger: Logger

    init(_ logger: Logger) { self.logger = logger }

    func trying(_ note: () async throws -> Void) async {
        do {
            try await note()
            isFailing.withLock { $0 = false }
        } catch {
            let wasFailing = isFailing.withLock { isFailing in
                defer { isFailing = true }
                return isFailing
            }
            guard !wasFailing else { return }
            logger.warning("sessions cannot be noted as seen or ended", metadata: ["error.code": "\(error)"])
        }
    }
}
