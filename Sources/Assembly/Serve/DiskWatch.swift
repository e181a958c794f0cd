import Blobs
import Foundation
import Logging
import ServiceLifecycle
import Store
import Synchronization

#if canImport(Glibc)
import Glibc
#endif

/// Knows whether anything can be written, keeps the reserve for deletions, and removes orphans whose time is over.
final class DiskWatch: Sendable {
    /// For so long an answer holds: health is asked for often, and by anybody.
    private static let answerAge = Duration.seconds(2)
    /// For so long whoever asks waits for a disk that is slow.
    private static let waitMax = Duration.seconds(2)
    private static let waitStep = Duration.milliseconds(10)
    /// What is written on trial: less would find room where no request does.
    private static let trialBytes = 256 << 10
    /// Between two tries to make the reserve again.
    private static let period = Duration.seconds(5)
    /// Turns of that period between two looks for orphans whose time is over: the first is an hour after the start.
    private static let turnsBetweenOrphans = 720

    private struct State {
        var problem: String?
        var answeredAt: ContinuousClock.Instant?
        var isRunning = false
        var wasFull = false
    }

    private let databases: OpenDatabases
    private let folders: [String]
    private let contentFolder: @Sendable () -> String
    private let orphanSeconds: Double
    private let removeDatasets: @Sendable (_ secondsKept: Double) async throws -> Int
    private let logger: Logger
    private let state = Mutex(State())
    private let queue = DispatchQueue(label: "gatehouse.disk.watch", qos: .utility)

    /// - Parameters:
    ///   - contentFolder: tells where the newest contents of blobs are.
    ///   - removeDatasets: removes the bytes of datasets that were found unnamed so many seconds ago.
    init(
        _ opened: OpenInstallation,
        contentFolder: @Sendable @escaping () -> String,
        orphanDays: Int,
        removeDatasets: @Sendable @escaping (Double) async throws -> Int,
        logger: Logger
    ) {
        databases = opened.databases
        folders = [opened.folder.path, opened.folder.blobsFolder, opened.folder.contentFolder]
        self.contentFolder = contentFolder
        orphanSeconds = Double(orphanDays) * 86_400
        self.removeDatasets = removeDatasets
        self.logger = logger
    }

    // MARK: - Health

    /// Why nothing can be written, or nil.
    ///
    /// The answer may be some seconds old, and comes soon whatever the disk does.
    func problem() async -> String? {
        let now = ContinuousClock.now
        let (known, isKnown, mustStart) = state.withLock { state -> (String?, Bool, Bool) in
            if let time = state.answeredAt, now - time < Self.answerAge { return (state.problem, true, false) }
            let mustStart = !state.isRunning
            state.isRunning = true
            return (nil, false, mustStart)
        }
        if isKnown { return known }
        if mustStart { Task { await look() } }
        while ContinuousClock.now - now < Self.waitMax {
            let (isDone, problem) = state.withLock { state in (!state.isRunning, state.problem) }
            if isDone { return problem }
            do { try await Task.sleep(for: Self.waitStep) } catch { break }
        }
        return "The disk does not answer."
    }

    private func look() async {
        var problem = await withCheckedContinuation { continuation in
            queue.async { [self] in continuation.resume(returning: tryToWrite()) }
        }
        for file in databases.files where problem == nil && file.isFailing {
            do { try await file.tryCommit(now: Int64(Date().timeIntervalSince1970)) } catch {
                problem = "The database cannot be written."
            }
        }
        state.withLock { [problem] state in
            state.problem = problem
            state.answeredAt = .now
            state.isRunning = false
        }
    }

    private func tryToWrite() -> String? {
        if databases.reserve.isReleased { tendReserve() }
        if databases.reserve.isReleased { return "The disk is full: only deletions are taken." }
        // Each may be mounted by itself.
        for folder in folders + [contentFolder()] where access(folder, F_OK) == 0 {
            if let code = Self.writeOnTrial("\(folder)/.trial") {
                switch code {
                case ENOSPC, EDQUOT: return "The disk is full."
                case EROFS: return "The disk is read-only."
                default: return "Files cannot be written: \(String(cString: strerror(code)))."
                }
            }
        }
        return nil
    }

    /// - Returns: the system's code where it fails.
    private static func writeOnTrial(_ path: String) -> Int32? {
        let descriptor = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { return errno }
        defer {
            close(descriptor)
            unlink(path)
        }
        let bytes = [UInt8](repeating: 0x5A, count: trialBytes)
        let count = write(descriptor, bytes, bytes.count)
        if count < 0 { return errno }
        guard count == bytes.count else { return ENOSPC }
        return fdatasync(descriptor) == 0 ? nil : errno
    }

    // MARK: - Reserve

    private func tendReserve() {
        let isFull = !databases.reserve.fill()
        let before = state.withLock { state in
            defer { state.wasFull = isFull }
            return state.wasFull
        }
        guard isFull != before else { return }
        if isFull {
            logger.error("disk full: only deletions are taken")
        } else {
            logger.notice("the disk has room again")
        }
    }

    // MARK: - Orphans

    private func removeOrphans() async {
        let time = Date().timeIntervalSince1970 - orphanSeconds
        var count = 0
        do {
            for folder in folders.dropFirst() { count += try OrphanFolder(of: folder).removeBatches(before: time) }
            count += try await removeDatasets(orphanSeconds)
        } catch {
            logger.warning("orphans could not be removed", metadata: ["error.code": "\(error)"])
        }
        if count > 0 { logger.info("orphans removed whose time was over", metadata: ["content.count": "\(count)"]) }
    }

    /// The background service.
    struct Turning: Service {
        let watch: DiskWatch

        func run() async throws {
            try? await cancelWhenGracefulShutdown {
                var turns = 0
                while true {
                    await withCheckedContinuation { continuation in
                        watch.queue.async {
                            watch.tendReserve()
                            continuation.resume()
                        }
                    }
                    try await Task.sleep(for: DiskWatch.period)
                    turns += 1
                    guard turns % DiskWatch.turnsBetweenOrphans == 0 else { continue }
                    await SpaceUse.$isFreeing.withValue(true) { await watch.removeOrphans() }
                }
            }
        }
    }
}
