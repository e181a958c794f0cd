import BlobClient
package import NIOCore
package import ResourceModel
package import Store

/// Blobs that are too long for memory: read piece by piece, and written so that they appear as a whole.
extension BlobReferences {
    /// Whether this installation may speak to the place of a blob.
    ///
    /// - Throws: `APIError` naming the setting that allows hosts.
    package func checkAllowed(_ target: Target) throws(APIError) {
        guard case .remote(let location, _, _, _) = target.kind else { return }
        try remote.checkAllowed(location)
    }

    /// Whether a blob of our own store can be read; another's is not asked.
    ///
    /// - Throws: `APIError` with the store's own code and words.
    package func checkReadable(_ target: Target) async throws {
        guard let place = target.ownPlace else { return }
        do { _ = try await store.blob(place) } catch { throw Self.error(error) }
    }

    /// Whether the container of a blob in our own store is there; another's is not asked.
    package func checkWritable(_ target: Target) async throws {
        guard let place = target.ownPlace else { return }
        do { _ = try await store.container(place.account, place.container) } catch { throw Self.error(error) }
    }

    /// Gives a blob's bytes in order; what is read does not change, whatever becomes of the blob meanwhile.
    ///
    /// - Parameters:
    ///   - begin: is told the length, where it is known.
    ///   - take: is awaited for each piece, of some mebibytes at most.
    package func stream(
        _ target: Target,
        begin: (Int64?) -> Void,
        take: (ByteBuffer) async throws -> Void
    ) async throws {
        switch target.kind {
        case .own(let place):
            let reading: BlobReading
            do { reading = try await store.read(place) } catch { throw Self.error(error) }
            defer { reading.end() }
            begin(reading.blob.length)
            do {
                try await reading.forEachPiece(0..<reading.blob.length, inBackground: true, take)
            } catch let error as BlobError { throw Self.error(error) }
        case .remote(let location, _, _, _):
            do {
                try await remote.download(location, begin: { length, _ in begin(length) }, take: take)
            } catch let error as RemoteBlobs.Refusal { throw Self.error(error) }
        }
    }

    /// Begins to write a blob that appears as a whole with `commit`.
    ///
    /// - Parameter token: 32 hexadecimal digits that the work has again after a crash, by which another's account tells how far
    ///   it came.
    package func output(_ target: Target, contentType: String, token: String) async throws -> BlobOutput {
        switch target.kind {
        case .own(let place):
            do {
                try BlobNames.check(blob: place.name)
            } catch { throw Self.error(error) }
            var draft = BlobDraft()
            draft.headers["Content-Type"] = .string(contentType)
            return BlobOutput(.own(place, ContentUpload(store.files, withMD5: false, inBackground: true), draft), store)
        case .remote(let location, _, _, _):
            let upload = RemoteUpload(remote, location, token: token, contentType: contentType)
            do { try await upload.resume() } catch { throw Self.error(error) }
            return BlobOutput(.remote(upload), store)
        }
    }

    /// Makes all outputs appear, or removes what was written of them.
    ///
    /// Those in other accounts come first, then those of our own store together with what `body` does, in one transaction.
    ///
    /// - Parameter note: a word that a successor of the work finds at blobs in other accounts.
    package func commit(
        _ outputs: [BlobOutput],
        note: String,
        with body: @Sendable @escaping (any BlobTransaction) throws -> Void
    ) async throws {
        var own: [BlobStore.Writing] = []
        for output in outputs {
            switch output.kind {
            case .own(let place, let upload, let draft): own.append((place, upload, draft))
            case .remote(let upload):
                do { try await upload.commit(note: note) } catch {
                    abort(outputs)
                    throw Self.error(error)
                }
            }
        }
        do { try await store.put(own, with: body) } catch let error as BlobError { throw Self.error(error) }
    }

    /// Removes what was written of outputs that are not committed; blocks in other accounts go by themselves after a week.
    package func abort(_ outputs: [BlobOutput]) {
        for output in outputs {
            if case .own(_, let upload, _) = output.kind { upload.abort() }
        }
    }

    /// Makes the container of a blob of our own store where it is missing.
    package func makeContainer(_ target: Target) async throws {
        guard let place = target.ownPlace else { return }
        do { try await store.makeContainer(place) } catch { throw Self.error(error) }
    }

    /// Removes a blob of our own store; one that is not there is removed already.
    package func remove(_ target: Target) async throws {
        guard let place = target.ownPlace else { return }
        do { try await store.deleteBlob(place, .include) } catch  where error.status != 404 { throw Self.error(error) }
    }

    /// Removes the blobs of a container that were last changed before a time; those under a lease stay.
    package func expire(account: String, container: String, before time: Double) async throws {
        for name in try await store.names(account, container, before: time) {
            try? await store.deleteBlob(BlobPlace(account: account, container: container, name: name), .include)
        }
    }
}

/// A blob that is being written by one task.
package final class BlobOutput {
    enum Kind {
        case own(BlobPlace, ContentUpload, BlobDraft)
        case remote(RemoteUpload)
    }

    let kind: Kind
    private let store: BlobStore

    init(_ kind: Kind, _ store: BlobStore) {
        self.kind = kind
        self.store = store
    }

    /// What an earlier holder of the token noted when it committed the blob; nil where none did.
    ///
    /// Only other accounts' blobs can be committed while the work is not ended.
    package var committedNote: String? {
        guard case .remote(let upload) = kind, upload.isCommitted else { return nil }
        return upload.note ?? ""
    }

    /// Takes the next bytes; returns once they are written or on their way.
    package func append(_ pieces: [ByteBuffer]) async throws {
        do {
            switch kind {
            case .own(_, let upload, _): try await upload.append(pieces)
            case .remote(let upload): for piece in pieces { try await upload.append(piece) }
            }
        } catch let error as ContentFiles.Failure {
            throw BlobReferences.error(store.failure(error))
        } catch { throw BlobReferences.error(error) }
    }
}
