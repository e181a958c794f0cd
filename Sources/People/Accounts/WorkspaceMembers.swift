package import ResourceModel
package import Store

/// Somebody who belongs to the workspace.
package struct WorkspaceMember: Sendable {
    /// As lists show it: `Person.roles` are empty.
    package let person: Person
    package let role: WorkspaceMembership.Role
}

/// The members of a workspace and their roles; it always has an owner.
package struct WorkspaceMembers: Sendable {
    /// Members at most: their list is one page.
    private static let countMax = 500
    /// Tries of a change while others change the configuration at the same time.
    private static let attemptsMax = 20

    private let store: any ResourceStore
    let people: PeopleDirectory
    private let workspace: ResourceID

    package init(store: any ResourceStore, people: PeopleDirectory, workspace: ResourceID) {
        self.store = store
        self.people = people
        self.workspace = workspace
    }

    /// Owners first, then by e-mail.
    package func list() async throws -> [WorkspaceMember] {
        var members: [WorkspaceMember] = []
        for entry in try await entries() {
            guard let role = WorkspaceMembership.role(entry),
                let person = try await people.listed(named: entry.id.name)
            else { continue }
            members.append(WorkspaceMember(person: person, role: role))
        }
        return members.sorted {
            ($0.role == .owner ? 0 : 1, $0.person.email) < ($1.role == .owner ? 0 : 1, $1.person.email)
        }
    }

    /// Takes a person in.
    ///
    /// - Throws: `FormRefusal` for somebody who is a member already; `APIError` where there are too many.
    package func add(_ person: Person, _ role: WorkspaceMembership.Role) async throws {
        try await change { entries async throws in
            guard !entries.contains(where: { $0.id.name.lowercased() == person.name.lowercased() }) else {
                throw FormRefusal("email", .alreadyMember)
            }
            guard entries.count < Self.countMax else {
                throw APIError.validation("email", "A workspace has at most \(Self.countMax) members.")
            }
            return WorkspaceMembership.write(person.name, role, in: workspace)
        }
    }

    /// Takes a person in, or gives the role to whoever is a member already.
    ///
    /// - Throws: `APIError` 409 for the last owner, or where there are too many.
    package func put(_ person: Person, _ role: WorkspaceMembership.Role) async throws {
        do { try await add(person, role) } catch let refusal as FormRefusal
            where refusal == FormRefusal("email", .alreadyMember)
        { try await setRole(of: person.name, role) }
    }

    /// - Throws: `APIError` 409 for the last owner, 404 for nobody.
    package func setRole(of user: String, _ role: WorkspaceMembership.Role) async throws {
        try await change { entries in
            let member = try Self.member(user, entries)
            if role != .owner { try await checkOwner(besides: member, entries) }
            return WorkspaceMembership.write(member.id.name, role, in: workspace)
        }
    }

    /// - Throws: `APIError` 409 for the last owner, 404 for nobody.
    package func remove(_ user: String) async throws {
        try await change { entries in
            let member = try Self.member(user, entries)
            try await checkOwner(besides: member, entries)
            return ResourceWrite(member.id, .delete, condition: .exists)
        }
    }

    /// Makes the installation's administrator owner of a workspace that has nobody: those of earlier versions.
    package func complete() async throws {
        guard try await entries().isEmpty else { return }
        _ = try await store.apply([WorkspaceMembership.write("1", .owner, in: workspace)])
    }

    private func entries() async throws -> [IndexEntry] {
        try await store.index(type: WorkspaceMembership.word, parent: workspace)
    }

    private static func member(_ user: String, _ entries: [IndexEntry]) throws -> IndexEntry {
        guard let member = entries.first(where: { $0.id.name.lowercased() == user.lowercased() }) else {
            throw APIError.notFound("The member was not found.")
        }
        return member
    }

    /// - Throws: `lastOwner` where a member is an owner and no other one is active.
    private func checkOwner(besides member: IndexEntry, _ entries: [IndexEntry]) async throws {
        guard WorkspaceMembership.role(member) == .owner else { return }
        for other in entries where WorkspaceMembership.role(other) == .owner && other.id != member.id {
            if try await WorkspaceMembership.isActive(other.id.name, store) { return }
        }
        throw WorkspaceMembership.lastOwner
    }

    /// Judges and writes as one: of two owners who remove one another, one stays.
    private func change(_ judge: ([IndexEntry]) async throws -> ResourceWrite) async throws {
        for _ in 0..<Self.attemptsMax {
            let sequence = try await store.lastSequence()
            var write = try await judge(try await entries())
            write.requirements.append(.unchanged(since: sequence))
            do {
                _ = try await store.apply([write])
                return
            } catch StoreError.etagMismatch { continue }
        }
        throw APIError(status: 503, code: "ServiceUnavailable", message: "Too many changes at once; try again.")
    }
}
