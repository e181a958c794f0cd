import ServiceLifecycle
import Studio

/// Runs a service on threads of its own.
struct ServiceApart: Service {
    let service: any Service
    let threads: PlaneThreads

    func run() async throws {
        try await withTaskExecutorPreference(threads) { try await service.run() }
    }
}

/// Works on the queue until the end.
struct WorkerService: Service {
    let worker: RunWorker

    func run() async throws {
        try await cancelWhenGracefulShutdown { try await worker.run() }
    }
}
