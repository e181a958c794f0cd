import ResourceModel
package import Store

extension BlobStore {
    // MARK: - Whole blobs

    /// Judges a write before its body is read; the transaction of the write judges again.
    func checkCreate(_ place: BlobPlace, _ conditions: AccessConditions) async throws(BlobError) {
        try BlobNames.check(blob: place.name)
        _ = try await look { [self] in try placeForCreate($0, place, conditions) }
    }

    /// Makes a blob of an uploaded body, or puts it in place of another; snapshots of that stay.
    package func putBlob(
        _ place: BlobPlace,
        type: BlobType,
        _ upload: ContentUpload,
        _ draft: BlobDraft,
        pageBlobLength: Int64 = 0,
        sequenceNumber: Int64 = 0,
        _ conditions: AccessConditions
    ) async throws(BlobError) -> BlobRecord {
        try BlobNames.check(blob: place.name)
        let stamp = stamp()
        return try await commit(upload) { [self] transaction, result in
            try put(
                transaction,
                place,
                type,
                result,
                draft,
                stamp,
                pageBlobLength: pageBlobLength,
                sequenceNumber: sequenceNumber,
                conditions
            )
        }
    }

    /// Makes a blob of contents that the transaction has inserted.
    func put(
        _ transaction: any BlobTransaction,
        _ place: BlobPlace,
        _ type: BlobType,
        _ result: ContentUpload.Result,
        _ draft: BlobDraft,
        _ stamp: (etag: String, modified: Double),
        pageBlobLength: Int64 = 0,
        sequenceNumber: Int64 = 0,
        _ conditions: AccessConditions
    ) throws -> (BlobRecord, freed: [Int64]) {
        let (container, before) = try placeForCreate(transaction, place, conditions)
        var blob = BlobRecord(
            container: container.id,
            name: place.name,
            snapshot: "",
            type: type,
            etag: stamp.etag,
            modified: stamp.modified
        )
        blob.set(draft, at: stamp.modified)
        blob.length = type == .page ? pageBlobLength : result.length
        blob.sequenceNumber = sequenceNumber
        blob.lease = before?.lease ?? Lease()
        let (stored, freed) = try transaction.put(blob, replacing: before, .extents(result.extents()))
        return (stored, try freed + transaction.deleteBlocks(container.id, place.name))
    }

    // MARK: - Blocks

    package func putBlock(
        _ place: BlobPlace,
        id: String,
        _ upload: ContentUpload,
        _ conditions: AccessConditions
    ) async throws(BlobError) {
        let now = now
        try await commit(upload) { [self] transaction, result in
            let (container, blob) = try checkBlock(transaction, place, id: id, conditions)
            // A block changes nothing of the blob itself, but it is a write.
            if var blob, blob.lease != LeaseRules.afterWrite(blob.lease, at: now) {
                blob.lease = LeaseRules.afterWrite(blob.lease, at: now)
                try transaction.update(blob)
            }
            let block = BlockRecord(id: id, contents: result.contents.map { ($0.id, $0.length) }, created: now)
            return ((), try transaction.put(block, container: container.id, name: place.name))
        }
    }

    /// Judges a block before its body is read.
    func checkBlock(_ place: BlobPlace, id: String, _ conditions: AccessConditions) async throws(BlobError) {
        try BlobNames.check(blob: place.name)
        _ = try await look { [self] in try checkBlock($0, place, id: id, conditions) }
    }

    private func checkBlock(
        _ transaction: any BlobTransaction,
        _ place: BlobPlace,
        id: String,
        _ conditions: AccessConditions
    ) throws -> (ContainerRecord, BlobRecord?) {
        let container = try Self.container(transaction, place.account, place.container)
        let blob = try transaction.blob(container.id, place.name, snapshot: "")
        if let blob {
            guard blob.type == .block else { throw BlobError.invalidBlobType }
            try conditions.checkLease(blob.lease, at: now, on: .blob)
        } else {
            try conditions.checkAbsent()
        }
        let state = try transaction.blockState(container.id, place.name)
        if let length = state.idLength, length != id.utf8.count { throw BlobError.invalidBlobOrBlock }
        guard state.count < Self.uncommittedBlocksMax else { throw BlobError.uncommittedCountExceedsLimit }
        return (container, blob)
    }

