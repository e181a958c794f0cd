import Foundation
package import Logging
import ResourceModel
import Store
import Synchronization

/// Judges e-mail and password.
package final class SignIns: Sendable {
    package enum Outcome: Sendable {
        case signedIn(Session)
        /// The mail is unknown, the password is wrong, or the account is not active: nobody learns which.
        case refused
        /// Nothing was judged.
        case tooMany(seconds: Int)
    }

    /// Longer passwords are none that anybody could have set.
    package static let passwordBytesMax = 256

    private let people: PeopleDirectory
    private let sessions: Sessions
    private let pool: PasswordPool
    private let backOff = Mutex(SignInBackOff())
    /// Hashed for mails that nobody has, so that the answer takes as long.
    private let nobodysHash: String
    private let now: @Sendable () -> Double
    private let logger: Logger

    package init(
        people: PeopleDirectory,
        sessions: Sessions,
        pool: PasswordPool,
        logger: Logger,
        now: @escaping @Sendable () -> Double = { Date().timeIntervalSince1970 }
    ) throws {
        self.people = people
        self.sessions = sessions
        self.pool = pool
        self.logger = logger
        self.now = now
        nobodysHash = try PasswordHash.make(Identifier.hex32(), salt: Identifier.randomBytes(16))
    }

    package func signIn(
        email: String,
        password: String,
        isRemembered: Bool,
        address: String,
        agent: String
    ) async throws -> Outcome {
        let account = email.lowercased()
        if let seconds = backOff.withLock({ $0.wait(account: account, address: address, now: now()) }) {
            return .tooMany(seconds: Int(seconds.rounded(.up)))
        }
        let person = try await people.person(email: account)
        let hash = if let person { try await people.passwordHash(of: person.name) } else { String?.none }
        let isPossible = password.utf8.count <= Self.passwordBytesMax
        guard
            let isRight = try await pool.verify(isPossible ? password : "", hash ?? nobodysHash, from: address)
        else { return .tooMany(seconds: 1) }
        guard isRight, isPossible, hash != nil, let person, person.isActive else {
            backOff.withLock { $0.failed(account: account, address: address, now: now()) }
            logger.notice("sign-in refused", metadata: ["client.address": "\(address)"])
            return .refused
        }
        backOff.withLock { $0.succeeded(account: account) }
        logger.notice("signed in", metadata: ["user.id": "\(person.name)", "client.address": "\(address)"])
        return .signedIn(
            try await sessions.begin(person, isRemembered: isRemembered, address: address, agent: agent)
        )
    }
}
