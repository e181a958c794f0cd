import Foundation
import HTTPWire
import ResourceModel
import Store

/// What writes blobs, and the lists of what they are made of.
extension BlobDoor {
    /// Takes a body into contents, and proves it by the MD5s that the request states.
    ///
    /// - Parameter blobMD5: what the whole blob is to have, where the body is the whole of it.
    private func upload(
        _ request: BlobRequest,
        _ body: RequestBody,
        bytesMax: Int64,
        wantsMD5: Bool = false,
        blobMD5: [UInt8]? = nil
    ) async throws(BlobError) -> (ContentUpload, md5: String?) {
        let stated = [try request.md5(header: "content-md5"), blobMD5].compactMap { $0 }
        if let length = body.length, length > bytesMax { throw .bodyTooLarge }
        let upload = ContentUpload(store.files, withMD5: !stated.isEmpty || wantsMD5)
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
        if let md5, !stated.allSatisfy({ ConstantTime.equal($0, md5) }) {
            upload.abort()
            throw .md5Mismatch
        }
        return (upload, md5.map { Data($0).base64EncodedString() })
    }

    func putBlob(_ request: BlobRequest, _ body: RequestBody) async throws(BlobError) -> BlobReply {
        let source = request.header("x-ms-copy-source")
        if source != nil, request.header("x-ms-blob-type") == nil || request.header("x-ms-requires-sync") == "true" {
            return try await copyBlob(request)
        }
        let caller = try await authorizer.authorize(request, .object("cw"))
        let conditions = try creationConditions(request, caller)
        guard let word = request.header("x-ms-blob-type") else { throw .missingHeader("x-ms-blob-type") }
        guard let type = BlobType(rawValue: word) else {
            throw .invalidHeader("x-ms-blob-type", word, "it must be BlockBlob, AppendBlob or PageBlob.")
        }
        if source != nil { return try await putBlobFromURL(request, conditions) }
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
        let statedMD5 = try request.md5(header: "x-ms-blob-content-md5")
        // The MD5 of an empty body says nothing of what will be appended or written to pages.
        if type != .block, statedMD5 == nil { draft.headers["Content-MD5"] = nil }
        let sequenceNumber = try request.number(header: "x-ms-blob-sequence-number") ?? 0
        // Only a block blob comes whole, so that its MD5 can be compared; the others' is kept as it was sent.
        let (upload, md5) = try await upload(
            request,
            body,
            bytesMax: BlobStore.putBlobBytesMax,
            wantsMD5: type == .block,
            blobMD5: type == .block ? statedMD5 : nil
        )
        if type == .block, let md5 { draft.headers["Content-MD5"] = .string(md5) }
        let blob = try await store.putBlob(
            request.place,
            type: type,
            upload,
            draft,
            pageBlobLength: pageLength,
            sequenceNumber: sequenceNumber,
            conditions
        )
        return BlobReply(201, stamp(blob) + md5Field(md5) + [("x-ms-request-server-encrypted", "true")])
    }

    private func md5Field(_ md5: String?) -> [(name: String, value: String)] { md5.map { [("Content-MD5", $0)] } ?? [] }

    /// The conditions of what makes a blob, with what the caller may not do.
    func creationConditions(_ request: BlobRequest, _ caller: BlobCaller) throws(BlobError) -> AccessConditions {
        // Tags have a permission of their own, wherever they are set.
        guard request.header("x-ms-tags") == nil || caller.holds("t") else { throw .permissionMismatch }
        var conditions = try request.conditions()
        conditions.mayReplace = caller.holds("w")
        return conditions
    }

