import Store

/// A session as its person sees it.
package struct PersonSession: Sendable {
    /// The public id.
    package let id: String
    package let address: String
    /// What the browser said of itself.
    package let agent: String
    /// In seconds since 1970.
    package let created: Double
    package let seen: Double
    package let isRemembered: Bool

    init(_ stored: StoredSession) {
        id = stored.id
        address = stored.address
        agent = stored.agent
        created = stored.created
        seen = stored.seen
        isRemembered = stored.isRemembered
    }
}
