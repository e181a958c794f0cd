import BlobClient
import Foundation
import HTTPWire
import NIOCore
import ResourceModel
import Store

extension BlobDoor {
    /// Where a copy's source is.
    private enum CopySource {
        case ours(BlobPlace, snapshot: String)
        case elsewhere(BlobLocation)
    }

    /// Reads the address of a source, and judges whether the caller may read it.
    ///
    /// An address that names one of our accounts means our own store, whatever its host.
    private func source(_ request: BlobRequest, _ text: String) async throws(BlobError) -> CopySource {
        guard text.utf8.count <= 2048 else {
            throw .invalidHeader("x-ms-copy-source", text, "an address has at most 2 KiB.")
        }
        let location: BlobLocation
        do {
            // Old clients name a blob of their own account by its path.
            location = try BlobLocation(address: text.hasPrefix("/") ? "http://localhost" + text : text)
        } catch { throw .invalidHeader("x-ms-copy-source", text, "it must be an http or https address.") }
        let target = text.hasPrefix("/") ? text : Self.target(text)
        let inside = BlobRequest(
            method: "GET",
            target: target,
            fields: [("host", location.host), ("x-ms-version", request.version)],
            clientAddress: request.clientAddress,
            isSecure: request.isSecure,
            requestID: request.requestID,
            knowsAccount: { accounts.account($0) != nil }
        )
        guard inside.problem == nil, accounts.account(inside.account) != nil, !inside.blob.isEmpty else {
            return .elsewhere(location)
        }
        let isOwner = request.header("authorization") != nil && inside.account == request.account
        if !isOwner {
            guard await authorizer.canRead(inside) else { throw .cannotVerifyCopySource }
        }
        return .ours(inside.place, snapshot: inside.parameter("snapshot") ?? "")
    }

    /// Path and query of an address.
    private static func target(_ address: String) -> String {
        let afterScheme = address.range(of: "://").map { address[$0.upperBound...] } ?? Substring(address)
        guard let slash = afterScheme.firstIndex(of: "/") else { return "/" }
        return String(afterScheme[slash...])
    }

    func copyBlob(_ request: BlobRequest) async throws(BlobError) -> BlobReply {
        let caller = try await authorizer.authorize(request, .object("cw"))
        let conditions = try creationConditions(request, caller)
        let text = request.header("x-ms-copy-source") ?? ""
        let blob: BlobRecord
        switch try await source(request, text) {
        case .ours(let place, let snapshot):
            var copy = try copyRequest(request, place, snapshot, text)
            copy.headers = nil
            copy.sourceETag = try await provenSource(request, place, snapshot)
            blob = try await store.copyBlob(copy, to: request.place, conditions)
        case .elsewhere(let location):
            blob = try await fetch(request, location, copySource: text, conditions)
        }
        let state = blob.copy
        return BlobReply(
            202,
            stamp(blob) + [
                ("x-ms-copy-id", state?["id"]?.string ?? ""),
                ("x-ms-copy-status", state?["status"]?.string ?? "success"),
            ]
        )
    }

    private func copyRequest(
        _ request: BlobRequest,
        _ place: BlobPlace,
        _ snapshot: String,
        _ text: String
    ) throws(BlobError) -> BlobStore.CopyRequest {
        let metadata = try request.metadata()
        var copy = BlobStore.CopyRequest(
            source: place,
            snapshot: snapshot,
            sourceConditions: try request.conditions(prefix: "x-ms-source-"),
            // A signature in the address is a secret: it is not kept.
            sourceURL: text.split(separator: "?").first.map(String.init) ?? text
        )
        copy.metadata = metadata.isEmpty ? nil : metadata
        if let tags = request.header("x-ms-tags") { copy.tags = try BlobTags.parse(header: tags) }
        copy.tier = try request.tier()
        return copy
    }