    /// Where a block of a list is looked for.
    package enum BlockSource: String, Sendable {
        case committed = "Committed"
        case uncommitted = "Uncommitted"
        case latest = "Latest"
    }

    package func putBlockList(
        _ place: BlobPlace,
        _ list: [(source: BlockSource, id: String)],
        _ draft: BlobDraft,
        _ conditions: AccessConditions
    ) async throws(BlobError) -> BlobRecord {
        try BlobNames.check(blob: place.name)
        guard list.count <= Self.committedBlocksMax else { throw .blockListTooLong }
        let (etag, modified) = stamp()
        let (blob, freed) = try await change { [self] transaction in
            let (container, before) = try placeForCreate(transaction, place, conditions)
            if let before, before.type != .block { throw BlobError.invalidBlobType }
            let extents = try Self.extents(transaction, list, container.id, place.name, before)
            var blob = BlobRecord(
                container: container.id,
                name: place.name,
                snapshot: "",
                type: .block,
                etag: etag,
                modified: modified
            )
            if let before { blob.created = before.created }
            blob.set(draft, at: modified)
            blob.length = extents.last?.end ?? 0
            blob.lease = before?.lease ?? Lease()
            let (stored, freed) = try transaction.put(blob, replacing: before, .extents(extents))
            return (stored, try freed + transaction.deleteBlocks(container.id, place.name))
        }
        discard(freed)
        return blob
    }

    private static func extents(
        _ transaction: any BlobTransaction,
        _ list: [(source: BlockSource, id: String)],
        _ container: Int64,
        _ name: String,
        _ before: BlobRecord?
    ) throws -> [Extent] {
        var uncommitted: [String: BlockRecord] = [:]
        for block in try transaction.blocks(container, name) { uncommitted[block.id] = block }
        var committed: [String: [Extent]] = [:]
        if let before, list.contains(where: { $0.source != .uncommitted }) {
            var ordinals: [String: Int] = [:]
            for extent in try transaction.extents(before.id, 0..<max(1, before.length), limit: .max) {
                // A block that stands twice in the old list is the same bytes twice: the first will do.
                guard let id = extent.block, ordinals[id, default: extent.ordinal] == extent.ordinal else { continue }
                ordinals[id] = extent.ordinal
                committed[id, default: []].append(extent)
            }
        }
        var extents: [Extent] = []
        var place: Int64 = 0
        for (ordinal, entry) in list.enumerated() {
            if entry.source != .committed, let block = uncommitted[entry.id] {
                for content in block.contents {
                    extents.append(
                        Extent(
                            start: place,
                            length: content.length,
                            content: content.id,
                            block: entry.id,
                            ordinal: ordinal
                        )
                    )
                    place += content.length
                }
            } else if entry.source != .uncommitted, let parts = committed[entry.id] {
                for part in parts {
                    var part = part
                    part.start = place
                    part.ordinal = ordinal
                    extents.append(part)
                    place += part.length
                }
            } else {
                throw BlobError.invalidBlockList
            }
        }
        return extents
    }

    /// The blocks of a blob, committed and not.
    func blockList(
        _ place: BlobPlace,
        snapshot: String,
        _ conditions: AccessConditions
    ) async throws(BlobError) -> (
        blob: BlobRecord?, committed: [(id: String, length: Int64)], uncommitted: [BlockRecord]
    ) {
        let now = now
        return try await look { transaction in
            let container = try Self.container(transaction, place.account, place.container)
            let blob = try transaction.blob(container.id, place.name, snapshot: snapshot)
            let blocks = snapshot.isEmpty ? try transaction.blocks(container.id, place.name) : []
            guard blob != nil || !blocks.isEmpty else { throw BlobError.blobNotFound }
            if let blob {
                guard blob.type == .block else { throw BlobError.invalidBlobType }
                try conditions.checkLeaseForRead(blob.lease, at: now, on: .blob)
            }
            return (blob, try blob.map { try transaction.committedBlocks($0.id) } ?? [], blocks)
        }
    }

    // MARK: - Append blobs

