import Blobs
import DataTables
import NIOCore
import ResourceModel
import Synchronization

/// One input of a job as chunks of whole records, read and inflated as they are wanted.
struct BatchInput {
    let port: ServiceDefinition.Port
    let blob: BatchJob.Blob
    let blobs: BatchBlobs
    let threads: BackgroundThreads
    let progress: JobProgress

    /// Gives the chunks in order.
    ///
    /// - Parameters:
    ///   - chunkBytes: what a chunk of more than one record has at most.
    ///   - take: is awaited for each chunk.
    func forEachChunk(chunkBytes: Int, _ take: (TableChunk) async throws -> Void) async throws {
        let source = ChunkSource(TableInput(format: blob.file.format, columns: port.columns), chunkBytes: chunkBytes)
        let gunzip = blob.file.isGzip ? GunzipStream() : nil
        try await blobs.references.stream(
            try blobs.target(blob),
            begin: { progress.add(total: $0) },
            take: { piece in
                if progress.isStopped { throw CancellationError() }
                progress.add(bytes: piece.readableBytes)
                if let gunzip {
                    let bytes = Array(piece.readableBytesView)
                    var place = 0
                    while place < bytes.count {
                        let start = place
                        let (output, used) = try await threads.run { try gunzip.inflate(bytes[start...]) }
                        place += used
                        try await forward(source, { output.withUnsafeBytes(source.feed) }, take)
                    }
                } else {
                    try await forward(source, { piece.withUnsafeReadableBytes(source.feed) }, take)
                }
            }
        )
        try gunzip?.finish()
        try await forward(source, { source.end() }, take)
    }

    /// Gives the chunks that can be cut once `feed` was done; the cutting is work for the threads as well.
    private func forward(
        _ source: ChunkSource,
        _ feed: @Sendable @escaping () -> Void,
        _ take: (TableChunk) async throws -> Void
    ) async throws {
        var chunks = try await threads.run {
            feed()
            return try source.chunks()
        }
        while true {
            for chunk in chunks { try await take(chunk) }
            guard chunks.count == ChunkSource.chunksMax else { return }
            chunks = try await threads.run { try source.chunks() }
        }
    }
}

/// Cuts an input into chunks; called by one thread at a time.
private final class ChunkSource: Sendable {
    /// Chunks that are cut at once: short ones of wide tables take memory beyond their bytes.
    static let chunksMax = 64

    private let input: Mutex<(input: TableInput, isLast: Bool)>
    private let chunkBytes: Int

    init(_ input: TableInput, chunkBytes: Int) {
        self.input = Mutex((input, false))
        self.chunkBytes = chunkBytes
    }

    func feed(_ bytes: UnsafeRawBufferPointer) { input.withLock { $0.input.feed(bytes) } }

    /// No more bytes come.
    func end() { input.withLock { $0.isLast = true } }

    func chunks() throws(TableError) -> [TableChunk] {
        try input.withLock { state throws(TableError) in
            var chunks: [TableChunk] = []
            // Beside callers the steps of a chunk are short, so that nobody who waits for a core waits long.
            let bytesMax = CallerLoad.isBusy ? min(chunkBytes, BatchLimits.chunkBytesBesideCallers) : chunkBytes
            while chunks.count < Self.chunksMax,
                let chunk = try state.input.next(bytesMax: bytesMax, isLast: state.isLast)
            {
                chunks.append(chunk)
            }
            return chunks
        }
    }
}
