import Blobs
import DataTables
import Foundation
import Logging
import ResourceModel
import Store
import StudioModules

/// Does one job: inputs in, outputs whole or not at all, and the job's end with them.
struct BatchExecutor: Sendable {
    let jobs: BatchJobs
    let threads: BackgroundThreads
    let slots: BatchSlots

    /// Runs a job to its end, which is in the queue when this returns.
    ///
    /// - Throws: `CancellationError` where the job was stopped from outside: its state is not ours to say. Errors of the queue.
    func execute(_ item: WorkItem, _ claim: WorkClaim, _ progress: JobProgress) async throws -> WorkState {
        do {
            try await work(item, claim, progress)
            return .finished
        } catch StoreError.claimLost {
            throw CancellationError()
        } catch {
            if error is CancellationError || progress.isStopped || Task.isCancelled { throw CancellationError() }
            let details = Self.details(error)
            try await jobs.queue.finish(
                claim,
                WorkEnd(state: .failed, error: details, report: progress.report, time: Date().timeIntervalSince1970)
            )
            return .failed
        }
    }

    private func work(_ item: WorkItem, _ claim: WorkClaim, _ progress: JobProgress) async throws {
        let job = BatchJob(json: item.payload)
        guard let endpoint = jobs.registry.endpoint(item.subject) else {
            throw BatchFailure(code: "WebServiceNotFound", message: "The endpoint of the job is not there any more.")
        }
        let definition = endpoint.definition
        // The service may have been published anew since the job was submitted.
        guard job.inputs.map(\.name) == definition.inputs.map(\.name),
            job.outputs.map(\.name) == definition.outputs.map(\.name)
        else {
            throw BatchFailure(
                code: "InvalidInputNames",
                message: "The service has other inputs or outputs than when the job was submitted."
            )
        }
        var parameters: [(name: String, value: ParameterValue)] = []
        for (name, value) in job.parameters.members {
            parameters.append((name, try ServiceParameters.value(name, value, definition)))
        }
        try ServiceParameters.checkRequired(parameters.map(\.name), definition)
        let outputs = try BatchOutputs(job.outputs, jobs.blobs, token: item.id)
        do {
            if let note = try await outputs.open() {
                progress.note = note
            } else {
                for part in definition.plan.parts {
                    let scoring = BatchScoring(
                        definition: definition,
                        part: part,
                        parameters: parameters,
                        files: part.outputs.map { outputs.files[$0] },
                        skipsBad: job.skipsBad,
                        progress: progress
                    )
                    try await run(scoring, job, outputs)
                }
            }
            try await outputs.commit(note: progress.note) { transaction in
                if progress.isStopped { throw StoreError.claimLost }
                try transaction.finish(
                    claim,
                    WorkEnd(state: .finished, report: progress.report, time: Date().timeIntervalSince1970)
                )
            }
        } catch {
            outputs.abort()
            throw error
        }
    }

    private func run(_ scoring: BatchScoring, _ job: BatchJob, _ outputs: BatchOutputs) async throws {
        let heads = try await threads.run { try scoring.heads() }
        for (place, head) in zip(scoring.part.outputs, heads.outputs) { try await outputs.append(head, to: place) }
        if let module = scoring.part.wholeTableModule {
            return try await runWhole(scoring, module, job, outputs)
        }
        guard let place = scoring.part.inputs.first else {
            return try await write(try await threads.run { try scoring.score([]) }, scoring, outputs)
        }
        let pipeline = BatchPipeline(scoring, outputs, threads, slots)
        let input = self.input(place, scoring, job)
        // A chunk's output stays within its bound, however wide the rows are.
        let chunkBytes = max(1, min(BatchLimits.chunkBytes, BatchLimits.outputBytes / max(1, heads.width)))
        do {
            try await input.forEachChunk(chunkBytes: chunkBytes) { try await pipeline.submit($0) }
            try await pipeline.drain()
        } catch let error as TableError {
            // Of two errors that of the earlier row is told.
            do { try await pipeline.drain() } catch let earlier {
                await pipeline.abandon()
                throw Self.named(earlier, input)
            }
            throw Self.named(pipeline.placed(error), input)
        } catch {
            await pipeline.abandon()
            throw Self.named(error, input)
        }
    }