    /// - Returns: the blob, and where the block begins.
    func appendBlock(
        _ place: BlobPlace,
        _ upload: ContentUpload,
        position: Int64?,
        sizeMax: Int64?,
        _ conditions: AccessConditions
    ) async throws(BlobError) -> (BlobRecord, offset: Int64) {
        let (etag, modified) = stamp()
        return try await commit(upload) { [self] transaction, result in
            var blob = try blobForWrite(transaction, place, conditions, type: .append)
            guard !blob.isSealed else { throw BlobError.isSealed }
            if let position, position != blob.length { throw BlobError.appendPosition }
            if let sizeMax, blob.length + result.length > sizeMax { throw BlobError.maxSize }
            guard blob.appendedBlocks < Self.committedBlocksMax else { throw BlobError.blockCountExceedsLimit }
            let offset = blob.length
            try transaction.append(blob.id, result.extents(at: offset, ordinal: blob.appendedBlocks))
            blob.length += result.length
            blob.appendedBlocks += 1
            blob.etag = etag
            blob.modified = modified
            try transaction.update(blob)
            return ((blob, offset), [])
        }
    }

    func sealAppendBlob(_ place: BlobPlace, _ conditions: AccessConditions) async throws(BlobError) -> BlobRecord {
        try await changeBlob(place, conditions, type: .append) { $0.isSealed = true }
    }

    // MARK: - Page blobs

    /// What a page's sequence number must be.
    package struct SequenceConditions: Sendable {
        var atMost: Int64?
        var below: Int64?
        var equal: Int64?

        package init(atMost: Int64? = nil, below: Int64? = nil, equal: Int64? = nil) {
            self.atMost = atMost
            self.below = below
            self.equal = equal
        }

        func check(_ number: Int64) throws(BlobError) {
            if let atMost, number > atMost { throw .sequenceNumber }
            if let below, number >= below { throw .sequenceNumber }
            if let equal, number != equal { throw .sequenceNumber }
        }
    }

    /// Writes pages, or clears them where there is no upload.
    package func putPages(
        _ place: BlobPlace,
        _ range: Range<Int64>,
        _ upload: ContentUpload?,
        _ sequence: SequenceConditions,
        _ conditions: AccessConditions
    ) async throws(BlobError) -> BlobRecord {
        let (etag, modified) = stamp()
        let edit = {
            @Sendable [self] (
                transaction: any BlobTransaction,
                extents: [Extent]
            ) throws -> (BlobRecord, freed: [Int64]) in
            var blob = try blobForWrite(transaction, place, conditions, type: .page)
            try sequence.check(blob.sequenceNumber)
            guard range.upperBound <= blob.length else { throw BlobError.invalidPageRange }
            let freed = try transaction.replace(blob.id, range, with: extents)
            blob.etag = etag
            blob.modified = modified
            try transaction.update(blob)
            return (blob, freed)
        }
        if let upload {
            return try await commit(upload) { try edit($0, $1.extents(at: range.lowerBound)) }
        }
        let (blob, freed) = try await change { try edit($0, []) }
        discard(freed)
        return blob
    }

    /// The ranges of a page blob that were written.
    func pageRanges(
        _ place: BlobPlace,
        snapshot: String,
        _ range: Range<Int64>?,
        _ conditions: AccessConditions
    ) async throws(BlobError) -> (BlobRecord, [Range<Int64>]) {
        let now = now
        return try await look { transaction in
            let blob = try Self.blob(transaction, place, snapshot: snapshot)
            guard blob.type == .page else { throw BlobError.invalidBlobType }
            try conditions.check(etag: blob.etag, modified: blob.modified, for: .read)
            try conditions.checkLeaseForRead(blob.lease, at: now, on: .blob)
            let wanted = (range ?? 0..<blob.length).clamped(to: 0..<blob.length)
            guard !wanted.isEmpty else { return (blob, []) }
            var ranges: [Range<Int64>] = []
            for extent in try transaction.extents(blob.id, wanted, limit: .max) {
                let part = (extent.start..<extent.end).clamped(to: wanted)
                if let last = ranges.last, last.upperBound == part.lowerBound {
                    ranges[ranges.count - 1] = last.lowerBound..<part.upperBound
                } else {
                    ranges.append(part)
                }
            }
            return (blob, ranges)
        }
    }

