import Store
import Testing

/// What every store of sessions and one-time codes must do.
enum SessionStoreConformance {
    private static func session(
        _ digest: UInt8,
        _ user: String = "1",
        at time: Double,
        remembered: Bool = false
    )
        -> StoredSession
    {
        StoredSession(
            digest: [digest],
            id: "s\(digest)",
            user: user,
            passwordMark: [7],
            created: time,
            isRemembered: remembered,
            address: "127.0.0.1",
            agent: "Firefox"
        )
    }

    static func keepsSessions(_ store: any SessionStore) async throws {
        #expect(try await !store.hasEverSignedIn())
        for digest in UInt8(1)...3 { try await store.add(session(digest, at: Double(digest)), atMost: 3) }
        try await store.add(session(9, "2", at: 0), atMost: 3)
        #expect(try await store.hasEverSignedIn())
        #expect(try await store.session(digest: [2]) == session(2, at: 2))
        #expect(try await store.session(digest: [4]) == nil)
        // The least recently seen one goes; times only go on.
        try await store.touch(digest: [1], seen: 10, authenticated: 5)
        try await store.touch(digest: [1], seen: 4, authenticated: 0)
        let touched = try #require(try await store.session(digest: [1]))
        #expect(touched.seen == 10 && touched.authenticated == 5 && touched.created == 1)
        try await store.add(session(4, at: 4), atMost: 3)
        #expect(try await store.sessions(user: "1").map(\.digest) == [[1], [4], [3]])
        // A new session stays although others were seen later than it began.
        try await store.add(session(5, at: 0), atMost: 3)
        #expect(try await store.session(digest: [5]) != nil)
        #expect(try await store.sessions(user: "1").count == 3)
        // One is ended by its public name, by its own person only.
        #expect(try await !store.end(user: "2", id: "s1"))
        #expect(try await store.end(user: "1", id: "s1"))
        #expect(try await !store.end(user: "1", id: "s1"))
        for (digest, user) in [(UInt8(1), "1"), (2, "2")] {
            try await store.add(code(digest: [digest], purpose: "p", user: user, expires: 200), atMost: 9)
        }
        #expect(try await store.endAll(user: "1", but: [5]) == 1)
        #expect(try await store.code(digest: [1], purpose: "p", now: 1) == nil)
        #expect(try await store.code(digest: [2], purpose: "p", now: 1) != nil)
        #expect(try await store.sessions(user: "1").map(\.digest) == [[5]])
        #expect(try await store.endAll(user: "1", but: nil) == 1)
        #expect(try await store.sessions(user: "2").count == 1)
        #expect(try await store.hasEverSignedIn())
    }

    static func removesWhatEnded(_ store: any SessionStore) async throws {
        try await store.add(session(1, at: 10), atMost: 9)
        try await store.add(session(2, at: 100), atMost: 9)
        try await store.add(session(3, at: 10, remembered: true), atMost: 9)
        try await store.touch(digest: [1], seen: 200, authenticated: 10)
        try await store.add(code(digest: [1], purpose: "signIn", user: "1", expires: 149), atMost: 9)
        try await store.add(code(digest: [2], purpose: "signIn", user: "1", expires: 150), atMost: 9)
        try await store.removeEnded(
            SessionBounds(
                now: 150,
                createdAfter: 50,
                seenAfter: 90,
                rememberedCreatedAfter: 0,
                rememberedSeenAfter: 10
            )
        )
        #expect(try await store.sessions(user: "1").map(\.digest) == [[2], [3]])
        #expect(try await store.code(digest: [1], purpose: "signIn", now: 0) == nil)
        #expect(try await store.code(digest: [2], purpose: "signIn", now: 0) != nil)
    }

    private static func code(digest: [UInt8], purpose: String, user: String?, expires: Double) -> StoredCode {
        StoredCode(digest: digest, purpose: purpose, user: user, passwordMark: [7, 8], expires: expires)
    }

    static func opensOnce(_ store: any SessionStore) async throws {
        let code = Self.code(digest: [1], purpose: "signIn", user: "1", expires: 100)
        try await store.add(code, atMost: 2)
        #expect(try await store.take(digest: [1], purpose: "invite", now: 0) == nil)
        #expect(try await store.take(digest: [2], purpose: "signIn", now: 0) == nil)
        #expect(try await store.take(digest: [1], purpose: "signIn", now: 101) == nil)
        #expect(try await store.code(digest: [1], purpose: "signIn", now: 100) == code)
        let taken = try await withThrowingTaskGroup(of: Bool.self) { group in
            for _ in 0..<8 {
                group.addTask { try await store.take(digest: [1], purpose: "signIn", now: 100) == code }
            }
            return try await group.reduce(0) { $0 + ($1 ? 1 : 0) }
        }
        #expect(taken == 1)
        // Those that expire first go.
        for (digest, expires) in [(UInt8(3), 30.0), (4, 40), (5, 20)] {
            try await store.add(Self.code(digest: [digest], purpose: "p", user: nil, expires: expires), atMost: 2)
        }
        #expect(try await store.code(digest: [3], purpose: "p", now: 0) == nil)
        #expect(try await store.code(digest: [5], purpose: "p", now: 0) != nil)
        #expect(try await store.code(digest: [4], purpose: "p", now: 0) != nil)
    }
}
