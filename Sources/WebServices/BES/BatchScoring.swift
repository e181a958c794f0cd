import Blobs
import DataTables
import ResourceModel
import StudioModules

/// Scores the rows of one part of a plan; pure, so that threads do it side by side.
struct BatchScoring: Sendable {
    let definition: ServiceDefinition
    let part: ScoringPlan.Part
    let parameters: [(name: String, value: ParameterValue)]
    /// One for each output of the part.
    let files: [TableFile]
    let skipsBad: Bool
    let progress: JobProgress

    /// What comes of some rows of an input.
    struct Rows: Sendable {
        let recordCount: Int
        let bad: [BadRecord]
        /// Bytes for each output of the part.
        let outputs: [[UInt8]]
    }

    /// What stands before all rows, and how wide the rows are together.
    struct Heads: Sendable {
        let outputs: [[UInt8]]
        let width: Int
    }

    func heads() throws -> Heads {
        var tables: [DataTable?] = definition.inputs.map { _ in nil }
        for place in part.inputs { tables[place] = DataTable(columns: definition.inputs[place].columns.map(\.column)) }
        let empty = try score(tables)
        let width = empty.reduce(0) { $0 + $1.columnCount }
        for (place, table) in zip(part.outputs, empty) where table.columnCount > BatchLimits.outputColumnsMax {
            throw BatchFailure(
                code: "LibraryExecutionError",
                message: "The output \"\(definition.outputs[place].name)\" would have \(table.columnCount) columns; "
                    + "\(BatchLimits.outputColumnsMax) are the most that a file may have."
            )
        }
        return Heads(
            outputs: try zip(files, empty).map { file, table in
                try packed(TableEncoder(format: file.format).header(table.schema), file)
            },
            width: width
        )
    }

    /// Reads, scores and writes the records of a chunk of the part's only input.
    ///
    /// - Throws: `TableError` with the row counted from 1 in the chunk, or `BatchFailure`.
    func rows(_ chunk: TableChunk) throws -> Rows {
        let pace = BackgroundPace()
        let batch = try chunk.read(skipsBad: skipsBad)
        guard batch.table.rowCount > 0 else {
            return Rows(recordCount: batch.recordCount, bad: batch.bad, outputs: files.map { _ in [] })
        }
        var tables: [DataTable?] = definition.inputs.map { _ in nil }
        for place in part.inputs { tables[place] = batch.table }
        pace.pause()
        let results = try score(tables, pace)
        pace.pause()
        return Rows(
            recordCount: batch.recordCount,
            bad: batch.bad,
            outputs: try zip(files, results).map { file, table in
                try packed(TableEncoder(format: file.format).rows(table, 0..<table.rowCount), file)
            }
        )
    }

    /// Some rows of a scored table as bytes of its file.
    func bytes(_ table: DataTable, _ range: Range<Int>, _ file: TableFile) throws -> [UInt8] {
        try packed(TableEncoder(format: file.format).rows(table, range), file)
    }

    func score(_ tables: [DataTable?], _ pace: BackgroundPace = BackgroundPace()) throws -> [DataTable] {
        let progress = progress
        do throws(ScoringPlan.Failure) {
            return try definition.plan.score(
                part,
                tables,
                parameters: parameters,
                context: ModuleContext {
                    pace.pause()
                    return progress.isStopped
                }
            )
        } catch {
            if progress.isStopped { throw CancellationError() }
            throw BatchFailure(
                code: "ModuleExecutionError",
                message: "Module \"\(error.module)\" (node \"\(error.node)\"): \(error.error.description)"
            )
        }
    }

    /// A member of its own for each stretch: members one after another are one gzip file, and threads compress side by side.
    private func packed(_ bytes: [UInt8], _ file: TableFile) throws -> [UInt8] {
        file.isGzip && !bytes.isEmpty ? try Gzip.member(bytes) : bytes
    }
}