    private func input(_ place: Int, _ scoring: BatchScoring, _ job: BatchJob) -> BatchInput {
        BatchInput(
            port: scoring.definition.inputs[place],
            blob: job.inputs[place].blob,
            blobs: jobs.blobs,
            threads: threads,
            progress: scoring.progress
        )
    }

    // MARK: - Whole tables

    /// Reads all rows before they are scored, within the bound.
    private func runWhole(
        _ scoring: BatchScoring,
        _ module: String,
        _ job: BatchJob,
        _ outputs: BatchOutputs
    ) async throws {
        var tables: [DataTable?] = scoring.definition.inputs.map { _ in nil }
        var bytesLeft = jobs.limits.tableBytesMax
        for place in scoring.part.inputs {
            let input = input(place, scoring, job)
            let collector = TableCollector(columns: input.port.columns, skipsBad: scoring.skipsBad)
            do {
                try await input.forEachChunk(chunkBytes: BatchLimits.chunkBytes) { chunk in
                    bytesLeft -= chunk.bytes.count
                    guard bytesLeft >= 0 else {
                        throw BatchFailure(
                            code: "MemoryQuotaViolation",
                            message: "The module \"\(module)\" needs the whole table, and the input is longer than "
                                + "\(jobs.limits.tableBytesMax) bytes (setting batch-table-bytes-max)."
                        )
                    }
                    let (count, bad) = try await threads.run { try collector.add(chunk) }
                    for record in bad { try await outputs.append(record, row: record.error.row ?? 1) }
                    scoring.progress.add(rows: count - bad.count, skipped: bad.count)
                }
            } catch { throw Self.named(error, input) }
            tables[place] = collector.table
        }
        let ready = tables
        try await write(try await threads.run { try scoring.score(ready) }, scoring, outputs)
    }

    /// Writes scored tables some rows at a time.
    private func write(_ tables: [DataTable], _ scoring: BatchScoring, _ outputs: BatchOutputs) async throws {
        for (place, table) in zip(scoring.part.outputs, tables) {
            let file = outputs.files[place]
            let rows = max(1, min(BatchLimits.chunkBytes, BatchLimits.outputBytes) / max(16, 4 * table.columnCount))
            for start in stride(from: 0, to: table.rowCount, by: rows) {
                if scoring.progress.isStopped { throw CancellationError() }
                let range = start..<min(start + rows, table.rowCount)
                try await outputs.append(try await threads.run { try scoring.bytes(table, range, file) }, to: place)
            }
        }
    }

    // MARK: - Words

    /// The error with the input that it is about.
    private static func named(_ error: any Error, _ input: BatchInput) -> any Error {
        switch error {
        case let error as PlacedError: named(error.error, input)
        case let error as TableError:
            BatchFailure(
                code: error.row == nil ? "InputMismatchError" : "InputParseError",
                message: "Input \"\(input.port.name)\" (\(input.blob.shown)): \(error.description)"
            )
        case let error as GzipError:
            BatchFailure(
                code: "InputParseError",
                message: "Input \"\(input.port.name)\" (\(input.blob.shown)): \(error.message)"
            )
        case let error as APIError where error.status == 404:
            BatchFailure(
                code: "BlobNotFound",
                message: "Input \"\(input.port.name)\" (\(input.blob.shown)): \(error.message)"
            )
        default: error
        }
    }

    private static func details(_ error: any Error) -> String {
        switch error {
        case let error as BatchFailure: error.details
        case let error as ServiceError:
            "\(error.details.first?.code ?? error.code): \(error.details.first?.message ?? error.message)"
        case let error as APIError: "\(error.code): \(error.details.first?.message ?? error.message)"
        default: "InternalError: The job could not be done (\(type(of: error)))."
        }
    }
}
