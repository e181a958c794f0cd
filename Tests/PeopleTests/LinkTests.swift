import HTTPServing
import People
import ResourceModel
import Store
import Synchronization
import Testing

/// What codes open, once each.
@Suite struct LinkTests {
    private static let names = (first: "Ada", last: "Lovelace")

    @Test func `a link signs in once, within a quarter of an hour, and the record tells of it`() async throws {
        try await PeopleFixture.with { people async throws in
            let invitations = people.engine.invitations
            let made = try await ChangeActor.$current.withValue("management token") {
                try await invitations.signIn(email: nil)
            }
            let session = try await invitations.follow(made.code, PeopleFixture.visitor)
            #expect(session.person.name == "1")
            await #expect(throws: CodeIsGone()) { try await invitations.follow(made.code, PeopleFixture.visitor) }
            let record = try await people.audit().suffix(2).map { $0.replacing(/links\/[0-9a-f]{16}/, with: "links/…") }
            #expect(record == ["put /users/1/links/… management token", "delete /users/1/links/… users/1"])
            let late = try await invitations.signIn(email: "1@EXAMPLE.com")
            people.clock.advance(15 * 60 + 1)
            await #expect(throws: CodeIsGone()) { try await invitations.follow(late.code, PeopleFixture.visitor) }
            try await people.engine.tidy()
            #expect(try await people.store.index(type: "users/links").isEmpty)
        }
    }

    @Test func `links that are sent to others lead where others reach the portal`() {
        let links = PeopleLinks(base: { "http://here" }, forOthers: { "https://public" })
        let shown = [PeopleLinks.setup, PeopleLinks.signIn, PeopleLinks.invite, PeopleLinks.reset].map {
            links.address($0, "c")
        }
        #expect(
            shown == [
                "http://here/setup?code=c", "http://here/signin/link?code=c", "https://public/signin/invite?code=c",
                "https://public/signin/reset?code=c",
            ]
        )
    }

    @Test func `of two who follow a link at once one gets in`() async throws {
        try await PeopleFixture.with { people async throws in
            let code = try await people.engine.invitations.signIn(email: nil).code
            let count = await withTaskGroup(of: Int.self) { group in
                for _ in 0..<8 {
                    group.addTask {
                        (try? await people.engine.invitations.follow(code, PeopleFixture.visitor)) == nil ? 0 : 1
                    }
                }
                return await group.reduce(0, +)
            }
            #expect(count == 1)
        }
    }

    @Test func `a code opens only what it was made for`() async throws {
        try await PeopleFixture.with { people async throws in
            let invitations = people.engine.invitations
            let signIn = try await invitations.signIn(email: nil).code
            let reset = try await invitations.resetPassword(email: "1@example.com").code
            let invite = try await invitations.invite(email: "ada@example.com").code
            for code in [reset, invite, "", "x"] {
                await #expect(throws: CodeIsGone()) { try await invitations.follow(code, PeopleFixture.visitor) }
            }
            for (code, purpose) in [
                (signIn, OneTimeCodes.Purpose.resetPassword), (invite, .resetPassword), (reset, .invite),
            ] {
                await #expect(throws: CodeIsGone()) {
                    try await invitations.choose(
                        code,
                        purpose,
                        names: Self.names,
                        password: "correct horse",
                        PeopleFixture.visitor
                    )
                }
            }
            #expect(try await people.engine.firstRun.opens(signIn) == nil)
            #expect(try await invitations.person(of: reset, .resetPassword)?.name == "1")
            #expect(try await invitations.person(of: invite, .invite)?.email == "ada@example.com")
        }
    }

    @Test func `whoever is invited chooses names and a password, once`() async throws {
        try await PeopleFixture.with { people async throws in
            let invitations = people.engine.invitations
            let made = try await invitations.invite(email: "ada@example.com")
            try await people.engine.members.add(made.person, .user)
            let second = try await invitations.invite(email: "ada@example.com")
            #expect(made.person.isInvited && second.person.name == made.person.name)
            let choose = { (code: String, password: String, first: String) in
                try await invitations.choose(
                    code,
                    .invite,
                    names: (first, "Lovelace"),
                    password: password,
                    PeopleFixture.visitor
                )
            }
            // A form that is refused uses nothing up.
            await #expect(
                throws: FormRefusal([.init("firstName", .required), .init("password", .passwordShort)])
            ) { try await choose(made.code, "short", "") }
            // Nor does a change that fails.
            people.users.fails.withLock { $0 = true }
            await #expect(throws: StoreError.diskFull) { try await choose(made.code, "correct horse", "Ada") }
            people.users.fails.withLock { $0 = false }
            let session = try await choose(made.code, "correct horse", "Ada")
            #expect(session.person.firstName == "Ada" && session.person.isActive)
            #expect(session.person.roles == [.developer, .workspaceUser])
            // The other invitation is no way to another password.
            await #expect(throws: CodeIsGone()) { try await choose(second.code, "correct horse", "Ada") }
            await #expect(throws: FormRefusal("email", .emailTaken)) {
                try await invitations.invite(email: "ADA@example.com")
            }
            await #expect(throws: FormRefusal("email", .alreadyMember)) {
                try await people.engine.members.add(email: "ada@example.com", isOwner: true)
            }
        }
    }

    @Test func `a link opens no other account of that name, and nothing after another password`() async throws {
        try await PeopleFixture.with { people async throws in
            let invitations = people.engine.invitations
            try await people.users.put("ada")
            let (reset, signIn) = (
                try await invitations.resetPassword(email: "ada@example.com").code,
                try await invitations.signIn(email: "ada@example.com").code
            )
            #expect(try await invitations.person(of: reset, .resetPassword) != nil)
            try await people.users.put("ada", hash: "another")
            #expect(try await invitations.person(of: reset, .resetPassword) == nil)
            await #expect(throws: CodeIsGone()) { try await invitations.follow(signIn, PeopleFixture.visitor) }
            // What is taken back stands in the record no more.
            let person = try #require(try await people.person("ada"))
            _ = try await people.engine.sessions.endAll(of: person, but: nil)
            #expect(try await people.store.index(type: "users/links").isEmpty)
        }
    }

    @Test func `a new password ends all sessions, and nobody who is blocked gets one`() async throws {
        try await PeopleFixture.with { people async throws in
            let invitations = people.engine.invitations
            try await people.users.put("ada")
            let before = try await people.session(of: "ada")
            let codes = [
                try await invitations.resetPassword(email: "ada@example.com").code,
                try await invitations.resetPassword(email: "ada@example.com").code,
            ]
            let session = try await invitations.choose(
                codes[0],
                .resetPassword,
                names: nil,
                password: "correct horse",
                PeopleFixture.visitor
            )
            #expect(try await people.engine.sessions.find(token: before.token) == nil)
            #expect(try await people.engine.sessions.find(token: session.token)?.person.firstName == "ada")
            try await people.users.put("ada", state: "blocked")
            await #expect(throws: CodeIsGone()) {
                try await invitations.choose(
                    codes[1],
                    .resetPassword,
                    names: nil,
                    password: "correct horse",
                    PeopleFixture.visitor
                )
            }
            await #expect(throws: FormRefusal("email", .notActive)) {
                try await invitations.signIn(email: "ada@example.com")
            }
            await #expect(throws: FormRefusal("email", .emailUnknown)) {
                try await invitations.resetPassword(email: "nobody@example.com")
            }
        }
    }
}
