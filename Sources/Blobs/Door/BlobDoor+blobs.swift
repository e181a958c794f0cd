import Crypto
import Foundation
import HTTPWire
import NIOCore
import ResourceModel
import Store

extension BlobDoor {
    func answerBlob(_ request: BlobRequest, _ body: RequestBody) async throws(BlobError) -> BlobReply {
        try checkSnapshot(request)
        switch (request.method, request.component) {
        case ("GET", ""): return try await getBlob(request)
        case ("HEAD", ""), ("HEAD", "metadata"), ("GET", "metadata"):
            let caller = try await authorizer.authorize(request, .object("r"))
            let blob = try await store.blob(request.place, snapshot: try snapshot(request), try request.conditions())
            var fields = fields(blob, request, caller)
            if request.component == "metadata" {
                fields = stamp(blob) + blob.metadata.members.map { ("x-ms-meta-\($0.name)", $0.value.string ?? "") }
                return BlobReply(200, fields)
            }
            fields += contentFields(blob, caller, md5Name: "Content-MD5")
            return BlobReply(200, fields, .omitted(blob.length))
        case ("PUT", ""): return try await putBlob(request, body)
        case ("PUT", "block"): return try await putBlock(request, body)
        case ("PUT", "blocklist"): return try await putBlockList(request, body)
        case ("GET", "blocklist"): return try await getBlockList(request)
        case ("PUT", "appendblock"): return try await appendBlock(request, body)
        case ("PUT", "seal"):
            _ = try await authorizer.authorize(request, .object("aw"))
            let blob = try await store.sealAppendBlob(request.place, try request.conditions())
            return BlobReply(200, stamp(blob) + [("x-ms-blob-sealed", "true")])
        case ("PUT", "page"): return try await putPages(request, body)
        case ("GET", "pagelist"): return try await pageRanges(request)
        case ("PUT", "properties"): return try await setProperties(request)
        case ("PUT", "metadata"):
            _ = try await authorizer.authorize(request, .object("w"))
            let metadata = try request.metadata()
            let blob = try await store.changeBlob(request.place, try request.conditions()) { $0.metadata = metadata }
            return BlobReply(200, stamp(blob) + [("x-ms-request-server-encrypted", "true")])
        case ("PUT", "lease"):
            _ = try await authorizer.authorize(request, .lease(request, of: .object))
            let (blob, outcome) = try await store.leaseBlob(
                request.place,
                try leaseAction(request),
                try leaseConditions(request)
            )
            return BlobReply(outcome.status, stamp(blob) + leaseFields(outcome))
        case ("DELETE", ""):
            _ = try await authorizer.authorize(request, .object("d"))
            try await deleteBlob(request)
            return BlobReply(202, [("x-ms-delete-type-permanent", "true")])
        case ("PUT", "snapshot"):
            _ = try await authorizer.authorize(request, .object("cw"))
            let metadata = try request.metadata()
            let (blob, time) = try await store.snapshotBlob(
                request.place,
                metadata: metadata.isEmpty ? nil : metadata,
                try request.conditions()
            )
            return BlobReply(201, stamp(blob) + [("x-ms-snapshot", time), ("x-ms-request-server-encrypted", "true")])
        case ("PUT", "copy"):
            _ = try await authorizer.authorize(request, .object("w"))
            _ = try await store.blob(request.place)
            throw .noPendingCopy
        case ("PUT", "tier"):
            _ = try await authorizer.authorize(request, .object("w"))
            return try await setTier(request)
        case ("GET", "tags"):
            _ = try await authorizer.authorize(request, .object("t"))
            let blob = try await store.blob(request.place, snapshot: try snapshot(request), try request.conditions())
            return .xml(BlobTags.document(blob.tags))
        case ("PUT", "tags"):
            _ = try await authorizer.authorize(request, .object("t"))
            let tags = try BlobTags.parse(document: try await document(request, body))
            try await store.setTags(request.place, tags, try request.conditions())
            return BlobReply(204)
        case ("GET", "properties"), ("HEAD", "properties"):
            _ = try await authorizer.authorize(request, .object(BlobAuthorizer.anyLetter))
            return BlobReply(200, accountFields)
        default: throw try await unknown(request, of: .object)
        }
    }

    /// A snapshot never changes: a write that names one must not reach the blob itself.
    ///
    /// Only to delete and to set a tier mean the snapshot.
    func checkSnapshot(_ request: BlobRequest) throws(BlobError) {
        guard !["GET", "HEAD"].contains(request.method), let text = request.parameter("snapshot") else { return }
        guard request.method == "DELETE" || request.component == "tier" else {
            throw .invalidQuery("snapshot", text, "a snapshot cannot be written.")
        }
        // Without this an empty one would mean the blob itself.
        guard !text.isEmpty else { throw .invalidQuery("snapshot", text, "it must be a time in UTC.") }
    }

    func snapshot(_ request: BlobRequest) throws(BlobError) -> String {
        guard let text = request.parameter("snapshot"), !text.isEmpty else { return "" }
        guard BlobTime.parse(iso: text) != nil else {
            throw .invalidQuery("snapshot", text, "it must be a time in UTC.")
        }
        return text
    }

    // MARK: - Reading

