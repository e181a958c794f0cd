package import NIOCore
package import Store

/// A blob being read: its record as it was when reading began, and its bytes piece by piece, each proven by its checksum.
///
/// What is read stays on the disk until `end`, whatever becomes of the blob meanwhile.
package final class BlobReading: Sendable {
    /// Bytes of one piece: large enough that a hop to a disk thread is cheap beside it, small enough for many clients at once.
    static let pieceBytes = 1 << 20
    /// The same where memory for clients is scarce: one block.
    private static let scarcePieceBytes = 64 << 10
    /// Extents looked up at once.
    private static let extentsPerLook = 64

    package let blob: BlobRecord
    private let store: BlobStore
    private let epoch: Int
    /// What the first look found, so that a small blob takes one.
    private let first: [(extent: Extent, content: ContentRecord)]

    fileprivate init(
        blob: BlobRecord,
        store: BlobStore,
        epoch: Int,
        first: [(extent: Extent, content: ContentRecord)]
    ) {
        self.blob = blob
        self.store = store
        self.epoch = epoch
        self.first = first
    }

    package func end() { store.files.endReading(epoch) }

    /// Gives the bytes of the range in order.
    ///
    /// - Parameters:
    ///   - inBackground: whether only a job waits for them.
    ///   - isScarce: whether memory for clients is, asked for each piece.
    ///   - take: is called with each piece and waits until there is room for the next.
    package func forEachPiece(
        _ range: Range<Int64>,
        inBackground: Bool = false,
        isScarce: () -> Bool = { false },
        _ take: (ByteBuffer) async throws -> Void
    ) async throws {
        var place = range.lowerBound
        var found = first
        while place < range.upperBound {
            if !found.contains(where: { $0.extent.end > place }) { found = try await look(place..<range.upperBound) }
            guard let next = found.firstIndex(where: { $0.extent.end > place }) else {
                try await fill(place..<range.upperBound, isScarce, take)
                return
            }
            let (extent, content) = found[next]
            if extent.start > place {
                // Pages that were never written are zeros.
                let end = min(extent.start, range.upperBound)
                try await fill(place..<end, isScarce, take)
                place = end
                continue
            }
            let end = min(extent.end, range.upperBound)
            while place < end {
                // Pieces end where blocks of the content end, so that no block is read twice.
                let offset = extent.offset + place - extent.start
                let size = Int64(isScarce() ? Self.scarcePieceBytes : Self.pieceBytes)
                let stop = min(end, place + size - offset % size)
                let inside = Int(offset)..<Int(offset + stop - place)
                let piece: ByteBuffer
                do { piece = try await store.files.read(content, inside, inBackground: inBackground) } catch {
                    throw store.failure(error)
                }
                try await take(piece)
                place = stop
            }
        }
    }

    private func fill(
        _ range: Range<Int64>,
        _ isScarce: () -> Bool,
        _ take: (ByteBuffer) async throws -> Void
    ) async throws {
        var left = range.upperBound - range.lowerBound
        while left > 0 {
            let count = Int(min(left, Int64(isScarce() ? Self.scarcePieceBytes : Self.pieceBytes)))
            try await take(ByteBuffer(repeating: 0, count: count))
            left -= Int64(count)
        }
    }

    private func look(_ range: Range<Int64>) async throws(BlobError) -> [(extent: Extent, content: ContentRecord)] {
        let id = blob.id
        return try await store.look { transaction in
            // Another blob stands in its place: what was sent so far cannot be continued.
            guard try transaction.exists(id) else { throw BlobError.blobNotFound }
            return try BlobReading.look(transaction, id, range)
        }
    }

    fileprivate static func look(
        _ transaction: any BlobTransaction,
        _ blob: Int64,
        _ range: Range<Int64>
    ) throws -> [(extent: Extent, content: ContentRecord)] {
        try transaction.extents(blob, range, limit: extentsPerLook).map { extent in
            guard let content = try transaction.content(extent.content) else { throw BlobError.damaged }
            return (extent, content)
        }
    }
}

extension BlobStore {
    /// Begins to read a blob; the caller ends it.
    ///
    /// - Parameter range: what is about to be read, for the first look.
    package func read(
        _ place: BlobPlace,
        snapshot: String = "",
        range: Range<Int64> = 0..<Int64.max,
        _ conditions: AccessConditions = AccessConditions()
    ) async throws(BlobError) -> BlobReading {
        let now = now
        let epoch = files.beginReading()
        do throws(BlobError) {
            let (blob, first) = try await look { transaction in
                let blob = try Self.blob(transaction, place, snapshot: snapshot)
                try conditions.check(etag: blob.etag, modified: blob.modified, for: .read)
                try conditions.checkLeaseForRead(blob.lease, at: now, on: .blob)
                if blob.tier == "Archive" {
                    throw BlobError(409, "BlobArchived", "This operation is not permitted on an archived blob.")
                }
                let wanted = range.clamped(to: 0..<blob.length)
                return (blob, wanted.isEmpty ? [] : try BlobReading.look(transaction, blob.id, wanted))
            }
            return BlobReading(blob: blob, store: self, epoch: epoch, first: first)
        } catch {
            files.endReading(epoch)
            throw error
        }
    }
}
