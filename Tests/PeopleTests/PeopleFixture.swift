import Foundation
import Logging
import People
import ResourceModel
import Store
import Synchronization

/// The people's room on stores of its own in a temporary folder, with a clock that tests turn.
struct PeopleFixture {
    let store: SQLiteResourceStore
    let engine: PeopleEngine
    let clock: Clock
    let users: Users
    let workspace = ResourceID(["workspaces", "w"])

    final class Clock: Sendable {
        private let time = Mutex(1_000_000.0)
        var now: Double { time.withLock { $0 } }
        func advance(_ seconds: Double) { time.withLock { $0 += seconds } }
    }

    /// Users without the rules of the management API; passwords are hashed only where a test needs that.
    final class Users: UserBook {
        let store: SQLiteResourceStore
        let box: SecretBox
        /// Whether the next change fails, as on a full disk.
        let fails = Mutex(false)

        init(_ store: SQLiteResourceStore, _ box: SecretBox) {
            self.store = store
            self.box = box
        }

        func create(_ name: String, _ properties: JSONObject) async throws { try await write(name, properties) }

        func change(_ name: String, _ properties: JSONObject) async throws {
            if fails.withLock({ $0 }) { throw StoreError.diskFull }
            var merged = try await store.get(ResourceID(["users", name]))?.properties ?? [:]
            for member in properties.members { merged[member.name] = member.value }
            try await write(name, merged)
        }

        /// - Parameter hash: of the password; without it a real one is made of the property.
        func write(_ name: String, _ properties: JSONObject, hash: String? = nil) async throws {
            let id = ResourceID(["users", name])
            var (properties, secrets) = (properties, [SecretWrite]())
            if let password = properties["password"]?.string {
                properties = JSONObject(properties.members.filter { $0.name != "password" })
                let text = try hash ?? PasswordHash.make(password)
                secrets.append(try box.secret(text, key: id.key, slot: "password", isKey: false))
            } else if let hash {
                secrets.append(try box.secret(hash, key: id.key, slot: "password", isKey: false))
            }
            let email = properties["email"]?.string?.lowercased()
            _ = try await store.apply([
                ResourceWrite(id, .put(properties: properties, index: [email], secrets: secrets))
            ])
        }

        func put(_ name: String, state: String = "active", hash: String? = PasswordHash.ofNobody()) async throws {
            try await write(
                name,
                [
                    "email": .string("\(name)@example.com"), "firstName": .string(name), "lastName": "Test",
                    "state": .string(state),
                ],
                hash: hash
            )
        }
    }

    /// - Parameters:
    ///   - sessions: what stands before the store of sessions.
    ///   - logger: of the room.
    static func with(
        sessions: (any SessionStore) -> any SessionStore = { $0 },
        logger: Logger = Logger(label: "people") { _ in SwiftLogNoOpLogHandler() },
        _ work: (PeopleFixture) async throws -> Void
    ) async throws {
        let path = FileManager.default.temporaryDirectory.path + "/people-\(Identifier.hex32())"
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: path) }
        let store = try SQLiteResourceStore(path: "\(path)/configuration.sqlite")
        let queue = try SQLiteWorkQueue(path: "\(path)/work.sqlite")
        let pool = PasswordPool()
        let (box, clock) = (SecretBox(masterKey: Array(repeating: 7, count: 32)), Clock())
        let users = Users(store, box)
        let workspace = ResourceID(["workspaces", "w"])
        _ = try await store.apply([ResourceWrite(workspace, .put(properties: [:], index: [], secrets: []))])
        try await users.put("1")
        let engine = PeopleEngine(
            .init(
                store: store,
                sessions: sessions(SQLiteSessionStore(queue)),
                box: box,
                workspace: workspace,
                pool: pool,
                users: users,
                links: PeopleLinks(base: { "http://portal" }, forOthers: { "https://public" }),
                premises: .init(
                    isValidName: { !$0.isEmpty },
                    rename: { _, _, _ in },
                    holdsBlobs: { false },
                    forgetFirstPassword: {}
                ),
                logger: logger
            ),
            now: { clock.now }
        )
        try await engine.members.complete()
        try await work(PeopleFixture(store: store, engine: engine, clock: clock, users: users))
        try store.file.close()
        try queue.file.close()
        try await pool.shutdown()
    }

    static let visitor = Visitor(address: "127.0.0.1", agent: "Test")

    func person(_ name: String) async throws -> Person? { try await engine.directory.person(named: name) }

    /// A session of somebody who is there.
    func session(of name: String, isRemembered: Bool = false) async throws -> Session {
        guard let person = try await person(name) else { throw CodeIsGone() }
        return try await engine.sessions.begin(person, isRemembered: isRemembered, address: "127.0.0.1", agent: "Test")
    }

    /// What the record of changes holds, as `put /users/1 system`.
    func audit() async throws -> [String] {
        try await store.audit(since: 0, limit: 1000).map {
            "\($0.change.isDeletion ? "delete" : "put") \($0.change.id) \($0.actor)"
        }
    }
}
