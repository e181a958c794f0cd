package import BlobClient
import Foundation
package import NIOCore
package import ResourceModel
package import Store

/// Reads and writes blobs that somebody names: by connection string and location, or by address.
///
/// An account's name with one of its keys means our own store, whatever endpoint stands beside it.
package struct BlobReferences: Sendable {
    private let store: BlobStore
    private let accounts: StorageAccounts
    private let remote: RemoteBlobs
    private let address: @Sendable () -> String

    /// - Parameter address: of our own store, without a closing slash.
    package init(
        store: BlobStore,
        accounts: StorageAccounts,
        remote: RemoteBlobs,
        address: @Sendable @escaping () -> String
    ) {
        self.store = store
        self.accounts = accounts
        self.remote = remote
        self.address = address
    }

    /// A blob as the contracts name one.
    package enum Reference: Sendable {
        /// `RelativeLocation`: `container/blob`, with or without a leading slash.
        case connection(ConnectionString, relative: String)
        /// The parts of an address; together they are the whole of it.
        case address(base: String, relative: String, signature: String)

        /// Reads `{"ConnectionString", "RelativeLocation"}`, `{"BaseLocation", "RelativeLocation", "SasBlobToken"}` or `{"Url"}`.
        package init(json: JSONValue) throws(APIError) {
            if let url = json["Url"]?.string {
                self = .address(base: url, relative: "", signature: "")
            } else if let text = json["ConnectionString"]?.string, let relative = json["RelativeLocation"]?.string {
                self = .connection(try ConnectionString(text), relative: relative)
            } else if let base = json["BaseLocation"]?.string {
                self = .address(
                    base: base,
                    relative: json["RelativeLocation"]?.string ?? "",
                    signature: json["SasBlobToken"]?.string ?? ""
                )
            } else {
                throw .validation("Url", "A blob is named by Url, or by ConnectionString and RelativeLocation.")
            }
        }
    }

    /// A blob that was found to be ours or another's.
    package struct Target: Sendable {
        enum Kind: Sendable {
            case own(BlobPlace)
            /// - Parameters:
            ///   - base: what stands before `relative` in the address.
            ///   - isSigned: whether the address has its own signature.
            case remote(BlobLocation, base: String, relative: String, isSigned: Bool)
        }

        let kind: Kind

        package init(_ place: BlobPlace) { kind = .own(place) }
        init(kind: Kind) { self.kind = kind }

        /// Where it is in our own store; nil for another's.
        package var ownPlace: BlobPlace? {
            guard case .own(let place) = kind else { return nil }
            return place
        }

        /// What it is called in messages: never with what opens it.
        package var shown: String {
            switch kind {
            case .own(let place): "\(place.container)/\(place.name)"
            case .remote(let location, _, _, _): location.shown
            }
        }

        /// The same blob under another name beside it.
        package func sibling(suffix: String) -> Target {
            switch kind {
            case .own(let place):
                Target(BlobPlace(account: place.account, container: place.container, name: place.name + suffix))
            case .remote(let location, let base, let relative, let isSigned):
                Target(
                    kind: .remote(
                        BlobLocation(url: location.url + suffix, credential: location.credential),
                        base: base,
                        relative: relative + suffix,
                        isSigned: isSigned
                    )
                )
            }
        }
    }

    /// - Throws: `APIError` naming the part that is wrong.
    package func target(_ reference: Reference) throws(APIError) -> Target {
        switch reference {
        case .address(let base, let relative, let signature):
            let location = try BlobLocation(address: base + relative + signature)
            return Target(kind: .remote(location, base: base, relative: relative, isSigned: true))
        case .connection(let connection, let relative):
            let parts = relative.split(separator: "/", maxSplits: 1).map(String.init)
            guard parts.count == 2 else {
                throw .validation("RelativeLocation", "The location must be container/blob.")
            }
            if let key = connection.key, accounts.owns(connection.account, key: key) {
                return Target(BlobPlace(account: connection.account, container: parts[0], name: parts[1]))
            }
            guard connection.key == nil || accounts.account(connection.account) == nil else {
                throw .validation("AccountKey", "The AccountKey is none of the account \(connection.account).")
            }
            let location = BlobLocation(connection, container: parts[0], blob: parts[1])
            return Target(
                kind: .remote(
                    location,
                    base: connection.endpoint + "/",
                    relative: "\(BlobLocation.encoded(parts[0]))/\(BlobLocation.encoded(parts[1]))",
                    isSigned: connection.key == nil
                )
            )
        }
    }

    /// Whether a container may have the name.
    package static func isValid(container name: String) -> Bool { (try? BlobNames.check(container: name)) != nil }

    /// Whether a blob may have the name.
    package static func isValid(blob name: String) -> Bool { (try? BlobNames.check(blob: name)) != nil }

    /// When a shared access signature ends, in seconds since 1970; nil where it does not say.
    package static func expiry(signature: String) -> Double? {
        URLComponents(string: signature.hasPrefix("?") ? signature : "?" + signature)?.queryItems?
            .first { $0.name == "se" }?.value.flatMap(BlobTime.parse(iso:))
    }

    // MARK: - Whole blobs

    /// - Throws: `APIError` that says what the other side answered.
    package func read(_ reference: Reference, bytesMax: Int) async throws -> [UInt8] {
        do {
            switch try target(reference).kind {
            case .own(let place): return try await store.bytes(place, max: bytesMax)
            case .remote(let location, _, _, _):
                var bytes: [UInt8] = []
                try await remote.download(location, bytesMax: Int64(bytesMax)) { bytes += $0.readableBytesView }
                return bytes
            }
        } catch { throw Self.error(error) }
    }

    package func write(_ bytes: [UInt8], to reference: Reference, contentType: String) async throws {
        do {
            switch try target(reference).kind {
            case .own(let place): try await store.write(bytes, to: place, contentType: contentType)
            case .remote(let location, _, _, _):
                var place = 0
                try await remote.upload(location, contentType: contentType) {
                    guard place < bytes.count else { return nil }
                    let end = min(place + RemoteBlobs.pieceBytes, bytes.count)
                    defer { place = end }
                    return ByteBuffer(bytes: bytes[place..<end])
                }
            }
        } catch { throw Self.error(error) }
    }

    // MARK: - Streams

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

    // MARK: - References for others

    /// The parts of an address that lets anybody read a blob for a time (contracts/ml-web-services.md 2.5).
    ///
    /// - Parameters:
    ///   - start: seconds since 1970.
    ///   - end: seconds since 1970.
    /// - Returns: parts that make the address when they are joined; the signature is the caller's own where the blob was named by one.
    package func readable(
        _ target: Target,
        from start: Double,
        until end: Double
    ) -> (base: String, relative: String, signature: String) {
        switch target.kind {
        case .own(let place):
            let relative = "\(BlobLocation.encoded(place.container))/\(BlobLocation.encoded(place.name))"
            let key = accounts.account(place.account)?.keys.first ?? []
            let signature = Self.signature(
                account: place.account,
                key: key,
                path: "/\(place.container)/\(place.name)",
                start,
                end
            )
            return ("\(address())/\(place.account)/", relative, signature)
        case .remote(let location, let base, let relative, let isSigned):
            switch location.credential {
            case .signature(let signature): return (base, relative, isSigned ? "?" + signature : "")
            case .key(let account, let key):
                let path = relative.removingPercentEncoding ?? relative
                return (base, relative, Self.signature(account: account, key: key, path: "/" + path, start, end))
            case .none: return (base, relative, "")
            }
        }
    }

    private static let signatureVersion = "2021-12-02"

    private static func signature(
        account: String,
        key: [UInt8],
        path: String,
        _ start: Double,
        _ end: Double
    ) -> String {
        let fields = [
            ("sv", signatureVersion), ("sr", "b"), ("st", BlobTime.iso(start)), ("se", BlobTime.iso(end)), ("sp", "r"),
        ]
        let text = SharedAccess.serviceStringToSign(
            Dictionary(uniqueKeysWithValues: fields),
            account: account,
            path: path,
            snapshot: ""
        )
        let signed = fields + [("sig", SharedKey.signature(text, key: key))]
        return "?" + signed.map { "\($0)=\(RemoteBlobs.encoded($1))" }.joined(separator: "&")
    }

    fileprivate static func error(_ error: any Error) -> any Error {
        switch error {
        case let error as BlobError:
            APIError(status: error.status == 404 ? 404 : 400, code: error.code, message: error.message)
        case let error as RemoteBlobs.Refusal:
            APIError(status: error.status == 404 ? 404 : 400, code: error.code, message: error.description)
        case let error as APIError: error
        case let error as CancellationError: error
        default: APIError.badRequest("The address could not be reached.")
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
