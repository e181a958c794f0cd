import Blobs
import DataTables
import NIOCore
import ResourceModel
import Store

/// Why a job failed, for its `Details`.
struct BatchFailure: Error {
    let code: String
    let message: String

    var details: String { "\(code): \(message)" }
}

/// What a job writes: its outputs, and a blob for the rows that were set aside; used by one task.
final class BatchOutputs {
    /// What is added to the name of the first output for the rows that could not be read.
    static let errorsSuffix = ".errors"

    let files: [TableFile]
    private let blobs: BatchBlobs
    private let targets: [BlobReferences.Target]
    private let token: String
    private var outputs: [BlobOutput] = []
    private var errors: BlobOutput?
    private var isHandedOver = false
    /// Bytes of each output that are not handed on yet: a way to the disk serves some chunks together.
    private var waiting: [[ByteBuffer]] = []
    private static let waitingBytesMax = 512 << 10

    /// - Parameter token: the job's id.
    init(_ ports: [BatchJob.Port], _ blobs: BatchBlobs, token: String) throws {
        self.blobs = blobs
        self.token = token
        files = ports.map(\.blob.file)
        targets = try ports.map { try blobs.target($0.blob) }
    }

    /// Begins to write.
    ///
    /// - Returns: the note of an earlier try that had written everything.
    func open() async throws -> String? {
        for (target, file) in zip(targets, files) {
            if target.ownPlace?.container == BatchBlobs.container { try await blobs.references.makeContainer(target) }
            outputs.append(
                try await blobs.references.output(target, contentType: file.contentType, token: token)
            )
        }
        waiting = outputs.map { _ in [] }
        let notes = outputs.map(\.committedNote)
        return notes.allSatisfy { $0 != nil } ? notes.first ?? nil : nil
    }

    func append(_ bytes: [UInt8], to output: Int) async throws {
        guard !bytes.isEmpty else { return }
        waiting[output].append(ByteBuffer(bytes: bytes))
        guard waiting[output].reduce(0, { $0 + $1.readableBytes }) >= Self.waitingBytesMax else { return }
        try await flush(output)
    }

    private func flush(_ output: Int) async throws {
        let pieces = waiting[output]
        waiting[output] = []
        if !pieces.isEmpty { try await outputs[output].append(pieces) }
    }

    /// Writes a record that was set aside.
    ///
    /// - Parameter row: counted from 1 in the input.
    func append(_ record: BadRecord, row: Int) async throws {
        guard let first = targets.first else { return }
        let encoder = TableEncoder(format: .csv)
        let table = DataTable(columns: [
            Column(name: "Row", values: .int64(FixedValues([Int64(row)], filler: 0))),
            Column(name: "Column", values: .string(StringValues([record.error.column]))),
            Column(name: "Message", values: .string(StringValues([record.error.message]))),
            Column(name: "Record", values: .string(StringValues([record.text]))),
        ])
        if errors == nil {
            let target = first.sibling(suffix: Self.errorsSuffix)
            let output = try await blobs.references.output(
                target,
                contentType: TableFormat.csv.contentType,
                token: token
            )
            try await output.append([ByteBuffer(bytes: encoder.header(table.schema))])
            errors = output
        }
        try await errors?.append([ByteBuffer(bytes: encoder.rows(table, 0..<1))])
    }

    /// Makes everything appear, together with the end of the job.
    func commit(
        note: String,
        with body: @Sendable @escaping (any BlobTransaction) throws -> Void
    ) async throws {
        for output in outputs.indices { try await flush(output) }
        isHandedOver = true
        // What was set aside comes first: whoever finds the outputs of an earlier try need not ask for it.
        try await blobs.references.commit((errors.map { [$0] } ?? []) + outputs, note: note, with: body)
    }

    /// Removes what was written, unless it was handed over: then whether it is committed is not ours to say.
    func abort() {
        guard !isHandedOver else { return }
        blobs.references.abort(outputs + (errors.map { [$0] } ?? []))
    }
}