    /// Cuts or lengthens a page blob.
    func resize(
        _ place: BlobPlace,
        to length: Int64,
        _ conditions: AccessConditions,
        _ edit: @Sendable @escaping (inout BlobRecord) throws -> Void
    ) async throws(BlobError) -> BlobRecord {
        let (etag, modified) = stamp()
        let (blob, freed) = try await change { [self] transaction in
            var blob = try blobForWrite(transaction, place, conditions, type: .page)
            var freed: [Int64] = []
            if length < blob.length { freed = try transaction.replace(blob.id, length..<blob.length, with: []) }
            blob.length = length
            try edit(&blob)
            blob.etag = etag
            blob.modified = modified
            try transaction.update(blob)
            return (blob, freed)
        }
        discard(freed)
        return blob
    }

    // MARK: - Properties

    /// Changes a blob's own properties; its etag and time move unless told otherwise.
    func changeBlob(
        _ place: BlobPlace,
        _ conditions: AccessConditions,
        type: BlobType? = nil,
        keepsStamp: Bool = false,
        snapshot: String = "",
        _ edit: @Sendable @escaping (inout BlobRecord) throws -> Void
    ) async throws(BlobError) -> BlobRecord {
        let (etag, modified) = stamp()
        return try await change { [self] transaction in
            var blob =
                snapshot.isEmpty
                ? try blobForWrite(transaction, place, conditions, type: type, endsExpiredLease: !keepsStamp)
                : try Self.blob(transaction, place, snapshot: snapshot)
            try edit(&blob)
            if !keepsStamp {
                blob.etag = etag
                blob.modified = modified
            }
            try transaction.update(blob)
            return blob
        }
    }

    /// Tags are beside the blob: its etag and its time stay.
    func setTags(_ place: BlobPlace, _ tags: JSONObject, _ conditions: AccessConditions) async throws(BlobError) {
        try await change { [self] transaction in
            var blob = try blobForWrite(transaction, place, conditions, endsExpiredLease: false)
            blob.tags = tags
            try transaction.updateWithTags(blob)
        }
    }

    /// A blob's record for reading.
    func blob(
        _ place: BlobPlace,
        snapshot: String = "",
        _ conditions: AccessConditions = AccessConditions()
    ) async throws(BlobError) -> BlobRecord {
        let now = now
        return try await look { transaction in
            let blob = try Self.blob(transaction, place, snapshot: snapshot)
            try conditions.check(etag: blob.etag, modified: blob.modified, for: .read)
            try conditions.checkLeaseForRead(blob.lease, at: now, on: .blob)
            return blob
        }
    }

    func leaseBlob(
        _ place: BlobPlace,
        _ action: LeaseRules.Action,
        _ conditions: AccessConditions
    ) async throws(BlobError) -> (BlobRecord, LeaseRules.Outcome) {
        let now = now
        return try await change { transaction in
            var blob = try Self.blob(transaction, place)
            try conditions.check(etag: blob.etag, modified: blob.modified, for: .write)
            let outcome = try LeaseRules.apply(action, to: &blob.lease, at: now)
            try transaction.update(blob)
            return (blob, outcome)
        }
    }

    // MARK: - Deleting, snapshots, copies

    /// What becomes of a blob's snapshots when it is deleted.
    package enum SnapshotDeletion: Sendable {
        case refuse, include, only
    }

    package func deleteBlob(
        _ place: BlobPlace,
        snapshot: String = "",
        _ snapshots: SnapshotDeletion = .refuse,
        _ conditions: AccessConditions = AccessConditions()
    ) async throws(BlobError) {
        let now = now
        let freed = try await change { transaction in
            let blob = try Self.blob(transaction, place, snapshot: snapshot)
            try conditions.check(etag: blob.etag, modified: blob.modified, for: .write)
            guard snapshot.isEmpty else { return try transaction.delete(blob) }
            if snapshots == .only {
                try conditions.checkLeaseForRead(blob.lease, at: now, on: .blob)
            } else {
                try conditions.checkLease(blob.lease, at: now, on: .blob)
            }
            var freed: [Int64] = []
            let taken = try transaction.snapshots(blob.container, blob.name)
            guard taken.isEmpty || snapshots != .refuse else { throw BlobError.snapshotsPresent }
            for record in taken { freed += try transaction.delete(record) }
            if snapshots != .only {
                freed += try transaction.delete(blob)
                freed += try transaction.deleteBlocks(blob.container, blob.name)
            }
            return freed
        }
        discard(freed)
    }

