import HTTPServing
import Logging
import People
import ResourceModel
import Store
import Synchronization
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

    @Test func `who is signed in stays so on a full disk, and the log tells it once`() async throws {
        let (disk, log) = (FullDisk(), Log())
        let logger = Logger(label: "people") { _ in CountingHandler(told: log) }
        try await PeopleFixture.with(sessions: { FullDiskSessions(store: $0, disk: disk) }, logger: logger) {
            people async throws in
            let sessions = people.engine.sessions
            let session = try await people.session(of: "1")
            disk.isFull.withLock { $0 = true }
            for _ in 0..<3 {
                people.clock.advance(61)
                #expect(try await sessions.find(token: session.token)?.person.name == "1")
            }
            #expect(log.count.withLock { $0 } == 1)
            // It was not noted as seen, so it is over sooner; nor can that be noted.
            people.clock.advance(12 * 3600)
            #expect(try await sessions.find(token: session.token) == nil)
            #expect(log.count.withLock { $0 } == 1)
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

private final class FullDisk: Sendable {
    let isFull = Mutex(false)
}

/// Counts what is told to the log.
private final class Log: Sendable {
    let count = Mutex(0)
}

private struct CountingHandler: LogHandler {
    let told: Log
    var metadata: Logger.Metadata = [:]
    var logLevel = Logger.Level.info

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    func log(event: LogEvent) { told.count.withLock { $0 += 1 } }
}

/// A store of sessions that cannot write while the disk is full.
private struct FullDiskSessions: SessionStore {
    let store: any SessionStore
    let disk: FullDisk

    private func check() throws { if disk.isFull.withLock({ $0 }) { throw StoreError.diskFull } }

    func add(_ session: StoredSession, atMost: Int) async throws {
        try check()
        try await store.add(session, atMost: atMost)
    }
    func session(digest: [UInt8]) async throws -> StoredSession? { try await store.session(digest: digest) }
    func sessions(user: String) async throws -> [StoredSession] { try await store.sessions(user: user) }
    func touch(digest: [UInt8], seen: Double, authenticated: Double) async throws {
        try check()
        try await store.touch(digest: digest, seen: seen, authenticated: authenticated)
    }
    func end(user: String, id: String) async throws -> Bool {
        try check()
        return try await store.end(user: user, id: id)
    }
    func endAll(user: String, but digest: [UInt8]?) async throws -> Int {
        try await store.endAll(user: user, but: digest)
    }
    func removeEnded(_ bounds: SessionBounds) async throws { try await store.removeEnded(bounds) }
    func add(_ code: StoredCode, atMost: Int) async throws { try await store.add(code, atMost: atMost) }
    func take(digest: [UInt8], purpose: String, now: Double) async throws -> StoredCode? {
        try await store.take(digest: digest, purpose: purpose, now: now)
    }
    func code(digest: [UInt8], purpose: String, now: Double) async throws -> StoredCode? {
        try await store.code(digest: digest, purpose: purpose, now: now)
    }
    func hasEverSignedIn() async throws -> Bool { try await store.hasEverSignedIn() }
}
