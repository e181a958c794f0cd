import Foundation
package import Logging
package import ResourceModel
package import Store

/// All that this room does, for the pages and the doors: accounts, sessions, members, links.
package struct PeopleEngine: Sendable {
    /// What the room is given.
    package struct Surroundings: Sendable {
        let store: any ResourceStore
        let sessions: any SessionStore
        let box: SecretBox
        let workspace: ResourceID
        let pool: PasswordPool
        let users: any UserBook
        let links: PeopleLinks
        let premises: FirstRun.Premises
        let logger: Logger

        package init(
            store: any ResourceStore,
            sessions: any SessionStore,
            box: SecretBox,
            workspace: ResourceID,
            pool: PasswordPool,
            users: any UserBook,
            links: PeopleLinks,
            premises: FirstRun.Premises,
            logger: Logger
        ) {
            self.store = store
            self.sessions = sessions
            self.box = box
            self.workspace = workspace
            self.pool = pool
            self.users = users
            self.links = links
            self.premises = premises
            self.logger = logger
        }
    }

    package let directory: PeopleDirectory
    package let sessions: Sessions
    package let signIns: SignIns
    package let accounts: Accounts
    package let members: WorkspaceMembers
    package let invitations: Invitations
    package let firstRun: FirstRun
    package let links: PeopleLinks
    private let now: @Sendable () -> Double

    package init(
        _ given: Surroundings,
        now: @escaping @Sendable () -> Double = { Date().timeIntervalSince1970 }
    ) {
        let (store, users) = (given.store, given.users)
        directory = PeopleDirectory(store: store, box: given.box, workspace: given.workspace)
        sessions = Sessions(store: given.sessions, people: directory, logger: given.logger, now: now)
        signIns = SignIns(people: directory, sessions: sessions, pool: given.pool, logger: given.logger, now: now)
        accounts = Accounts(people: directory, sessions: sessions, signIns: signIns, users: users)
        members = WorkspaceMembers(store: store, people: directory, workspace: given.workspace)
        let codes = OneTimeCodes(store: given.sessions, now: now)
        invitations = Invitations(
            people: directory,
            sessions: sessions,
            codes: codes,
            users: users,
            store: store
        )
        firstRun = FirstRun(
            store: store,
            people: directory,
            sessions: sessions,
            codes: codes,
            users: users,
            premises: given.premises
        )
        links = given.links
        self.now = now
    }

    /// The link that whoever starts the server opens first: the create form, or a sign-in.
    ///
    /// - Returns: nil where somebody has signed in before.
    package func firstLink() async throws -> String? {
        if try await firstRun.isOpen() { return links.address(PeopleLinks.setup, try await firstRun.makeCode()) }
        guard try await !sessions.haveEverBegun() else { return nil }
        return links.address(PeopleLinks.signIn, try await invitations.signIn(email: nil).code)
    }

    /// Removes sessions, codes and links that are over.
    package func tidy() async throws {
        try await sessions.tidy()
        try await invitations.tidy(now: now())
    }
}