    func snapshotBlob(
        _ place: BlobPlace,
        metadata: JSONObject?,
        _ conditions: AccessConditions
    ) async throws(BlobError) -> (BlobRecord, snapshot: String) {
        let now = now
        let time = snapshotTime()
        let (etag, modified) = stamp()
        return try await change { transaction in
            let blob = try Self.blob(transaction, place)
            try conditions.check(etag: blob.etag, modified: blob.modified, for: .write)
            try conditions.checkLeaseForRead(blob.lease, at: now, on: .blob)
            var copy = BlobRecord(blob, container: blob.container, name: blob.name, snapshot: time)
            if let metadata {
                copy.metadata = metadata
                copy.etag = etag
                copy.modified = modified
            }
            return (try transaction.put(copy, replacing: nil, .sameAs(blob.id)).0, time)
        }
    }

    /// What a copy takes from its source, and under which conditions.
    struct CopyRequest: Sendable {
        let source: BlobPlace
        let snapshot: String
        let sourceConditions: AccessConditions
        /// The source as the caller named it.
        let sourceURL: String
        /// What the source must be, where its bytes were proven before.
        var sourceETag: String?
        /// Headers, metadata and tags where they are not the source's.
        var headers: JSONObject?
        var metadata: JSONObject?
        var tags: JSONObject?
        var tier: String?
        /// Put Blob From URL leaves no copy state.
        var leavesState = true
    }

    /// Copies within the store: the copy shares the source's contents, so any size takes the same time.
    func copyBlob(
        _ request: CopyRequest,
        to place: BlobPlace,
        _ conditions: AccessConditions
    ) async throws(BlobError) -> BlobRecord {
        try BlobNames.check(blob: place.name)
        let now = now
        let (etag, modified) = stamp()
        let (blob, freed) = try await change { [self] transaction in
            guard let sourceContainer = try transaction.container(request.source.account, request.source.container),
                let source = try transaction.blob(sourceContainer.id, request.source.name, snapshot: request.snapshot)
            else { throw BlobError.cannotVerifyCopySource }
            do throws(BlobError) {
                try request.sourceConditions.check(etag: source.etag, modified: source.modified, for: .write)
            } catch { throw BlobError.sourceConditionNotMet }
            if let etag = request.sourceETag, etag != source.etag { throw BlobError.sourceConditionNotMet }
            try request.sourceConditions.checkLeaseForRead(source.lease, at: now, on: .blob)
            let (container, before) = try placeForCreate(transaction, place, conditions)
            if let before, before.type != source.type, request.leavesState { throw BlobError.invalidBlobType }
            var copy = BlobRecord(source, container: container.id, name: place.name, snapshot: "")
            copy.etag = etag
            copy.modified = modified
            copy.created = before?.created ?? modified
            if let headers = request.headers { copy.headers = headers }
            if let metadata = request.metadata { copy.metadata = metadata }
            copy.tags = request.tags ?? JSONObject()
            copy.tier = request.tier ?? source.tier
            copy.isSealed = false
            copy.copy =
                request.leavesState
                ? [
                    "id": .string(Identifier.guid()), "source": .string(request.sourceURL), "status": "success",
                    "progress": .string("\(source.length)/\(source.length)"), "completed": .double(modified),
                ] : nil
            copy.lease = before?.lease ?? Lease()
            let (stored, freed) = try transaction.put(copy, replacing: before, .sameAs(source.id))
            return (stored, try freed + transaction.deleteBlocks(container.id, place.name))
        }
        discard(freed)
        return blob
    }
}

extension BlobRecord {
    mutating func set(_ draft: BlobDraft, at time: Double) {
        headers = draft.headers
        metadata = draft.metadata
        tags = draft.tags
        if let tier = draft.tier {
            self.tier = tier
            tierChanged = time
        }
    }
}
