/// A person's session, as the server knows it: the token itself is the cookie's alone.
package struct StoredSession: Sendable, Equatable {
    /// SHA-256 of the token, 32 bytes.
    package let digest: [UInt8]
    /// The name that lists of sessions and the record of changes use for it; says nothing of the token.
    package let id: String
    /// The name of the person's `users` resource.
    package let user: String
    /// What the person's password was when the session began: another one ends it.
    package let passwordMark: [UInt8]
    /// Times in seconds since 1970.
    package let created: Double
    package var seen: Double
    /// When the person last showed the password.
    package var authenticated: Double
    /// Whether the person asked to be remembered on this computer.
    package let isRemembered: Bool
    /// Where it began, for the person to recognize it.
    package let address: String
    package let agent: String

    package init(
        digest: [UInt8],
        id: String,
        user: String,
        passwordMark: [UInt8],
        created: Double,
        isRemembered: Bool,
        address: String,
        agent: String
    ) {
        self.digest = digest
        self.id = id
        self.user = user
        self.passwordMark = passwordMark
        self.created = created
        seen = created
        authenticated = created
        self.isRemembered = isRemembered
        self.address = address
        self.agent = agent
    }
}

/// A code that opens something once.
package struct StoredCode: Sendable, Equatable {
    /// SHA-256 of the code, 32 bytes.
    package let digest: [UInt8]
    /// What it opens, as `signIn`.
    package let purpose: String
    /// The name of the `users` resource that it is for; nil where there is none yet.
    package let user: String?
    /// What the person's password was when the code was made: another one makes the code useless.
    ///
    /// Empty where there is nobody yet.
    package let passwordMark: [UInt8]
    /// In seconds since 1970.
    package let expires: Double

    package init(digest: [UInt8], purpose: String, user: String?, passwordMark: [UInt8], expires: Double) {
        self.digest = digest
        self.purpose = purpose
        self.user = user
        self.passwordMark = passwordMark
        self.expires = expires
    }
}

/// Keeps sessions and one-time codes; durable before it answers.
///
/// Written for more than one implementation: Tests/StoreTests has the conformance suite that each must pass.
package protocol SessionStore: Sendable {
    /// Adds a session, and ends the person's least recently seen ones above a number.
    func add(_ session: StoredSession, atMost: Int) async throws

    func session(digest: [UInt8]) async throws -> StoredSession?

    /// The sessions of a person, the one seen last first.
    func sessions(user: String) async throws -> [StoredSession]

    /// Notes when a session was seen and when its person last showed the password; times only go on.
    func touch(digest: [UInt8], seen: Double, authenticated: Double) async throws

    /// Ends one session of a person by its public name.
    ///
    /// - Returns: whether there was one.
    func end(user: String, id: String) async throws -> Bool

    /// Ends all sessions of a person but for one, and takes back the person's codes: an older link must not lead in again.
    ///
    /// - Returns: how many sessions were ended.
    func endAll(user: String, but digest: [UInt8]?) async throws -> Int

    /// Removes sessions that began or were seen before these times, whichever are remembered by their own, and codes that expired.
    func removeEnded(_ bounds: SessionBounds) async throws

    /// Adds a code, and removes those that expire first above a number.
    func add(_ code: StoredCode, atMost: Int) async throws

    /// Takes a code out: of two that try at once, one gets it.
    ///
    /// - Returns: the code, unless it is not there, is for something else, or expired before the time.
    func take(digest: [UInt8], purpose: String, now: Double) async throws -> StoredCode?

    /// The code, without taking it.
    func code(digest: [UInt8], purpose: String, now: Double) async throws -> StoredCode?

    /// Whether anybody has ever signed in; stays true whatever is removed.
    func hasEverSignedIn() async throws -> Bool
}

/// Times, in seconds since 1970, before which sessions are over.
package struct SessionBounds: Sendable {
    package let now: Double
    package let createdAfter: Double
    package let seenAfter: Double
    package let rememberedCreatedAfter: Double
    package let rememberedSeenAfter: Double

    package init(
        now: Double,
        createdAfter: Double,
        seenAfter: Double,
        rememberedCreatedAfter: Double,
        rememberedSeenAfter: Double
    ) {
        self.now = now
        self.createdAfter = createdAfter
        self.seenAfter = seenAfter
        self.rememberedCreatedAfter = rememberedCreatedAfter
        self.rememberedSeenAfter = rememberedSeenAfter
    }
}
