package import NIOCore
package import NIOPosix
import Synchronization

#if canImport(Glibc)
import Glibc
#endif

/// Finds the addresses of names, on threads of its own; shared by all loops.
///
/// What was found is used for half a minute and looked up anew while it goes on being used, so that calls do not wait for name
/// servers; a server that fails does not take away what was known.
package final class NameResolver: Sendable {
    package struct NotFound: Error {
        package let host: String
        package init(host: String) { self.host = host }
    }

    /// Time after which a name is looked up again.
    private static let refreshTime = TimeAmount.seconds(30)
    /// Time that addresses are used while nobody can say newer ones.
    private static let staleTime = TimeAmount.minutes(10)
    /// Names that are remembered: policies may compute them from what callers send.
    private static let namesMax = 4096
    /// Look-ups that wait or run.
    private static let lookupsMax = 256

    private struct Entry {
        var addresses: [String] = []
        var time = NIODeadline.uptimeNanoseconds(0)
        var isLooking = false
        var waiting: [EventLoopPromise<[String]>] = []
    }

    private struct State {
        var entries: [String: Entry] = [:]
        var lookups = 0
    }

    private let state = Mutex(State())
    private let threads: NIOThreadPool
    private let lookup: @Sendable (String) throws -> [String]
    private let now: @Sendable () -> NIODeadline

    /// - Parameters:
    ///   - threads: running; a look-up may take one for seconds.
    ///   - lookup: the addresses of a name, as text.
    package init(
        threads: NIOThreadPool,
        lookup: @Sendable @escaping (String) throws -> [String] = NameResolver.systemLookup,
        now: @Sendable @escaping () -> NIODeadline = { .now() }
    ) {
        self.threads = threads
        self.lookup = lookup
        self.now = now
    }

    /// The addresses of a name, the first to be tried first; never none.
    package func resolve(_ host: String, on loop: any EventLoop) -> EventLoopFuture<[String]> {
        if NameResolver.isAddress(host) { return loop.makeSucceededFuture([host]) }
        let promise = loop.makePromise(of: [String].self)
        let now = now()
        enum Step {
            case answer([String], refresh: Bool)
            case wait(mustLook: Bool)
            case refuse
        }
        let step: Step = state.withLock { state in
            if state.entries[host] == nil, state.entries.count >= NameResolver.namesMax {
                state.entries = state.entries.filter {
                    $0.value.isLooking || now - $0.value.time < NameResolver.refreshTime
                }
                if state.entries.count >= NameResolver.namesMax { return .refuse }
            }
            var entry = state.entries[host] ?? Entry()
            defer { state.entries[host] = entry }
            let age = now - entry.time
            let isKnown = !entry.addresses.isEmpty && age < NameResolver.staleTime
            let mayLook = !entry.isLooking && state.lookups < NameResolver.lookupsMax
            if isKnown {
                let refresh = age >= NameResolver.refreshTime && mayLook
                if refresh {
                    entry.isLooking = true
                    state.lookups += 1
                }
                return .answer(entry.addresses, refresh: refresh)
            }
            guard entry.isLooking || mayLook else { return .refuse }
            entry.waiting.append(promise)
            guard !entry.isLooking else { return .wait(mustLook: false) }
            entry.isLooking = true
            state.lookups += 1
            return .wait(mustLook: true)
        }
        switch step {
        case .answer(let addresses, let refresh):
            promise.succeed(addresses)
            if refresh { look(host) }
        case .wait(let mustLook): if mustLook { look(host) }
        case .refuse: promise.fail(NotFound(host: host))
        }
        return promise.futureResult
    }

    /// Whether a name still stands for an address, as far as is known; looks it up again when that was long ago.
    package func isCurrent(_ host: String, _ address: String) -> Bool {
        if NameResolver.isAddress(host) { return true }
        let now = now()
        let (isCurrent, refresh) = state.withLock { state -> (Bool, Bool) in
            guard var entry = state.entries[host], !entry.addresses.isEmpty else { return (true, false) }
            let refresh =
                !entry.isLooking && now - entry.time >= NameResolver.refreshTime
                && state.lookups < NameResolver.lookupsMax
            if refresh {
                entry.isLooking = true
                state.lookups += 1
                state.entries[host] = entry
            }
            return (entry.addresses.contains(address), refresh)
        }
        if refresh { look(host) }
        return isCurrent
    }

    private func look(_ host: String) {
        threads.submit { [self] poolState in
            var found: [String] = []
            if case .active = poolState { found = (try? lookup(host)) ?? [] }
            let now = now()
            let (waiting, addresses) = state.withLock { state -> ([EventLoopPromise<[String]>], [String]) in
                state.lookups -= 1
                guard var entry = state.entries[host] else { return ([], []) }
                entry.isLooking = false
                if !found.isEmpty {
                    entry.addresses = found
                    entry.time = now
                }
                let waiting = entry.waiting
                entry.waiting = []
                // A name that nobody knows is not remembered.
                state.entries[host] = entry.addresses.isEmpty ? nil : entry
                return (waiting, found)
            }
            for promise in waiting {
                if addresses.isEmpty { promise.fail(NotFound(host: host)) } else { promise.succeed(addresses) }
            }
        }
    }

    private static func isAddress(_ host: String) -> Bool { (try? SocketAddress(ipAddress: host, port: 0)) != nil }

    /// The system's own: files, name servers, whatever it is set to.
    package static let systemLookup: @Sendable (String) throws -> [String] = { host in
        var hints = addrinfo()
        hints.ai_family = AF_UNSPEC
        hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
        var first: UnsafeMutablePointer<addrinfo>?
        guard getaddrinfo(host, nil, &hints, &first) == 0 else { throw NotFound(host: host) }
        defer { freeaddrinfo(first) }
        var found: [String] = []
        var place = first
        while let info = place {
            var text = [CChar](repeating: 0, count: Int(NI_MAXHOST))
            let result = getnameinfo(
                info.pointee.ai_addr,
                info.pointee.ai_addrlen,
                &text,
                socklen_t(text.count),
                nil,
                0,
                NI_NUMERICHOST
            )
            if result == 0 {
                let address = String(decoding: text.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
                if !found.contains(address) { found.append(address) }
            }
            place = info.pointee.ai_next
        }
        return found
    }
}
