import Foundation
package import Logging
import ResourceModel
import Store
import Synchronization

/// Judges e-mail and password, slowly for whoever guesses.
package final class SignIns: Sendable {
    package enum Outcome: Sendable {
        case signedIn(Session)
        /// The mail is unknown, the password is wrong, or the account is not active: nobody learns which.
        case refused
        /// Nothing was judged.
        case tooMany(seconds: Int)
    }

    package enum Judgement: Sendable {
        case right(Person)
        case wrong
        /// Nothing was judged.
        case tooMany(seconds: Int)
    }

    /// Longer e-mail addresses are nobody's.
    private static let emailBytesMax = 1024

    private let people: PeopleDirectory
    private let sessions: Sessions
    private let pool: PasswordPool
    private let backOff = Mutex(SignInBackOff())
    /// Judged for mails that nobody has, so that the answer takes as long.
    private let nobodysHash = PasswordHash.ofNobody()
    private let now: @Sendable () -> Double
    private let logger: Logger

    package init(
        people: PeopleDirectory,
        sessions: Sessions,
        pool: PasswordPool,
        logger: Logger,
        now: @escaping @Sendable () -> Double = { Date().timeIntervalSince1970 }
    ) {
        self.people = people
        self.sessions = sessions
        self.pool = pool
        self.logger = logger
        self.now = now
    }

    package func signIn(
        email: String,
        password: String,
        isRemembered: Bool,
        address: String,
        agent: String
    ) async throws -> Outcome {
        switch try await judge(email: email, password: password, address: address) {
        case .wrong: return .refused
        case .tooMany(let seconds): return .tooMany(seconds: seconds)
        case .right(let person):
            logger.notice("signed in", metadata: ["user.id": "\(person.name)", "client.address": "\(address)"])
            return .signedIn(
                try await sessions.begin(person, isRemembered: isRemembered, address: address, agent: agent)
            )
        }
    }

    /// Whether the password is that of the active person with this e-mail.
    package func judge(email: String, password: String, address: String) async throws -> Judgement {
        guard email.utf8.count <= Self.emailBytesMax else { return .wrong }
        let account = email.lowercased()
        if let seconds = wait(account, address) { return .tooMany(seconds: seconds) }
        let person = try await people.person(email: account)
        let hash = if let person { try await people.passwordHash(of: person.name) } else { String?.none }
        // Again: others failed while these were looked up.
        if let seconds = wait(account, address) { return .tooMany(seconds: seconds) }
        // Longer ones are none that anybody could have set.
        let isPossible = password.utf8.count <= NewPassword.bytesMax
        guard
            let isRight = try await pool.verify(isPossible ? password : "", hash ?? nobodysHash, from: address)
        else { return .tooMany(seconds: 1) }
        guard isRight, isPossible, hash != nil, let person, person.isActive else {
            backOff.withLock { $0.failed(account: account, address: address, now: now()) }
            logger.notice("password refused", metadata: ["client.address": "\(address)"])
            return .wrong
        }
        backOff.withLock { $0.succeeded(account: account, address: address, now: now()) }
        return .right(person)
    }

    /// Seconds until somebody may try again; nil for now.
    private func wait(_ account: String, _ address: String) -> Int? {
        backOff.withLock { $0.wait(account: account, address: address, now: now()) }.map { Int($0.rounded(.up)) }
    }
}