    func putBlock(_ request: BlobRequest, _ body: RequestBody) async throws(BlobError) -> BlobReply {
        _ = try await authorizer.authorize(request, .object("w"))
        let id = request.parameter("blockid") ?? ""
        guard let decoded = Data(base64Encoded: id), (1...64).contains(decoded.count) else {
            throw .invalidQuery("blockid", id, "it must be base64 of 1 to 64 bytes.")
        }
        let isFromURL = request.header("x-ms-copy-source") != nil
        if !isFromURL, body.length == 0 {
            throw .invalidHeader("Content-Length", "0", "a block has at least one byte.")
        }
        let conditions = try request.conditions()
        try await store.checkBlock(request.place, id: id, conditions)
        let (upload, md5) =
            isFromURL
            ? try await uploadFromURL(request, body, bytesMax: BlobStore.blockBytesMax)
            : try await upload(request, body, bytesMax: BlobStore.blockBytesMax)
        try await store.putBlock(request.place, id: id, upload, conditions)
        return BlobReply(201, md5Field(md5) + [("x-ms-request-server-encrypted", "true")])
    }

    func putBlockList(_ request: BlobRequest, _ body: RequestBody) async throws(BlobError) -> BlobReply {
        let caller = try await authorizer.authorize(request, .object("w"))
        let conditions = try creationConditions(request, caller)
        let draft = try request.draft(takesPlainHeaders: false)
        let root = try await document(request, body)
        guard root.name == "BlockList" else { throw .invalidXML("expected <BlockList>.") }
        var list: [(source: BlobStore.BlockSource, id: String)] = []
        list.reserveCapacity(root.children.count)
        for element in root.children {
            guard let source = BlobStore.BlockSource(rawValue: element.name) else {
                throw .xmlNode(element.name, "it must be Committed, Uncommitted or Latest.")
            }
            list.append((source, element.text.trimmingCharacters(in: .whitespacesAndNewlines)))
        }
        let blob = try await store.putBlockList(request.place, list, draft, conditions)
        return BlobReply(201, stamp(blob) + [("x-ms-request-server-encrypted", "true")])
    }

    func getBlockList(_ request: BlobRequest) async throws(BlobError) -> BlobReply {
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

    func appendBlock(_ request: BlobRequest, _ body: RequestBody) async throws(BlobError) -> BlobReply {
        _ = try await authorizer.authorize(request, .object("aw"))
        let conditions = try request.conditions()
        let isFromURL = request.header("x-ms-copy-source") != nil
        if !isFromURL, body.length == 0 {
            throw .invalidHeader("Content-Length", "0", "an appended block has at least one byte.")
        }
        let position = try request.number(header: "x-ms-blob-condition-appendpos")
        let sizeMax = try request.number(header: "x-ms-blob-condition-maxsize")
        // Judged before the body, so that what must fail does not cost one.
        let before = try await store.look { [store] in
            try store.blobForWrite($0, request.place, conditions, type: .append)
        }
        if let position, position != before.length { throw .appendPosition }
        let (upload, md5) =
            isFromURL
            ? try await uploadFromURL(request, body, bytesMax: BlobStore.appendBytesMax)
            : try await upload(request, body, bytesMax: BlobStore.appendBytesMax)
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

    func putPages(_ request: BlobRequest, _ body: RequestBody) async throws(BlobError) -> BlobReply {
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
            if let source = request.header("x-ms-copy-source") {
                throw .invalidHeader("x-ms-copy-source", source, "a clear has no source.")
            }
        case "update":
            guard range.count <= BlobStore.pagesBytesMax else { throw .bodyTooLarge }
            if request.header("x-ms-copy-source") != nil {
                (upload, md5) = try await uploadFromURL(
                    request,
                    body,
                    bytesMax: BlobStore.pagesBytesMax,
                    length: Int64(range.count)
                )
                break
            }
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

    func pageRanges(_ request: BlobRequest) async throws(BlobError) -> BlobReply {
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

    func setProperties(_ request: BlobRequest) async throws(BlobError) -> BlobReply {
        _ = try await authorizer.authorize(request, .object("w"))
        _ = try request.md5(header: "x-ms-blob-content-md5")
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
