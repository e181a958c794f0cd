import HTTPWire
import NIOCore
import NIOPosix
import Synchronization
import Testing

@Suite struct `Looking up names` {
    /// Name servers that say what they are told, and a clock that is turned by hand.
    private final class Servers: Sendable {
        let answers = Mutex<[String]?>(["10.0.0.1"])
        let lookups = Mutex(0)
        let seconds = Mutex<Int64>(1000)

        func lookup(_ host: String) throws -> [String] {
            lookups.withLock { $0 += 1 }
            guard let found = answers.withLock({ $0 }) else { throw NameResolver.NotFound(host: host) }
            return found
        }

        func now() -> NIODeadline { .uptimeNanoseconds(UInt64(seconds.withLock { $0 }) * 1_000_000_000) }
    }

    private func with(_ body: (Servers, NameResolver, any EventLoop) async throws -> Void) async throws {
        let threads = NIOThreadPool(numberOfThreads: 1)
        threads.start()
        let servers = Servers()
        let resolver = NameResolver(threads: threads, lookup: { try servers.lookup($0) }, now: { servers.now() })
        try await body(servers, resolver, MultiThreadedEventLoopGroup.singleton.any())
        try await threads.shutdownGracefully()
    }

    /// Waits until a look-up that nobody waits for has been done.
    private func settle(_ resolver: NameResolver, _ loop: any EventLoop, _ wanted: [String]) async throws -> Bool {
        for _ in 0..<500 {
            if try await resolver.resolve("a.test", on: loop).get() == wanted { return true }
            try await Task.sleep(for: .milliseconds(2))
        }
        return false
    }

    @Test func `what was found is used, refreshed while it is used, and kept while servers fail`() async throws {
        try await with { servers, resolver, loop in
            let found1 = try await resolver.resolve("a.test", on: loop).get()
            #expect(found1 == ["10.0.0.1"])
            let found2 = try await resolver.resolve("a.test", on: loop).get()
            #expect(found2 == ["10.0.0.1"])
            #expect(servers.lookups.withLock { $0 } == 1)
            #expect(resolver.isCurrent("a.test", "10.0.0.1") && !resolver.isCurrent("a.test", "10.0.0.9"))
            servers.answers.withLock { $0 = ["10.0.0.2"] }
            servers.seconds.withLock { $0 += 31 }
            // The old answer at once, and the new one as soon as it is there.
            let found3 = try await resolver.resolve("a.test", on: loop).get()
            #expect(found3 == ["10.0.0.1"])
            let isSettled = try await settle(resolver, loop, ["10.0.0.2"])
            #expect(isSettled)
            #expect(!resolver.isCurrent("a.test", "10.0.0.1"))
            servers.answers.withLock { $0 = nil }
            servers.seconds.withLock { $0 += 31 }
            let found4 = try await resolver.resolve("a.test", on: loop).get()
            #expect(found4 == ["10.0.0.2"])
            servers.seconds.withLock { $0 += 700 }
            await #expect(throws: NameResolver.NotFound.self) { try await resolver.resolve("a.test", on: loop).get() }
        }
    }

    @Test func `calls at once share a look-up, and addresses need none`() async throws {
        try await with { servers, resolver, loop in
            let futures = (0..<50).map { _ in resolver.resolve("b.test", on: loop) }
            for future in futures {
                let found = try await future.get()
                #expect(found == ["10.0.0.1"])
            }
            #expect(servers.lookups.withLock { $0 } <= 2)
            let before = servers.lookups.withLock { $0 }
            let found5 = try await resolver.resolve("::1", on: loop).get()
            #expect(found5 == ["::1"])
            #expect(servers.lookups.withLock { $0 } == before)
        }
    }

    @Test func `names that nobody knows are not remembered, nor are there endless ones`() async throws {
        try await with { servers, resolver, loop in
            servers.answers.withLock { $0 = nil }
            for _ in 0..<2 {
                await #expect(throws: NameResolver.NotFound.self) {
                    try await resolver.resolve("c.test", on: loop).get()
                }
            }
            #expect(servers.lookups.withLock { $0 } == 2)
            servers.answers.withLock { $0 = ["10.0.0.3"] }
            var refused = 0
            for number in 0..<5000 {
                do { _ = try await resolver.resolve("n\(number).test", on: loop).get() } catch { refused += 1 }
            }
            #expect(refused == 5000 - 4096)
            servers.seconds.withLock { $0 += 31 }
            let found6 = try await resolver.resolve("later.test", on: loop).get()
            #expect(found6 == ["10.0.0.3"])
        }
    }
}
