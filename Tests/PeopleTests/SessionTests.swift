import HTTPServing
import People
import ResourceModel
import Store
import Testing

/// When sessions end.
@Suite struct SessionTests {
    @Test func `a session ends half a day after it was seen, and a week after it began`() async throws {
        try await PeopleFixture.with { people async throws in
            let sessions = people.engine.sessions
            let idle = try await people.session(of: "1")
            people.clock.advance(12 * 3600)
            #expect(try await sessions.find(token: idle.token) != nil)
            people.clock.advance(12 * 3600 + 1)
            #expect(try await sessions.find(token: idle.token) == nil)
            // It is gone for good, whatever the clock says.
            people.clock.advance(-3600)
            #expect(try await sessions.find(token: idle.token) == nil)

            let busy = try await people.session(of: "1")
            for _ in 0..<14 {
                people.clock.advance(12 * 3600)
                #expect(try await sessions.find(token: busy.token) != nil)
            }
            people.clock.advance(1)
            #expect(try await sessions.find(token: busy.token) == nil)
        }
    }

    @Test func `whoever is remembered has a month without a visit, and three in all`() async throws {
        try await PeopleFixture.with { people async throws in
            let session = try await people.session(of: "1", isRemembered: true)
            for _ in 0..<3 {
                people.clock.advance(30 * 86_400)
                #expect(try await people.engine.sessions.find(token: session.token) != nil)
            }
            people.clock.advance(1)
            #expect(try await people.engine.sessions.find(token: session.token) == nil)
        }
    }

    @Test func `whoever is blocked or deleted, or has another password, is out at once`() async throws {
        try await PeopleFixture.with { people async throws in
            let sessions = people.engine.sessions
            let kept = "scrypt$kept"
            try await people.users.put("ada", hash: kept)
            for change in ["blocked", "deleted", "password", "gone"] {
                try await people.users.put("ada", hash: kept)
                let session = try await people.session(of: "ada")
                #expect(try await sessions.find(token: session.token) != nil)
                switch change {
                case "gone": _ = try await people.store.apply([ResourceWrite(ResourceID("/users/ada"), .delete)])
                case "password": try await people.users.put("ada", hash: "scrypt$another")
                default: try await people.users.put("ada", state: change, hash: kept)
                }
                #expect(try await sessions.find(token: session.token) == nil, "\(change)")
                // Nor does it come back with the account.
                try await people.users.put("ada", hash: kept)
                #expect(try await sessions.find(token: session.token) == nil, "\(change)")
            }
        }
    }

    @Test func `a role that was taken away is gone with the next request`() async throws {
        try await PeopleFixture.with { people async throws in
            try await people.users.put("ada")
            let ada = try #require(try await people.person("ada"))
            let administrator = ResourceID("/groups/administrators/users/ada")
            _ = try await people.store.apply([
                ResourceWrite(ResourceID("/groups/administrators"), .put(properties: [:], index: [], secrets: [])),
                ResourceWrite(administrator, .put(properties: [:], index: ["ada"], secrets: [])),
            ])
            try await people.engine.members.add(ada, .owner)
            let session = try await people.session(of: "ada")
            let found = { try await people.engine.sessions.find(token: session.token)?.person.roles }
            #expect(try await found() == [.administrator, .workspaceOwner, .developer])
            try await people.engine.members.setRole(of: "ada", .user)
            _ = try await people.store.apply([ResourceWrite(administrator, .delete)])
            #expect(try await found() == [.workspaceUser, .developer])
            try await people.engine.members.remove("ADA")
            #expect(try await found() == [.developer])
        }
    }

    @Test func `people list their sessions and end each or all others`() async throws {
        try await PeopleFixture.with { people async throws in
            let accounts = people.engine.accounts
            try await people.users.put("ada")
            let (own, other) = (try await people.session(of: "1"), try await people.session(of: "1"))
            let adas = try await people.session(of: "ada")
            let caller = Caller(proof: .session(id: own.stored.id), user: "1")
            #expect(try await Set(accounts.sessions(of: caller).map(\.id)) == [own.stored.id, other.stored.id])
            await #expect(throws: APIError.self) { try await accounts.endSession(adas.stored.id, of: caller) }
            try await accounts.endSession(other.stored.id, of: caller)
            #expect(try await people.engine.sessions.find(token: other.token) == nil)
            _ = try await people.session(of: "1")
            #expect(try await accounts.endOtherSessions(of: caller) == 1)
            #expect(try await people.engine.sessions.find(token: own.token) != nil)
            #expect(try await people.engine.sessions.find(token: adas.token) != nil)
        }
    }

    @Test func `what is dangerous asks for the password after ten minutes`() async throws {
        try await PeopleFixture.with { people async throws in
            let session = try await people.session(of: "1")
            let caller = Caller(proof: .session(id: session.stored.id), user: "1")
            people.clock.advance(600)
            #expect(try await people.engine.accounts.isFresh(caller))
            people.clock.advance(1)
            #expect(try await !people.engine.accounts.isFresh(caller))
            try await people.engine.sessions.refresh(session.stored)
            #expect(try await people.engine.accounts.isFresh(caller))
            #expect(try await !people.engine.accounts.isFresh(.nobody))
        }
    }
}