    private func getBlob(_ request: BlobRequest) async throws(BlobError) -> BlobReply {
        let caller = try await authorizer.authorize(request, .object("r"))
        let asked = try request.range()
        let wantsMD5 = request.header("x-ms-range-get-content-md5")
        if asked == nil, let wantsMD5, wantsMD5.lowercased() != "false" {
            throw .invalidHeader("x-ms-range-get-content-md5", wantsMD5, "there must be a range beside it.")
        }
        let start = asked?.first ?? 0
        let end = asked?.last.map { $0 + 1 } ?? .max
        let reading = try await store.read(
            request.place,
            snapshot: try snapshot(request),
            range: start..<max(start, end),
            try request.conditions()
        )
        let blob = reading.blob
        do throws(BlobError) {
            guard asked != nil else {
                let fields = fields(blob, request, caller) + contentFields(blob, caller, md5Name: "Content-MD5")
                return BlobReply(200, fields, .blob(reading, 0..<blob.length))
            }
            guard start < blob.length else { throw .invalidRange(length: blob.length) }
            let range = start..<min(end, blob.length)
            var fields = fields(blob, request, caller) + contentFields(blob, caller, md5Name: "x-ms-blob-content-md5")
            fields.append(("Content-Range", "bytes \(range.lowerBound)-\(range.upperBound - 1)/\(blob.length)"))
            if wantsMD5?.lowercased() == "true" {
                guard range.count <= 4 << 20 else {
                    throw .invalidHeader("x-ms-range-get-content-md5", "true", "the range must be of at most 4 MiB.")
                }
                fields.append(("Content-MD5", try await md5(reading, range)))
            }
            return BlobReply(206, fields, .blob(reading, range))
        } catch {
            reading.end()
            throw error
        }
    }

    func md5(_ reading: BlobReading, _ range: Range<Int64>) async throws(BlobError) -> String {
        var hash = Insecure.MD5()
        do {
            try await reading.forEachPiece(range) { piece in
                piece.withUnsafeReadableBytes { hash.update(bufferPointer: $0) }
            }
        } catch { throw store.failure(error) }
        return Data(hash.finalize()).base64EncodedString()
    }

    func stamp(_ blob: BlobRecord) -> [(name: String, value: String)] {
        [("ETag", "\"\(blob.etag)\""), ("Last-Modified", HTTPDate.text(seconds: Int(blob.modified)))]
    }

    private func fields(
        _ blob: BlobRecord,
        _ request: BlobRequest,
        _ caller: BlobCaller
    ) -> [(name: String, value: String)] {
        let now = store.now
        var fields = stamp(blob)
        fields.append(("x-ms-blob-type", blob.type.rawValue))
        fields.append(("x-ms-creation-time", HTTPDate.text(seconds: Int(blob.created))))
        for (name, value) in blob.metadata.members { fields.append(("x-ms-meta-\(name)", value.string ?? "")) }
        if blob.snapshot.isEmpty {
            let state = LeaseRules.state(blob.lease, at: now)
            fields.append(("x-ms-lease-status", LeaseRules.status(blob.lease, at: now)))
            fields.append(("x-ms-lease-state", state.rawValue))
            if state == .leased {
                fields.append(("x-ms-lease-duration", blob.lease.duration < 0 ? "infinite" : "fixed"))
            }
        }
        fields.append(("x-ms-server-encrypted", "true"))
        fields.append(("Accept-Ranges", "bytes"))
        if blob.type == .block || blob.tier != nil {
            fields.append(("x-ms-access-tier", blob.tier ?? "Hot"))
            if blob.tier == nil { fields.append(("x-ms-access-tier-inferred", "true")) }
            if let changed = blob.tierChanged {
                fields.append(("x-ms-access-tier-change-time", HTTPDate.text(seconds: Int(changed))))
            }
        }
        switch blob.type {
        case .block: break
        case .append:
            fields.append(("x-ms-blob-committed-block-count", String(blob.appendedBlocks)))
            if blob.isSealed { fields.append(("x-ms-blob-sealed", "true")) }
        case .page: fields.append(("x-ms-blob-sequence-number", String(blob.sequenceNumber)))
        }
        if !blob.tags.isEmpty { fields.append(("x-ms-tag-count", String(blob.tags.members.count))) }
        if let copy = blob.copy {
            fields.append(("x-ms-copy-id", copy["id"]?.string ?? ""))
            fields.append(("x-ms-copy-source", copy["source"]?.string ?? ""))
            fields.append(("x-ms-copy-status", copy["status"]?.string ?? ""))
            fields.append(("x-ms-copy-progress", copy["progress"]?.string ?? ""))
            fields.append(("x-ms-copy-completion-time", HTTPDate.text(seconds: Int(copy["completed"]?.double ?? 0))))
        }
        return fields
    }

    /// The blob's own headers; a signature may name others for them.
    private func contentFields(
        _ blob: BlobRecord,
        _ caller: BlobCaller,
        md5Name: String
    ) -> [(name: String, value: String)] {
        var signed: [String: String] = [:]
        if case .signature(let fields) = caller { signed = fields }
        let overrides = [
            "Content-Type": "rsct", "Content-Encoding": "rsce", "Content-Language": "rscl", "Cache-Control": "rscc",
            "Content-Disposition": "rscd",
        ]
        var fields: [(name: String, value: String)] = []
        for name in BlobRequest.blobHeaderNames {
            let override = overrides[name].flatMap { signed[$0] }
            let fallback = name == "Content-Type" ? "application/octet-stream" : nil
            guard let value = override ?? blob.headers[name]?.string ?? fallback else { continue }
            fields.append((name == "Content-MD5" ? md5Name : name, value))
            if name == "Content-Type", let sandbox = ContentSandbox.field(of: value) { fields.append(sandbox) }
        }
        return fields
    }
}
