import Synchronization

#if canImport(Glibc)
import Glibc
#endif

/// Keeps a background thread out of the way where others want the cores; made for one piece of work, used by its thread.
///
/// The class of idle work is not enough: a core that always has some idle work never takes a thread of the data path over from a
/// busier core. So work that was kept waiting for its core sleeps a while, and the core is free for those who wait elsewhere.
package final class BackgroundPace: Sendable {
    /// A step that took so much longer than its time on the core says that others want it; shorter waits are those of the job's own
    /// threads for each other.
    private static let slack: Int64 = 300_000
    private static let ratio: Int64 = 2
    /// Sleeps double between these while others want the core: at the longest a job still has some hundredths of it.
    private static let sleepMin: Int64 = 1_000_000
    private static let sleepMax: Int64 = 16_000_000
    /// Each step that was not kept waiting shortens the sleep by this part, since others come back within milliseconds.
    private static let decay: Int64 = 8

    /// How long to sleep next, shared by all threads, in nanoseconds.
    private static let sleep = Atomic<Int64>(0)

    private let wall = Atomic<Int64>(0)
    private let core = Atomic<Int64>(0)

    package init() { mark() }

    /// Called between steps of some hundred microseconds; sleeps where others want the core.
    package func pause() {
        let onCore = Self.time(CLOCK_THREAD_CPUTIME_ID) - core.load(ordering: .relaxed)
        let inAll = Self.time(CLOCK_MONOTONIC) - wall.load(ordering: .relaxed)
        let before = Self.sleep.load(ordering: .relaxed)
        if inAll > onCore * Self.ratio + Self.slack {
            let next = min(Self.sleepMax, max(Self.sleepMin, before * 2))
            Self.sleep.store(next, ordering: .relaxed)
            Self.rest(next)
        } else if before > 0 {
            Self.sleep.store(before < Self.sleepMin / 4 ? 0 : before - before / Self.decay, ordering: .relaxed)
        }
        mark()
    }

    /// Waits before work that is mostly waiting itself, where others were found to want the core.
    static func wait() { rest(sleep.load(ordering: .relaxed)) }

    private static func rest(_ nanoseconds: Int64) {
        guard nanoseconds > 0 else { return }
        var time = timespec(tv_sec: 0, tv_nsec: Int(nanoseconds))
        nanosleep(&time, nil)
    }

    private func mark() {
        wall.store(Self.time(CLOCK_MONOTONIC), ordering: .relaxed)
        core.store(Self.time(CLOCK_THREAD_CPUTIME_ID), ordering: .relaxed)
    }

    private static func time(_ clock: clockid_t) -> Int64 {
        var time = timespec()
        clock_gettime(clock, &time)
        return Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec)
    }
}
