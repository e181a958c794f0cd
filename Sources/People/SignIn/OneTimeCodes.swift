import Foundation
import ResourceModel
package import Store

/// Codes in links that open something once.
package struct OneTimeCodes: Sendable {
    package enum Purpose: String, Sendable {
        /// The form that gives a new service its name and its administrator.
        case firstRun
        case signIn
        /// The form in which somebody who was invited chooses a password.
        case invite
        case resetPassword

        /// Links of the terminal are followed at once; those that are sent, when the mail is read.
        fileprivate var seconds: Double {
            switch self {
            case .firstRun, .signIn: 15 * 60
            case .invite, .resetPassword: 48 * 3600
            }
        }
    }

    /// Codes that wait at once; whoever asks for more makes the oldest useless.
    static let waitingMax = 1000

    private let store: any SessionStore
    private let now: @Sendable () -> Double

    package init(
        store: any SessionStore,
        now: @escaping @Sendable () -> Double = { Date().timeIntervalSince1970 }
    ) {
        self.store = store
        self.now = now
    }

    /// Makes a code of 256 random bits.
    ///
    /// - Parameter person: whom it is for; nil where there is nobody yet.
    /// - Returns: the code, and when it ends in seconds since 1970.
    package func make(_ purpose: Purpose, for person: Person?) async throws -> (code: String, expires: Double) {
        let code = Identifier.hex(Identifier.randomBytes(32))
        let expires = now() + purpose.seconds
        try await store.add(
            StoredCode(
                digest: Sessions.digest(code),
                purpose: purpose.rawValue,
                user: person?.name,
                passwordMark: person?.passwordMark ?? [],
                expires: expires
            ),
            atMost: Self.waitingMax
        )
        return (code, expires)
    }

    /// Uses a code up; nil where it is unknown, was used, is for something else, or has ended.
    package func take(_ code: String, _ purpose: Purpose) async throws -> StoredCode? {
        try await store.take(digest: Sessions.digest(code), purpose: purpose.rawValue, now: now())
    }

    /// Makes a code good again that was taken for what then could not be done.
    func giveBack(_ code: StoredCode) async throws { try await store.add(code, atMost: Self.waitingMax) }

    /// Looks at a code without using it up, for the form that it opens.
    package func look(_ code: String, _ purpose: Purpose) async throws -> StoredCode? {
        try await store.code(digest: Sessions.digest(code), purpose: purpose.rawValue, now: now())
    }
}
