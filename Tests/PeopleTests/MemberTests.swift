import People
import ResourceModel
import Store
import Testing

/// Who belongs to the workspace; it always has an owner.
@Suite struct MemberTests {
    @Test func `the administrator owns a workspace that nobody owned`() async throws {
        try await PeopleFixture.with { people async throws in
            try await people.engine.members.complete()
            let members = try await people.engine.members.list()
            #expect(members.map(\.person.name) == ["1"] && members[0].role == .owner)
        }
    }

    @Test func `the last owner stays one`() async throws {
        try await PeopleFixture.with { people async throws in
            let members = people.engine.members
            try await people.users.put("ada")
            let ada = try #require(try await people.person("ada"))
            try await members.add(ada, .user)
            await #expect(throws: WorkspaceMembership.lastOwner) { try await members.remove("1") }
            await #expect(throws: WorkspaceMembership.lastOwner) { try await members.setRole(of: "1", .user) }
            try await members.setRole(of: "1", .owner)
            try await members.setRole(of: "ada", .owner)
            try await members.setRole(of: "1", .user)
            await #expect(throws: WorkspaceMembership.lastOwner) { try await members.remove("ada") }
            await #expect(throws: WorkspaceMembership.lastOwner) {
                try await WorkspaceMembership.checkOwners(without: ada.resource, people.store)
            }
            try await WorkspaceMembership.checkOwners(without: ResourceID("/users/1"), people.store)
            try await members.remove("1")
            #expect(try await members.list().map(\.person.name) == ["ada"])
            await #expect(throws: APIError.self) { try await members.remove("1") }
            await #expect(throws: APIError.self) { try await members.setRole(of: "nobody", .owner) }
        }
    }

    @Test(arguments: ["pending", "blocked", "deleted"])
    func `an owner who may not sign in is none`(state: String) async throws {
        try await PeopleFixture.with { people async throws in
            let members = people.engine.members
            try await people.users.put("ada", state: state)
            try await members.put(try #require(try await people.person("ada")), .user)
            try await members.put(try #require(try await people.person("ada")), .owner)
            #expect(try await members.list().map(\.role) == [.owner, .owner])
            await #expect(throws: WorkspaceMembership.lastOwner) { try await members.remove("1") }
            await #expect(throws: WorkspaceMembership.lastOwner) {
                try await WorkspaceMembership.checkOwners(without: ResourceID(["users", "1"]), people.store)
            }
            try await members.remove("ada")
        }
    }

    @Test func `of two owners who remove one another at once, one stays`() async throws {
        try await PeopleFixture.with { people async throws in
            let members = people.engine.members
            try await people.users.put("ada")
            for _ in 0..<10 {
                let ada = try #require(try await people.person("ada"))
                try? await members.add(ada, .owner)
                try? await members.add(try #require(try await people.person("1")), .owner)
                async let one: ()? = try? members.remove("1")
                async let other: ()? = try? members.remove("ada")
                _ = await (one, other)
                #expect(try await members.list().count == 1)
            }
        }
    }

    @Test func `the record says who changed a member`() async throws {
        try await PeopleFixture.with { people async throws in
            try await people.users.put("ada")
            let ada = try #require(try await people.person("ada"))
            try await ChangeActor.$current.withValue("users/1") { try await people.engine.members.add(ada, .user) }
            #expect(try await people.audit().last == "put /workspaces/w/members/ada users/1")
        }
    }
}
