import People
import ResourceModel
import Store
import Testing

/// Signing in by e-mail and password, and the form of the first run.
@Suite struct SignInTests {
    private static func word(_ outcome: SignIns.Outcome) -> String {
        switch outcome {
        case .signedIn: "in"
        case .refused: "refused"
        case .tooMany: "wait"
        }
    }

    @Test func `an unknown mail, a wrong password and a blocked account are told the same`() async throws {
        try await PeopleFixture.with { people async throws in
            try await people.users.put("ada", hash: try PasswordHash.make("correct horse"))
            try await people.users.put("none", hash: nil)
            let sign = { (email: String, password: String) in
                Self.word(
                    try await people.engine.signIns.signIn(
                        email: email,
                        password: password,
                        isRemembered: false,
                        address: "127.0.0.1",
                        agent: "Test"
                    )
                )
            }
            #expect(try await sign("ADA@example.com", "correct horse") == "in")
            #expect(try await sign("ada@example.com", "correct horsf") == "refused")
            #expect(try await sign("none@example.com", "") == "refused")
            #expect(try await sign("nobody@example.com", "correct horse") == "refused")
            #expect(try await sign("ada@example.com", String(repeating: "x", count: 100_000)) == "refused")
            try await people.users.put("ada", state: "blocked", hash: nil)
            #expect(try await sign("ada@example.com", "correct horse") == "refused")
        }
    }

    @Test func `a flood from one address is turned away before anything is hashed`() async throws {
        try await PeopleFixture.with { people async throws in
            let words = await withTaskGroup(of: String.self) { group in
                for number in 0..<200 {
                    group.addTask {
                        let outcome = try? await people.engine.signIns.signIn(
                            email: "\(number % 2)@example.com",
                            password: "guess \(number)",
                            isRemembered: false,
                            address: "127.0.0.9",
                            agent: ""
                        )
                        return outcome.map(Self.word) ?? "error"
                    }
                }
                return await group.reduce(into: [:]) { (counts: inout [String: Int], word) in
                    counts[word, default: 0] += 1
                }
            }
            // As many as wait at once, and what is free until the waits begin.
            #expect((1...28).contains(words["refused"] ?? 0))
            #expect((words["refused"] ?? 0) + (words["wait"] ?? 0) == 200)
        }
    }

    @Test func `one's own password is changed by whoever knows it, and ends all other sessions`() async throws {
        try await PeopleFixture.with { people async throws in
            try await people.users.put("ada", hash: try PasswordHash.make("correct horse"))
            let (own, other) = (try await people.session(of: "ada"), try await people.session(of: "ada"))
            let change = { (current: String, password: String) in
                try await people.engine.accounts.changePassword(
                    of: own.person,
                    current: current,
                    password: password,
                    isRemembered: false,
                    PeopleFixture.visitor
                )
            }
            await #expect(throws: FormRefusal("password", .passwordShort)) {
                try await change("correct horse", "7 bytes")
            }
            await #expect(throws: FormRefusal("current", .passwordWrong)) {
                try await change("wrong", "battery staple")
            }
            await #expect(throws: FormRefusal("password", .passwordSame)) {
                try await change("correct horse", "correct horse")
            }
            let session = try await change("correct horse", "battery staple")
            for old in [own, other] { #expect(try await people.engine.sessions.find(token: old.token) == nil) }
            #expect(try await people.engine.sessions.find(token: session.token)?.person.name == "ada")
        }
    }

    @Test func `whoever opens an empty installation first gives it its names, once`() async throws {
        try await PeopleFixture.with { people async throws in
            let firstRun = people.engine.firstRun
            #expect(try await !firstRun.isOpen())
            #expect(try await people.engine.firstLink()?.hasPrefix("http://portal/signin/link?code=") == true)
            _ = try await people.store.apply([FirstRun.write])
            #expect(try await people.engine.firstLink()?.hasPrefix("http://portal/setup?code=") == true)
            let (code, other) = (try await firstRun.makeCode(), try await firstRun.makeCode())
            var form = FirstRun.Form(name: "", organization: "", email: "ada", password: "short")
            await #expect(
                throws: FormRefusal([
                    .init("name", .serviceName), .init("organization", .organizationLength),
                    .init("email", .emailForm), .init("password", .passwordShort),
                ])
            ) { try await firstRun.claim(form, code: code, PeopleFixture.visitor) }
            form = .init(name: "rooms", organization: "Rooms", email: "ada@rooms", password: "correct horse")
            let session = try await firstRun.claim(form, code: code, PeopleFixture.visitor)
            #expect(session.person.email == "ada@rooms" && session.person.lastName == "Rooms")
            #expect(try await firstRun.opens(other) == nil)
            await #expect(throws: CodeIsGone()) { try await firstRun.claim(form, code: other, PeopleFixture.visitor) }
            #expect(try await people.engine.firstLink() == nil)
        }
    }

    @Test func `what somebody has begun to use is not given other names`() async throws {
        try await PeopleFixture.with { people async throws in
            _ = try await people.store.apply([FirstRun.write])
            let code = try await people.engine.firstRun.makeCode()
            #expect(try await people.engine.firstRun.opens(code) != nil)
            let write = ResourceWrite(ResourceID(["apis", "a"]), .put(properties: [:], index: [], secrets: []))
            // The server's own changes are nobody's use.
            for _ in 0..<101 { _ = try await people.store.apply([write]) }
            #expect(try await people.engine.firstRun.opens(code) != nil)
            _ = try await ChangeActor.$current.withValue("management token") { try await people.store.apply([write]) }
            #expect(try await people.engine.firstRun.opens(code) == nil)
        }
    }

    @Test func `the first session of any kind closes the form for good`() async throws {
        try await PeopleFixture.with { people async throws in
            _ = try await people.store.apply([FirstRun.write])
            let mark = try #require(try await people.store.index(type: "firstRun").first)
            _ = try await people.session(of: "1")
            // Where the file of sessions is lost, the configuration still knows.
            #expect(try await people.store.indexEntry(mark.id) == nil)
        }
    }

    @Test func `of two who fill the form in at once one gets in`() async throws {
        try await PeopleFixture.with { people async throws in
            _ = try await people.store.apply([FirstRun.write])
            let firstRun = people.engine.firstRun
            let codes = [try await firstRun.makeCode(), try await firstRun.makeCode(), try await firstRun.makeCode()]
            let claims = await withTaskGroup(of: Int.self) { group in
                for code in codes {
                    group.addTask {
                        let form = FirstRun.Form(
                            name: "rooms",
                            organization: "Rooms",
                            email: "ada@rooms",
                            password: "correct horse"
                        )
                        return (try? await firstRun.claim(form, code: code, PeopleFixture.visitor)) == nil ? 0 : 1
                    }
                }
                return await group.reduce(0, +)
            }
            #expect(claims == 1)
        }
    }

    @Test func `those who come when too many wait are refused, and who has gone waits no more`() async throws {
        let turns = Turns(count: 1, waitingMax: 1)
        try await turns.wait()
        await withTaskGroup(of: String.self) { group in
            for _ in 0..<2 {
                group.addTask {
                    do { try await turns.wait() } catch { return "\(type(of: error))" }
                    return "waited"
                }
            }
            #expect(await group.next() == "AreTooMany")
            group.cancelAll()
            #expect(await group.next() == "CancellationError")
        }
        turns.pass()
        try await turns.wait()
        turns.pass()
    }
}
