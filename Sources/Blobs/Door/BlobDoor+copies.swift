import BlobClient
import Foundation
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
        let inside: BlobRequest?
        do throws(BlobError) {
            inside = try BlobRequest(
                method: "GET",
                target: target,
                fields: [("host", location.host), ("x-ms-version", request.version)],
                clientAddress: request.clientAddress,
                requestID: request.requestID,
                knowsAccount: { accounts.account($0) != nil }
            )
        } catch { inside = nil }
        guard let inside, accounts.account(inside.account) != nil, !inside.blob.isEmpty else {
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
        try await checkOverwrite(request, caller)
        let text = request.header("x-ms-copy-source") ?? ""
        let blob: BlobRecord
        switch try await source(request, text) {
        case .ours(let place, let snapshot):
            var copy = try copyRequest(request, place, snapshot, text)
            copy.headers = nil
            blob = try await store.copyBlob(copy, to: request.place, try request.conditions())
        case .elsewhere(let location):
            blob = try await fetch(request, location, copySource: text)
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
    func putBlobFromURL(_ request: BlobRequest) async throws(BlobError) -> BlobReply {
        let text = request.header("x-ms-copy-source") ?? ""
        let blob: BlobRecord
        switch try await source(request, text) {
        case .ours(let place, let snapshot):
            var copy = try copyRequest(request, place, snapshot, text)
            copy.leavesState = false
            let headers = request.blobHeaders(takesPlainHeaders: false)
            if request.header("x-ms-copy-source-blob-properties")?.lowercased() == "false" || !headers.isEmpty {
                copy.headers = headers
            }
            blob = try await store.copyBlob(copy, to: request.place, try request.conditions())
        case .elsewhere(let location): blob = try await fetch(request, location, copySource: nil)
        }
        return BlobReply(201, stamp(blob) + [("x-ms-request-server-encrypted", "true")])
    }

    func putBlockFromURL(_ request: BlobRequest, id: String) async throws(BlobError) -> BlobReply {
        let conditions = try request.conditions()
        try await store.checkBlock(request.place, id: id, conditions)
        var range: Range<Int64>?
        if let text = request.header("x-ms-source-range") {
            let ends = text.hasPrefix("bytes=") ? text.dropFirst(6).split(separator: "-").compactMap { Int64($0) } : []
            guard ends.count == 2, ends[0] <= ends[1], ends[1] < .max else {
                throw .invalidHeader("x-ms-source-range", text, "a range is written bytes=first-last.")
            }
            range = ends[0]..<(ends[1] + 1)
        }
        let upload = ContentUpload(store.files, withMD5: false)
        do {
            switch try await source(request, request.header("x-ms-copy-source") ?? "") {
            case .ours(let place, let snapshot):
                let reading = try await store.read(place, snapshot: snapshot)
                defer { reading.end() }
                let wanted = (range ?? 0..<reading.blob.length).clamped(to: 0..<reading.blob.length)
                guard !wanted.isEmpty else { throw BlobError.invalidRange(length: reading.blob.length) }
                try await reading.forEachPiece(wanted) { try await upload.append([$0]) }
            case .elsewhere(let location):
                guard range == nil else { throw BlobError.unsupported("ranges of sources elsewhere") }
                try await remote.download(location, bytesMax: BlobStore.blockBytesMax) { try await upload.append([$0]) }
            }
        } catch {
            upload.abort()
            throw remoteFailure(error)
        }
        try await store.putBlock(request.place, id: id, upload, conditions)
        return BlobReply(201, [("x-ms-request-server-encrypted", "true")])
    }

    /// Brings a blob from elsewhere, where its host is allowed.
    private func fetch(
        _ request: BlobRequest,
        _ location: BlobLocation,
        copySource: String?
    ) async throws(BlobError) -> BlobRecord {
        try await store.checkCreate(request.place, try request.conditions())
        let upload = ContentUpload(store.files, withMD5: false)
        var draft = try request.draft(takesPlainHeaders: false)
        do {
            var type: String?
            try await remote.download(
                location,
                bytesMax: BlobStore.putBlobBytesMax,
                begin: { _, found in type = found },
                take: { try await upload.append([$0]) }
            )
            if draft.headers["Content-Type"] == nil, let type { draft.headers["Content-Type"] = .string(type) }
        } catch {
            upload.abort()
            throw remoteFailure(error)
        }
        let conditions = try request.conditions()
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
            return BlobError(error.status >= 500 ? 502 : error.status, "CannotVerifyCopySource", error.description)
        }
        return BlobError(502, "CannotVerifyCopySource", "The copy source did not answer.")
    }
}
