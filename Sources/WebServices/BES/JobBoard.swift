import Foundation
import ResourceModel
import Synchronization

/// The jobs that run in this process: how far they are, and whether they are to stop.
package final class JobBoard: Sendable {
    private let jobs = Mutex<[String: JobProgress]>([:])

    package init() {}

    func begin(_ id: String) -> JobProgress {
        let progress = JobProgress()
        jobs.withLock { $0[id] = progress }
        return progress
    }

    /// Forgets a job that has ended, unless it runs again already.
    func end(_ id: String, _ progress: JobProgress) {
        jobs.withLock { if $0[id] === progress { $0[id] = nil } }
    }

    func progress(_ id: String) -> JobProgress? { jobs.withLock { $0[id] } }

    var running: [(id: String, progress: JobProgress)] { jobs.withLock { $0.map { ($0.key, $0.value) } } }
}

/// How far a job is; written by its threads, read by whoever asks.
final class JobProgress: Sendable {
    private let rowCount = Atomic<Int>(0)
    private let skippedCount = Atomic<Int>(0)
    private let readBytes = Atomic<Int>(0)
    /// -1 where a length is not known.
    private let totalBytes = Atomic<Int>(0)
    private let stopFlag = Atomic<Bool>(false)
    private let began = Date().timeIntervalSince1970

    /// The counts as a word that is kept with blobs in other accounts: `rows-skipped`.
    var note: String {
        get { "\(rows)-\(skipped)" }
        set(word) {
            let counts = word.split(separator: "-").compactMap { Int($0) }
            guard counts.count == 2 else { return }
            rowCount.store(counts[0], ordering: .relaxed)
            skippedCount.store(counts[1], ordering: .relaxed)
        }
    }

    var isStopped: Bool { stopFlag.load(ordering: .relaxed) }
    func stop() { stopFlag.store(true, ordering: .relaxed) }

    var rows: Int { rowCount.load(ordering: .relaxed) }
    var skipped: Int { skippedCount.load(ordering: .relaxed) }

    func add(rows: Int, skipped: Int) {
        rowCount.add(rows, ordering: .relaxed)
        if skipped > 0 { skippedCount.add(skipped, ordering: .relaxed) }
    }

    func add(bytes: Int) { readBytes.add(bytes, ordering: .relaxed) }

    /// - Parameter total: the length of an input, or nil where nobody knows it.
    func add(total: Int64?) {
        guard let total, totalBytes.load(ordering: .relaxed) >= 0 else {
            return totalBytes.store(-1, ordering: .relaxed)
        }
        totalBytes.add(Int(total), ordering: .relaxed)
    }

    /// What a caller is told and the queue keeps.
    var report: JSONValue {
        let seconds = max(0.001, Date().timeIntervalSince1970 - began)
        let read = readBytes.load(ordering: .relaxed)
        let total = totalBytes.load(ordering: .relaxed)
        var report: JSONObject = [
            "Rows": .int(rows), "RowsSkipped": .int(skipped), "BytesRead": .int(read),
            "BytesTotal": total < 0 ? .null : .int(total),
            "RowsPerSecond": .int(Int(Double(rows) / seconds)),
            "Seconds": .double((seconds * 1000).rounded() / 1000),
        ]
        report["SecondsLeft"] =
            total > 0 && read > 0
            ? .int(Int((Double(max(0, total - read)) * seconds / Double(read)).rounded(.up))) : .null
        return .object(report)
    }
}