    /// Put Blob From URL: a block blob of what an address gives.
    func putBlobFromURL(_ request: BlobRequest, _ conditions: AccessConditions) async throws(BlobError) -> BlobReply {
        let text = request.header("x-ms-copy-source") ?? ""
        let blob: BlobRecord
        switch try await source(request, text) {
        case .ours(let place, let snapshot):
            var copy = try copyRequest(request, place, snapshot, text)
            copy.leavesState = false
            _ = try request.md5(header: "x-ms-blob-content-md5")
            let headers = request.blobHeaders(takesPlainHeaders: false)
            if request.header("x-ms-copy-source-blob-properties")?.lowercased() == "false" || !headers.isEmpty {
                copy.headers = headers
            }
            copy.sourceETag = try await provenSource(request, place, snapshot)
            blob = try await store.copyBlob(copy, to: request.place, conditions)
        case .elsewhere(let location): blob = try await fetch(request, location, copySource: nil, conditions)
        }
        return BlobReply(201, stamp(blob) + [("x-ms-request-server-encrypted", "true")])
    }

    // MARK: - Bytes of sources

    private static let sourceMD5Name = "x-ms-source-content-md5"

    /// Proves a source of our own by the MD5 that the request states; without one nothing is read.
    ///
    /// - Returns: the etag of what was proven, so that nothing else is copied.
    private func provenSource(
        _ request: BlobRequest,
        _ place: BlobPlace,
        _ snapshot: String
    ) async throws(BlobError) -> String? {
        guard let stated = try request.md5(header: Self.sourceMD5Name) else { return nil }
        let reading = try await readSource(place, snapshot, AccessConditions())
        defer { reading.end() }
        let found = try await md5(reading, 0..<reading.blob.length)
        guard found == Data(stated).base64EncodedString() else { throw .md5Mismatch }
        return reading.blob.etag
    }

    /// Begins to read a source of our own; its errors are those of a source.
    private func readSource(
        _ place: BlobPlace,
        _ snapshot: String,
        _ conditions: AccessConditions
    ) async throws(BlobError) -> BlobReading {
        do { return try await store.read(place, snapshot: snapshot, conditions) } catch {
            switch error {
            case .conditionNotMet, .notModified: throw .sourceConditionNotMet
            case .blobNotFound, .containerNotFound: throw .cannotVerifyCopySource
            default: throw error
            }
        }
    }

    /// `x-ms-source-range` as bytes.
    private func sourceRange(_ request: BlobRequest) throws(BlobError) -> Range<Int64>? {
        let name = "x-ms-source-range"
        guard let text = request.header(name) else { return nil }
        let ends = text.hasPrefix("bytes=") ? text.dropFirst(6).split(separator: "-").compactMap { Int64($0) } : []
        guard ends.count == 2, ends[0] <= ends[1], ends[1] < .max else {
            throw .invalidHeader(name, text, "a range is written bytes=first-last.")
        }
        return ends[0]..<(ends[1] + 1)
    }

