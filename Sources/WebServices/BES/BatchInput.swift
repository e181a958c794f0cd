import Blobs
import DataTables
import NIOCore
import ResourceModel

/// One input of a job as chunks of whole records, read and inflated as they are wanted.
struct BatchInput {
    let port: ServiceDefinition.Port
    let blob: BatchJob.Blob
    let blobs: BatchBlobs
    let threads: BatchThreads
    let progress: JobProgress

    /// Gives the chunks in order.
    ///
    /// - Parameters:
    ///   - chunkBytes: what a chunk of more than one record has at most.
    ///   - take: is awaited for each chunk.
    func forEachChunk(chunkBytes: Int, _ take: (TableChunk) async throws -> Void) async throws {
        var input = TableInput(format: blob.file.format, columns: port.columns)
        let gunzip = blob.file.isGzip ? GunzipStream() : nil
        try await blobs.references.stream(
            try blobs.target(blob),
            begin: { progress.add(total: $0) },
            take: { piece in
                if progress.isStopped { throw CancellationError() }
                if let gunzip {
                    let bytes = Array(piece.readableBytesView)
                    var place = 0
                    while place < bytes.count {
                        let start = place
                        let (output, used) = try await threads.run { try gunzip.inflate(bytes[start...]) }
                        place += used
                        output.withUnsafeBytes { input.feed($0) }
                        while let chunk = try input.next(bytesMax: chunkBytes, isLast: false) { try await take(chunk) }
                    }
                } else {
                    piece.withUnsafeReadableBytes { input.feed($0) }
                    while let chunk = try input.next(bytesMax: chunkBytes, isLast: false) { try await take(chunk) }
                }
                progress.add(bytes: piece.readableBytes)
            }
        )
        try gunzip?.finish()
        while let chunk = try input.next(bytesMax: chunkBytes, isLast: true) { try await take(chunk) }
    }
}
