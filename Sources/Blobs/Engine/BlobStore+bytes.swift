import NIOCore
import ResourceModel
import Store

/// Whole blobs in memory: for rooms whose values fit there.
extension BlobStore {
    /// Writes a block blob; its container is made where it is missing.
    package func write(_ bytes: [UInt8], to place: BlobPlace, contentType: String) async throws(BlobError) {
        try await makeContainer(place)
        let upload = ContentUpload(files, withMD5: false)
        do {
            var place = 0
            while place < bytes.count {
                let end = min(place + BlobReading.pieceBytes, bytes.count)
                try await upload.append([ByteBuffer(bytes: bytes[place..<end])])
                place = end
            }
        } catch {
            upload.abort()
            throw failure(error)
        }
        var draft = BlobDraft()
        draft.headers["Content-Type"] = .string(contentType)
        _ = try await putBlob(place, type: .block, upload, draft, AccessConditions())
    }

    /// Makes the container of a place where it is missing.
    package func makeContainer(_ place: BlobPlace) async throws(BlobError) {
        guard try await look({ try $0.container(place.account, place.container) }) == nil else { return }
        do { _ = try await createContainer(place.account, place.container) } catch {
            guard error == .containerExists else { throw error }
        }
    }

    /// - Throws: 413 above the bound.
    package func bytes(_ place: BlobPlace, max: Int) async throws(BlobError) -> [UInt8] {
        let reading = try await read(place)
        defer { reading.end() }
        guard reading.blob.length <= Int64(max) else { throw .bodyTooLarge }
        var bytes: [UInt8] = []
        bytes.reserveCapacity(Int(reading.blob.length))
        do {
            try await reading.forEachPiece(0..<reading.blob.length) { bytes += $0.readableBytesView }
        } catch { throw failure(error) }
        return bytes
    }

    /// The names in a container, or of those last changed before a time; none where it is not there.
    package func names(
        _ account: String,
        _ container: String,
        before time: Double = .infinity
    ) async throws(BlobError) -> [String] {
        try await look { transaction in
            guard let found = try transaction.container(account, container) else { return [] }
            return try transaction.blobs(BlobQuery(container: found.id, limit: .max)).filter { $0.modified < time }
                .map(\.name)
        }
    }
}