    /// Takes what an address gives into contents: for Put Block, Append Block and Put Page From URL.
    ///
    /// - Parameter length: how many bytes the source's range must have, where that is settled.
    func uploadFromURL(
        _ request: BlobRequest,
        _ body: RequestBody,
        bytesMax: Int64,
        length: Int64? = nil
    ) async throws(BlobError) -> (ContentUpload, md5: String?) {
        guard body.length == 0 else {
            throw .invalidHeader(
                "Content-Length",
                body.length.map(String.init) ?? "",
                "a call that names a source has no body."
            )
        }
        let range = try sourceRange(request)
        if let length {
            guard let range else { throw .missingHeader("x-ms-source-range") }
            guard Int64(range.count) == length else {
                throw .invalidHeader(
                    "x-ms-source-range",
                    request.header("x-ms-source-range") ?? "",
                    "it must be as long as the range that is written."
                )
            }
        }
        let stated = try request.md5(header: Self.sourceMD5Name)
        let conditions = try request.conditions(prefix: "x-ms-source-")
        let upload = ContentUpload(store.files, withMD5: true)
        do {
            switch try await source(request, request.header("x-ms-copy-source") ?? "") {
            case .ours(let place, let snapshot):
                let reading = try await readSource(place, snapshot, conditions)
                defer { reading.end() }
                let wanted = (range ?? 0..<reading.blob.length).clamped(to: 0..<reading.blob.length)
                guard !wanted.isEmpty else { throw BlobError.invalidRange(length: reading.blob.length) }
                guard Int64(wanted.count) <= bytesMax else { throw BlobError.bodyTooLarge }
                try await reading.forEachPiece(wanted) { try await upload.append([$0]) }
            case .elsewhere(let location):
                try await remote.download(
                    location,
                    range: range,
                    bytesMax: bytesMax,
                    conditions: Self.remoteConditions(request)
                ) { try await upload.append([$0]) }
            }
            guard upload.length > 0, length ?? upload.length == upload.length else {
                throw BlobError.invalidRange(length: upload.length)
            }
            if let stated, let found = upload.md5, !ConstantTime.equal(stated, found) { throw BlobError.md5Mismatch }
        } catch {
            upload.abort()
            throw remoteFailure(error)
        }
        return (upload, upload.md5.map { Data($0).base64EncodedString() })
    }

    /// The conditions on a source as its own server is asked for them.
    private static func remoteConditions(_ request: BlobRequest) -> [(name: String, value: String)] {
        ["If-Match", "If-None-Match", "If-Modified-Since", "If-Unmodified-Since"].compactMap { name in
            request.header("x-ms-source-" + name.lowercased()).map { (name, $0) }
        }
    }

    /// Brings a blob from elsewhere, where its host is allowed.
    private func fetch(
        _ request: BlobRequest,
        _ location: BlobLocation,
        copySource: String?,
        _ conditions: AccessConditions
    ) async throws(BlobError) -> BlobRecord {
        try await store.checkCreate(request.place, conditions)
        let stated = try request.md5(header: Self.sourceMD5Name)
        let upload = ContentUpload(store.files, withMD5: true)
        var draft = try request.draft(takesPlainHeaders: false)
        do {
            var type: String?
            try await remote.download(
                location,
                bytesMax: BlobStore.putBlobBytesMax,
                conditions: Self.remoteConditions(request),
                begin: { _, found in type = found },
                take: { try await upload.append([$0]) }
            )
            if draft.headers["Content-Type"] == nil, let type { draft.headers["Content-Type"] = .string(type) }
            let found = upload.md5 ?? []
            if let stated, !ConstantTime.equal(stated, found) { throw BlobError.md5Mismatch }
            if draft.headers["Content-MD5"] == nil {
                draft.headers["Content-MD5"] = .string(Data(found).base64EncodedString())
            }
        } catch {
            upload.abort()
            throw remoteFailure(error)
        }
        let length = upload.length
        let blob = try await store.putBlob(request.place, type: .block, upload, draft, conditions)
        guard let copySource else { return blob }
        let address = copySource.split(separator: "?").first.map(String.init) ?? copySource
        var after = AccessConditions()
        after.leaseID = conditions.leaseID
        return try await store.changeBlob(request.place, after, keepsStamp: true) {
            $0.copy = [
                "id": .string(Identifier.guid()), "source": .string(address), "status": "success",
                "progress": .string("\(length)/\(length)"), "completed": .double($0.modified),
            ]
        }
    }

    private func remoteFailure(_ error: any Error) -> BlobError {
        if error is BlobError || error is ContentFiles.Failure { return store.failure(error) }
        if let error = error as? APIError {
            return BlobError(403, "CannotVerifyCopySource", error.details.first?.message ?? error.message)
        }
        if let error = error as? RemoteBlobs.Refusal {
            if error.status == 412 || error.status == 304 { return .sourceConditionNotMet }
            return BlobError(error.status >= 500 ? 502 : error.status, "CannotVerifyCopySource", error.description)
        }
        return BlobError(502, "CannotVerifyCopySource", "The copy source did not answer.")
    }
}
