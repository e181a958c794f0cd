import Blobs
import DataTables
import StudioModules

/// Scores the chunks of an input side by side, and writes what comes of them in order; used by one task.
///
/// A chunk holds one of the slots from before it is scored until it is written, so that memory stays within them over all jobs.
final class BatchPipeline {
    private let scoring: BatchScoring
    private let outputs: BatchOutputs
    private let threads: BackgroundThreads
    private let slots: BatchSlots
    private var pending: [BackgroundResult<BatchScoring.Rows>] = []
    /// Records of the chunks that are written.
    private(set) var recordCount = 0

    init(_ scoring: BatchScoring, _ outputs: BatchOutputs, _ threads: BackgroundThreads, _ slots: BatchSlots) {
        self.scoring = scoring
        self.outputs = outputs
        self.threads = threads
        self.slots = slots
    }

    func submit(_ chunk: TableChunk) async throws {
        if !slots.takeIfFree() {
            if pending.isEmpty {
                await slots.take()
            } else {
                // Waiting for a slot while holding some would wait for ever once every job did so: the oldest is handed on.
                try await writeOldest(keepsSlot: true)
            }
        }
        let scoring = scoring
        pending.append(threads.submit { try scoring.rows(chunk) })
    }

    /// Writes what is under way.
    func drain() async throws { while !pending.isEmpty { try await writeOldest(keepsSlot: false) } }

    /// Waits for what is under way and forgets it.
    func abandon() async {
        for future in pending {
            _ = try? await future.value
            slots.give()
        }
        pending = []
    }

    private func writeOldest(keepsSlot: Bool) async throws {
        let oldest = pending.removeFirst()
        do {
            let rows = try await oldest.value
            for (place, bytes) in zip(scoring.part.outputs, rows.outputs) { try await outputs.append(bytes, to: place) }
            for record in rows.bad { try await outputs.append(record, row: recordCount + (record.error.row ?? 1)) }
            recordCount += rows.recordCount
            scoring.progress.add(rows: rows.recordCount - rows.bad.count, skipped: rows.bad.count)
        } catch {
            slots.give()
            throw (error as? TableError).map { placed($0) } ?? error
        }
        if !keepsSlot { slots.give() }
    }

    /// The error of the next chunk with its row counted in the whole input.
    func placed(_ error: TableError) -> PlacedError {
        PlacedError(
            error: TableError(error.message, row: error.row.map { $0 + recordCount }, column: error.column)
        )
    }
}

/// What is wrong with an input, its row counted from 1 in the whole of it.
struct PlacedError: Error {
    let error: TableError
}
