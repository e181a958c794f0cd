import NIOPosix
import Store
import Synchronization

#if canImport(Glibc)
import Glibc
#endif

/// Hashes passwords on threads of its own, few at a time: each takes some 16 MiB and 50 ms, by intent.
package final class PasswordPool: Sendable {
    /// Threads: more would take cores from calls, and sign-ins are seldom.
    private static let threads = 2
    /// Passwords that wait or are hashed at once: the last of them waits less than a second.
    private static let workingMax = 24
    /// Of these, from one address, or one network of IPv6, so that a flood from one leaves room for others.
    private static let workingPerNetwork = 8
    /// New passwords that wait at most: the last of them some two seconds.
    private static let makingMax = 64
    /// Of 19: a thread of the data path comes first where both want a core.
    private static let niceness: Int32 = 5

    private struct Load {
        var working = 0
        var byNetwork: [String: Int] = [:]
    }

    private let pool = NIOThreadPool(numberOfThreads: PasswordPool.threads)
    private let load = Mutex(Load())
    private let turns = Turns(count: PasswordPool.threads, waitingMax: PasswordPool.makingMax)

    package init() { pool.start() }

    package func shutdown() async throws { try await pool.shutdownGracefully() }

    /// Whether a password is the one that was hashed; nil where too many wait.
    package func verify(_ password: String, _ stored: String, from address: String) async throws -> Bool? {
        try await work(address) { PasswordHash.verify(password, stored) }
    }

    /// The hash of a new password, for callers who are known: they wait until it is their turn, and leave threads to sign-ins.
    ///
    /// - Throws: `Turns.AreTooMany`.
    package func make(_ password: String) async throws -> String {
        try await turns.wait()
        defer { turns.pass() }
        return try await run { try PasswordHash.make(password) }
    }

    private func work<Value: Sendable>(
        _ address: String,
        _ hash: @Sendable @escaping () throws -> Value
    ) async throws -> Value? {
        let network = SignInBackOff.network(of: address)
        guard enter(network) else { return nil }
        defer { leave(network) }
        return try await run(hash)
    }

    /// Once: the allocator hands 16 MiB back to the system as long as it gets so much at once from there.
    ///
    /// By itself it stops doing that after the first hash, and each thread would keep what one hash took.
    private static let givesMemoryBack: Bool = {
        // Swift's Glibc leaves malloc.h out, so the function is looked up by its name.
        guard let place = dlsym(nil, "mallopt") else { return false }
        let set = unsafeBitCast(place, to: (@convention(c) (_ what: CInt, _ value: CInt) -> CInt).self)
        let (trimThreshold, mapThreshold): (CInt, CInt) = (-1, -3)
        return set(mapThreshold, mapBytesMin) == 1 && set(trimThreshold, 2 * mapBytesMin) == 1
    }()
    /// Less than a hash takes, and more than buffers of most requests.
    private static let mapBytesMin: CInt = 8 << 20

    private func run<Value: Sendable>(_ hash: @Sendable @escaping () throws -> Value) async throws -> Value {
        _ = Self.givesMemoryBack
        return try await pool.runIfActive {
            // 0 means the calling thread alone on Linux; a call that changes nothing costs less than remembering it.
            _ = setpriority(__priority_which_t(PRIO_PROCESS.rawValue), 0, Self.niceness)
            return try hash()
        }
    }

    private func enter(_ network: String) -> Bool {
        load.withLock { load in
            guard load.working < Self.workingMax, load.byNetwork[network, default: 0] < Self.workingPerNetwork else {
                return false
            }
            load.working += 1
            load.byNetwork[network, default: 0] += 1
            return true
        }
    }

    private func leave(_ network: String) {
        load.withLock { load in
            load.working -= 1
            let left = load.byNetwork[network, default: 1] - 1
            load.byNetwork[network] = left > 0 ? left : nil
        }
    }
}
