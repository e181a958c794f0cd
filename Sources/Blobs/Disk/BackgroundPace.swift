import Synchronization

#if canImport(Glibc)
import Glibc
#endif

/// Keeps a background thread out of the way where others want the cores; made for one piece of work, used by its thread.
///
/// The class of idle work is not enough: a core that always has some idle work never takes a thread of the data path over from a
/// busier core, where two of them wait for each other. So background work rests between its steps while the data path is busy, and
/// where it was kept waiting for its core itself.
package final class BackgroundPace: Sendable {
    /// A step that took so much longer than its time on the core says that others want it; shorter waits are those of the job's own
    /// threads for each other.
    private static let slack: Int64 = 300_000
    private static let ratio: Int64 = 2
    /// Rests double between these while others want the core: at the longest a job still has some hundredths of it.
    private static let restMin: Int64 = 1_000_000
    private static let restMax: Int64 = 16_000_000
    /// Each step that was not kept waiting shortens the rest by this part, since others come back within milliseconds.
    private static let decay: Int64 = 8
    /// The rest between two steps beside a busy data path: several times a step, so that cores are mostly free.
    private static let restBesideCallers: Int64 = 1_000_000

    /// How long to rest next, shared by all threads, in nanoseconds.
    private static let rest = Atomic<Int64>(0)

    private let wall = Atomic<Int64>(0)
    private let core = Atomic<Int64>(0)

    package init() { mark() }

    /// Called between steps of some hundred microseconds.
    package func pause() {
        let now = Self.time(CLOCK_MONOTONIC)
        let onCore = Self.time(CLOCK_THREAD_CPUTIME_ID) - core.load(ordering: .relaxed)
        let inAll = now - wall.load(ordering: .relaxed)
        let before = Self.rest.load(ordering: .relaxed)
        if inAll > onCore * Self.ratio + Self.slack {
            let next = min(Self.restMax, max(Self.restMin, before * 2))
            Self.rest.store(next, ordering: .relaxed)
            Self.sleep(next)
        } else {
            if before > 0 {
                let next = before < Self.restMin / 4 ? 0 : before - before / Self.decay
                Self.rest.store(next, ordering: .relaxed)
            }
            if CallerLoad.isBusy(at: now) { Self.sleep(Self.restBesideCallers) }
        }
        mark()
    }

    /// Waits before or between steps that mostly wait for the disk, whose time says nothing about who wants the core.
    static func wait() {
        let found = rest.load(ordering: .relaxed)
        sleep(CallerLoad.isBusy ? max(found, restBesideCallers) : found)
    }

    private static func sleep(_ nanoseconds: Int64) {
        guard nanoseconds > 0 else { return }
        var time = timespec(tv_sec: 0, tv_nsec: Int(nanoseconds))
        nanosleep(&time, nil)
    }

    private func mark() {
        wall.store(Self.time(CLOCK_MONOTONIC), ordering: .relaxed)
        core.store(Self.time(CLOCK_THREAD_CPUTIME_ID), ordering: .relaxed)
    }

    fileprivate static func time(_ clock: clockid_t) -> Int64 {
        var time = timespec()
        clock_gettime(clock, &time)
        return Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec)
    }
}

/// How much of the cores the threads of the data path take, looked at now and then by those that have to step aside.
package enum CallerLoad {
    /// Between two looks: long enough that a single call does not count as a burst of them.
    private static let interval: Int64 = 50_000_000
    /// Of one core, over all threads of the data path, as some thousand calls a second take; below it nobody waits for anybody.
    private static let busyPart = 0.12
    /// A pause between two bursts counts as busy.
    private static let lingering: Int64 = 200_000_000

    private struct State {
        var clocks: [clockid_t] = []
        var onCores: Int64 = 0
        var lookedAt: Int64 = 0
    }

    private static let state = Mutex(State())
    private static let nextLook = Atomic<Int64>(0)
    private static let busyUntil = Atomic<Int64>(0)

    /// Counts the calling thread among those of the data path, for as long as the process lives.
    package static func watchCallingThread() {
        var clock = clockid_t()
        guard pthread_getcpuclockid(pthread_self(), &clock) == 0 else { return }
        state.withLock { $0.clocks.append(clock) }
    }

    package static var isBusy: Bool { isBusy(at: BackgroundPace.time(CLOCK_MONOTONIC)) }

    fileprivate static func isBusy(at now: Int64) -> Bool {
        let due = nextLook.load(ordering: .relaxed)
        if now >= due,
            nextLook.compareExchange(expected: due, desired: now + interval, ordering: .relaxed).exchanged
        {
            look(now)
        }
        return now < busyUntil.load(ordering: .relaxed)
    }

    private static func look(_ now: Int64) {
        let part = state.withLock { state -> Double in
            let onCores = state.clocks.reduce(Int64(0)) { $0 + BackgroundPace.time($1) }
            defer {
                state.onCores = onCores
                state.lookedAt = now
            }
            return Double(onCores - state.onCores) / Double(max(1, now - state.lookedAt))
        }
        if part > busyPart { busyUntil.store(now + lingering, ordering: .relaxed) }
    }
}
