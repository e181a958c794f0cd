import Crypto
import Foundation
import HTTPWire
import NIOCore
import ResourceModel
import Store

extension BlobDoor {
    func answerBlob(_ request: BlobRequest, _ body: RequestBody) async throws(BlobError) -> BlobReply {
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
            _ = try await authorizer.authorize(request, .object("w"))
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
            _ = try await authorizer.authorize(request, .object("cw"))
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
            let tags = try BlobTags.parse(document: try await document(body))
            _ = try await store.changeBlob(request.place, try request.conditions(), keepsStamp: true) { $0.tags = tags }
            return BlobReply(204)
        case ("GET", "properties"), ("HEAD", "properties"):
            _ = try await authorizer.authorize(request, .object("rwdlac"))
            return BlobReply(200, accountFields)
        default: throw unknown(request)
        }
    }

    private func snapshot(_ request: BlobRequest) throws(BlobError) -> String {
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
            if request.header("x-ms-range-get-content-md5")?.lowercased() == "true" {
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

    private func md5(_ reading: BlobReading, _ range: Range<Int64>) async throws(BlobError) -> String {
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
        }
        return fields
    }

    // MARK: - Writing

    /// Takes a body into contents, and proves it by the MD5 that the request states.
    private func upload(
        _ request: BlobRequest,
        _ body: RequestBody,
        bytesMax: Int64,
        wantsMD5: Bool = false
    ) async throws(BlobError) -> (ContentUpload, md5: String?) {
        let stated = request.header("content-md5")
        var expected: [UInt8]?
        if let stated {
            guard let data = Data(base64Encoded: stated), data.count == 16 else {
                throw BlobError(400, "InvalidMd5", "The MD5 value specified in the request is invalid.")
            }
            expected = Array(data)
        }
        if let length = body.length, length > bytesMax { throw .bodyTooLarge }
        let upload = ContentUpload(store.files, withMD5: expected != nil || wantsMD5)
        do {
            while true {
                let pieces = try await body.next()
                if pieces.isEmpty { break }
                try await upload.append(pieces)
                guard upload.length <= bytesMax else { throw BlobError.bodyTooLarge }
            }
        } catch {
            upload.abort()
            if error is RequestBody.Broken { throw .invalidInput("the body ended before its length.") }
            throw store.failure(error)
        }
        let md5 = upload.md5
        if let expected, let md5, !ConstantTime.equal(expected, md5) {
            upload.abort()
            throw .md5Mismatch
        }
        return (upload, md5.map { Data($0).base64EncodedString() })
    }

    private func putBlob(_ request: BlobRequest, _ body: RequestBody) async throws(BlobError) -> BlobReply {
        let source = request.header("x-ms-copy-source")
        if source != nil, request.header("x-ms-blob-type") == nil || request.header("x-ms-requires-sync") == "true" {
            return try await copyBlob(request)
        }
        let caller = try await authorizer.authorize(request, .object("cw"))
        let conditions = try request.conditions()
        guard let word = request.header("x-ms-blob-type") else { throw .missingHeader("x-ms-blob-type") }
        guard let type = BlobType(rawValue: word) else {
            throw .invalidHeader("x-ms-blob-type", word, "it must be BlockBlob, AppendBlob or PageBlob.")
        }
        try await checkOverwrite(request, caller)
        if source != nil { return try await putBlobFromURL(request) }
        guard body.length != nil || request.header("transfer-encoding") != nil else { throw .missingLength }
        var draft = try request.draft(takesPlainHeaders: true)
        try await store.checkCreate(request.place, conditions)
        var pageLength: Int64 = 0
        if type != .block {
            guard body.length == 0 else {
                throw .invalidHeader(
                    "Content-Length",
                    String(body.length ?? -1),
                    "an append or page blob is made empty."
                )
            }
        }
        if type == .page {
            guard let length = try request.number(header: "x-ms-blob-content-length") else {
                throw .missingHeader("x-ms-blob-content-length")
            }
            guard length % 512 == 0, length <= BlobStore.pageBlobBytesMax else {
                throw .invalidHeader(
                    "x-ms-blob-content-length",
                    String(length),
                    "it must be whole pages of 512 bytes, 8 TiB at most."
                )
            }
            pageLength = length
        }
        let statedMD5 = draft.headers["Content-MD5"]
        let (upload, md5) = try await upload(
            request,
            body,
            bytesMax: BlobStore.putBlobBytesMax,
            wantsMD5: type == .block && statedMD5 == nil
        )
        if type == .block, let md5, request.header("x-ms-blob-content-md5") == nil {
            draft.headers["Content-MD5"] = .string(md5)
        }
        let blob = try await store.putBlob(
            request.place,
            type: type,
            upload,
            draft,
            pageBlobLength: pageLength,
            sequenceNumber: try request.number(header: "x-ms-blob-sequence-number") ?? 0,
            conditions
        )
        return BlobReply(201, stamp(blob) + md5Field(md5) + [("x-ms-request-server-encrypted", "true")])
    }

    private func md5Field(_ md5: String?) -> [(name: String, value: String)] { md5.map { [("Content-MD5", $0)] } ?? [] }

    /// A signature that may only create must not put another blob in place of one.
    func checkOverwrite(_ request: BlobRequest, _ caller: BlobCaller) async throws(BlobError) {
        guard case .signature(let fields) = caller, fields["sp"]?.contains("w") != true else { return }
        if (try? await store.blob(request.place)) != nil { throw .permissionMismatch }
    }

    private func putBlock(_ request: BlobRequest, _ body: RequestBody) async throws(BlobError) -> BlobReply {
        _ = try await authorizer.authorize(request, .object("cw"))
        let id = request.parameter("blockid") ?? ""
        guard let decoded = Data(base64Encoded: id), (1...64).contains(decoded.count) else {
            throw .invalidQuery("blockid", id, "it must be base64 of 1 to 64 bytes.")
        }
        if request.header("x-ms-copy-source") != nil {
            return try await putBlockFromURL(request, id: id)
        }
        guard body.length != 0 else {
            throw .invalidHeader("Content-Length", "0", "a block has at least one byte.")
        }
        let conditions = try request.conditions()
        try await store.checkBlock(request.place, id: id, conditions)
        let (upload, md5) = try await upload(request, body, bytesMax: BlobStore.blockBytesMax)
        try await store.putBlock(request.place, id: id, upload, conditions)
        return BlobReply(201, md5Field(md5) + [("x-ms-request-server-encrypted", "true")])
    }

    private func putBlockList(_ request: BlobRequest, _ body: RequestBody) async throws(BlobError) -> BlobReply {
        let caller = try await authorizer.authorize(request, .object("cw"))
        try await checkOverwrite(request, caller)
        let draft = try request.draft(takesPlainHeaders: false)
        let root = try await document(body)
        guard root.name == "BlockList" else { throw .invalidXML("expected <BlockList>.") }
        var list: [(source: BlobStore.BlockSource, id: String)] = []
        list.reserveCapacity(root.children.count)
        for element in root.children {
            guard let source = BlobStore.BlockSource(rawValue: element.name) else {
                throw .xmlNode(element.name, "it must be Committed, Uncommitted or Latest.")
            }
            list.append((source, element.text.trimmingCharacters(in: .whitespacesAndNewlines)))
        }
        let blob = try await store.putBlockList(request.place, list, draft, try request.conditions())
        return BlobReply(201, stamp(blob) + [("x-ms-request-server-encrypted", "true")])
    }

    private func getBlockList(_ request: BlobRequest) async throws(BlobError) -> BlobReply {
        _ = try await authorizer.authorize(request, .object("r"))
        let type = request.parameter("blocklisttype")?.lowercased() ?? "committed"
        guard ["committed", "uncommitted", "all"].contains(type) else {
            throw .invalidQuery("blocklisttype", type, "it must be committed, uncommitted or all.")
        }
        let (blob, committed, uncommitted) = try await store.blockList(
            request.place,
            snapshot: try snapshot(request),
            try request.conditions()
        )
        var text = XMLText()
        text.open("BlockList")
        let write = { (name: String, blocks: [(id: String, length: Int64)]) in
            text.open(name)
            for block in blocks {
                text.open("Block")
                text.leaf("Name", block.id)
                text.leaf("Size", String(block.length))
                text.close("Block")
            }
            text.close(name)
        }
        // Both lists always stand there: old clients look for both.
        write("CommittedBlocks", type == "uncommitted" ? [] : committed)
        write("UncommittedBlocks", type == "committed" ? [] : uncommitted.map { ($0.id, $0.length) })
        text.close("BlockList")
        var fields = blob.map(stamp) ?? []
        fields.append(("x-ms-blob-content-length", String(blob?.length ?? 0)))
        return .xml(text.text, fields)
    }

    private func appendBlock(_ request: BlobRequest, _ body: RequestBody) async throws(BlobError) -> BlobReply {
        _ = try await authorizer.authorize(request, .object("aw"))
        let conditions = try request.conditions()
        guard body.length != 0 else {
            throw .invalidHeader("Content-Length", "0", "an appended block has at least one byte.")
        }
        let position = try request.number(header: "x-ms-blob-condition-appendpos")
        let sizeMax = try request.number(header: "x-ms-blob-condition-maxsize")
        // Judged before the body, so that what must fail does not cost one.
        let before = try await store.look { [store] in
            try store.blobForWrite($0, request.place, conditions, type: .append)
        }
        if let position, position != before.length { throw .appendPosition }
        let (upload, md5) = try await upload(request, body, bytesMax: BlobStore.appendBytesMax)
        let (blob, offset) = try await store.appendBlock(
            request.place,
            upload,
            position: position,
            sizeMax: sizeMax,
            conditions
        )
        return BlobReply(
            201,
            stamp(blob) + md5Field(md5) + [
                ("x-ms-blob-append-offset", String(offset)),
                ("x-ms-blob-committed-block-count", String(blob.appendedBlocks)),
                ("x-ms-request-server-encrypted", "true"),
            ]
        )
    }

    private func pageRange(_ request: BlobRequest) throws(BlobError) -> Range<Int64>? {
        guard let asked = try request.range() else { return nil }
        return asked.first..<(asked.last.map { $0 + 1 } ?? .max)
    }

    private func putPages(_ request: BlobRequest, _ body: RequestBody) async throws(BlobError) -> BlobReply {
        _ = try await authorizer.authorize(request, .object("w"))
        guard let range = try pageRange(request) else { throw .missingHeader("x-ms-range") }
        guard range.lowerBound % 512 == 0, range.upperBound % 512 == 0 else { throw .invalidPageRange }
        var sequence = BlobStore.SequenceConditions()
        sequence.atMost = try request.number(header: "x-ms-if-sequence-number-le")
        sequence.below = try request.number(header: "x-ms-if-sequence-number-lt")
        sequence.equal = try request.number(header: "x-ms-if-sequence-number-eq")
        let conditions = try request.conditions()
        let before = try await store.look { [store] in
            try store.blobForWrite($0, request.place, conditions, type: .page)
        }
        guard range.upperBound <= before.length else { throw .invalidPageRange }
        var upload: ContentUpload?
        var md5: String?
        switch request.header("x-ms-page-write")?.lowercased() {
        case "clear":
            guard body.length == 0 else { throw .invalidHeader("Content-Length", "", "a clear has no body.") }
        case "update":
            guard range.count <= BlobStore.pagesBytesMax else { throw .bodyTooLarge }
            guard body.length == Int64(range.count) else {
                throw .invalidHeader("Content-Length", String(body.length ?? -1), "it must be the length of the range.")
            }
            (upload, md5) = try await self.upload(request, body, bytesMax: BlobStore.pagesBytesMax)
        case let other: throw .invalidHeader("x-ms-page-write", other ?? "", "it must be update or clear.")
        }
        let blob = try await store.putPages(request.place, range, upload, sequence, conditions)
        return BlobReply(
            201,
            stamp(blob) + md5Field(md5) + [
                ("x-ms-blob-sequence-number", String(blob.sequenceNumber)), ("x-ms-request-server-encrypted", "true"),
            ]
        )
    }

    private func pageRanges(_ request: BlobRequest) async throws(BlobError) -> BlobReply {
        _ = try await authorizer.authorize(request, .object("r"))
        if request.parameter("prevsnapshot") != nil { throw .unsupported("differences of page ranges") }
        let (blob, ranges) = try await store.pageRanges(
            request.place,
            snapshot: try snapshot(request),
            try pageRange(request),
            try request.conditions()
        )
        var text = XMLText()
        text.open("PageList")
        for range in ranges {
            text.open("PageRange")
            text.leaf("Start", String(range.lowerBound))
            text.leaf("End", String(range.upperBound - 1))
            text.close("PageRange")
        }
        text.close("PageList")
        return .xml(text.text, stamp(blob) + [("x-ms-blob-content-length", String(blob.length))])
    }

    private func setProperties(_ request: BlobRequest) async throws(BlobError) -> BlobReply {
        _ = try await authorizer.authorize(request, .object("w"))
        let headers = request.blobHeaders(takesPlainHeaders: false)
        let length = try request.number(header: "x-ms-blob-content-length")
        let action = request.header("x-ms-sequence-number-action")?.lowercased()
        let number = try request.number(header: "x-ms-blob-sequence-number")
        let isPageChange = length != nil || action != nil
        let edit = { @Sendable (blob: inout BlobRecord) throws(BlobError) in
            // A call that only resizes or numbers leaves the headers; any other sets them all.
            if !isPageChange || !headers.isEmpty { blob.headers = headers }
            guard let action else { return }
            guard blob.type == .page else { throw .invalidBlobType }
            switch (action, number) {
            case ("increment", nil):
                guard blob.sequenceNumber < .max else { throw .sequenceTooLarge }
                blob.sequenceNumber += 1
            case ("max", let number?): blob.sequenceNumber = max(blob.sequenceNumber, number)
            case ("update", let number?): blob.sequenceNumber = number
            default:
                throw .invalidHeader(
                    "x-ms-sequence-number-action",
                    action,
                    "max and update need a number, increment none."
                )
            }
        }
        let blob: BlobRecord
        if let length {
            guard length % 512 == 0, length <= BlobStore.pageBlobBytesMax else {
                throw .invalidHeader("x-ms-blob-content-length", String(length), "it must be whole pages of 512 bytes.")
            }
            blob = try await store.resize(request.place, to: length, try request.conditions(), edit)
        } else {
            blob = try await store.changeBlob(request.place, try request.conditions(), edit)
        }
        let sequence = blob.type == .page ? [("x-ms-blob-sequence-number", String(blob.sequenceNumber))] : []
        return BlobReply(200, stamp(blob) + sequence)
    }

    func setTier(_ request: BlobRequest) async throws(BlobError) -> BlobReply {
        guard let tier = try request.tier() else { throw .missingHeader("x-ms-access-tier") }
        let snapshot = try snapshot(request)
        let now = store.now
        let before = try await store.blob(request.place, snapshot: snapshot)
        guard before.type != .append else { throw .invalidBlobType }
        var conditions = AccessConditions()
        // Setting a tier asks for a lease only where one is named.
        conditions.leaseID = request.header("x-ms-lease-id") ?? before.lease.id
        if LeaseRules.status(before.lease, at: now) == "unlocked" { conditions.leaseID = nil }
        _ = try await store.changeBlob(request.place, conditions, keepsStamp: true, snapshot: snapshot) {
            $0.tier = tier
            $0.tierChanged = now
        }
        return BlobReply(before.tier == "Archive" && tier != "Archive" ? 202 : 200)
    }

    func deleteBlob(_ request: BlobRequest) async throws(BlobError) {
        let snapshot = try snapshot(request)
        let snapshots: BlobStore.SnapshotDeletion
        switch request.header("x-ms-delete-snapshots")?.lowercased() {
        case nil: snapshots = .refuse
        case "include": snapshots = .include
        case "only": snapshots = .only
        case let other?: throw .invalidHeader("x-ms-delete-snapshots", other, "it must be include or only.")
        }
        guard snapshot.isEmpty || snapshots == .refuse else {
            throw .invalidHeader("x-ms-delete-snapshots", "", "it has no meaning for one snapshot.")
        }
        try await store.deleteBlob(request.place, snapshot: snapshot, snapshots, try request.conditions())
    }
}
