import NIOPosix

#if canImport(Glibc)
import Glibc
#endif

/// Threads of their own for one kind of work that callers of the data path must not wait for.
///
/// Tasks run on the global pool, which has a thread for each processor, unless they prefer an executor; tasks that they start as their
/// children prefer it as well. The blobs door and the quotas of the gateway use the global pool, so that whatever computes for long, a
/// description that is imported or a dataset that is read, must run elsewhere.
final class PlaneThreads: TaskExecutor {
    /// Of 19: the threads of the data path come first where both want a core, and this work still gets a fair part of it.
    private static let niceness: Int32 = 5

    /// For the portal door: management, imports, policies, Studio calls; and for the snapshot that follows its changes.
    ///
    /// Two at least, so that one long request does not hold up all others; more than processors would only take turns.
    static let management = PlaneThreads(count: max(2, ProcessorCount.available))
    /// For runs of experiments, whose datasets are read and written between the modules.
    static let runs = PlaneThreads(count: max(2, ProcessorCount.available))

    private let pool: NIOThreadPool

    /// The threads last as long as the process: tasks may end after everything else.
    private init(count: Int) {
        pool = NIOThreadPool(numberOfThreads: count)
        pool.start()
    }

    func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        let executor = asUnownedTaskExecutor()
        pool.submit { _ in
            // 0 means the calling thread alone on Linux; a call that changes nothing costs less than remembering it.
            _ = setpriority(__priority_which_t(PRIO_PROCESS.rawValue), 0, Self.niceness)
            job.runSynchronously(on: executor)
        }
    }
}
