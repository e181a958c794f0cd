import Blobs
import Logging
import ResourceModel
import ServiceLifecycle
import Store
import WebServices

/// Batch execution of an installation: the jobs, their worker and its threads.
struct BatchExecution: Sendable {
    let jobs: BatchJobs
    let worker: BatchWorker
    let threads: BackgroundThreads

    init(
        _ opened: OpenInstallation,
        _ settings: ServeSettings,
        _ registry: ServiceRegistry,
        _ storage: BlobStorage,
        _ logger: Logger
    ) {
        let signal = BatchWorker.makeSignal()
        jobs = BatchJobs(
            queue: opened.queue,
            blobs: BatchBlobs(references: storage.references, accounts: storage.accounts, box: opened.box),
            registry: registry,
            board: JobBoard(),
            limits: settings.batch,
            wake: { signal.continuation.yield() }
        )
        threads = BackgroundThreads(count: settings.batch.threads)
        // A new name for each process: what an earlier one held is taken up again.
        worker = BatchWorker(
            jobs: jobs,
            threads: threads,
            owner: Identifier.hex32(),
            wakeUp: signal,
            logger: logger
        )
    }
}

/// Works on jobs until the end, and forgets old ones now and then.
struct BatchService: Service {
    let worker: BatchWorker

    private static let pause = Duration.seconds(600)

    func run() async throws {
        try await cancelWhenGracefulShutdown {
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask { try await worker.run() }
                group.addTask {
                    while !Task.isCancelled {
                        await worker.tidy()
                        do { try await Task.sleep(for: Self.pause) } catch { return }
                    }
                }
                try await group.waitForAll()
            }
        }
    }
}
