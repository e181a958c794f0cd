package import ResourceModel

/// The index of the blob store: names and states here, bytes in content files.
///
/// A transaction runs whole or not at all and is on the disk before `write` returns; its closure may run beside others' in one
/// commit, so it must not wait for anything.
package protocol BlobIndex: Sendable {
    func write<Value: Sendable>(
        _ body: @Sendable @escaping (any BlobTransaction) throws -> Value
    ) async throws -> Value

    /// A consistent view; changes made through it fail.
    func read<Value: Sendable>(
        _ body: @Sendable @escaping (any BlobTransaction) throws -> Value
    ) async throws -> Value
}

/// What a transaction of the blob index can see and do.
///
/// Names compare byte by byte.
package protocol BlobTransaction {
    // Accounts.
    func account(_ name: String) throws -> JSONObject?
    func setAccount(_ name: String, _ document: JSONObject) throws

    // Containers.
    func container(_ account: String, _ name: String) throws -> ContainerRecord?
    /// - Returns: containers of an account in the order of their names, from one of that name on.
    func containers(_ account: String, prefix: String, from: String, limit: Int) throws -> [ContainerRecord]
    func insert(_ container: ContainerRecord) throws -> ContainerRecord
    func update(_ container: ContainerRecord) throws
    /// Takes the container out of sight at once; its blobs are removed by `reap`.
    func delete(_ container: ContainerRecord) throws
    /// Removes some blobs of deleted containers.
    ///
    /// - Returns: contents that nothing names any more, and whether more is left.
    func reap(limit: Int) throws -> (freed: [Int64], isMoreLeft: Bool)

    // Blobs.
    func blob(_ container: Int64, _ name: String, snapshot: String) throws -> BlobRecord?
    /// - Returns: the blob's snapshots, oldest first.
    func snapshots(_ container: Int64, _ name: String) throws -> [BlobRecord]
    func blobs(_ query: BlobQuery) throws -> [BlobRecord]
    /// - Returns: blobs of a container whose tags meet all conditions, by their names.
    func blobs(tagged query: TagQuery) throws -> [BlobRecord]
    /// Makes a blob, in place of another where there is one; it gets an id of its own, so that who reads the other notices.
    ///
    /// - Returns: the blob, and contents that nothing names any more.
    func put(
        _ blob: BlobRecord,
        replacing before: BlobRecord?,
        _ source: ExtentSource
    ) throws -> (BlobRecord, freed: [Int64])
    func exists(_ blob: Int64) throws -> Bool
    func update(_ blob: BlobRecord) throws
    /// Changes a blob whose tags are not what they were.
    func updateWithTags(_ blob: BlobRecord) throws
    /// - Returns: contents that nothing names any more.
    func delete(_ blob: BlobRecord) throws -> [Int64]

    // The bytes of a blob.
    /// - Returns: extents that touch the range, in order.
    func extents(_ blob: Int64, _ range: Range<Int64>, limit: Int) throws -> [Extent]
    /// The committed blocks: their ids and sizes, in order.
    func committedBlocks(_ blob: Int64) throws -> [(id: String, length: Int64)]
    func append(_ blob: Int64, _ extents: [Extent]) throws
    /// Cuts the range out of the extents, and puts these in its place.
    ///
    /// - Returns: contents that nothing names any more.
    func replace(_ blob: Int64, _ range: Range<Int64>, with extents: [Extent]) throws -> [Int64]

    // Blocks that are not committed.
    func blocks(_ container: Int64, _ name: String) throws -> [BlockRecord]
    /// How many blocks wait, and the length that their ids share.
    func blockState(_ container: Int64, _ name: String) throws -> (count: Int, idLength: Int?)
    /// - Returns: contents that nothing names any more.
    func put(_ block: BlockRecord, container: Int64, name: String) throws -> [Int64]
    /// - Returns: contents that nothing names any more.
    func deleteBlocks(_ container: Int64, _ name: String) throws -> [Int64]
    /// The names in a query's stretch that have uncommitted blocks and no committed blob.
    func uncommittedNames(_ query: BlobQuery) throws -> [String]
    /// Removes blocks that were put before the time.
    func deleteBlocks(before time: Double, limit: Int) throws -> [Int64]

    // Contents.
    func insert(_ content: ContentRecord) throws
    func content(_ id: Int64) throws -> ContentRecord?
    /// Those of the ids that are named.
    func known(_ ids: Set<Int64>) throws -> Set<Int64>
    /// The highest id; 0 where there is none.
    func lastContent() throws -> Int64

    /// Ends an item of the work queue in this transaction, so that its blobs and its state appear together.
    ///
    /// - Throws: `StoreError.claimLost` when the claim holds no more.
    func finish(_ claim: WorkClaim, _ end: WorkEnd) throws
}

package enum BlobIndexError: Error, Sendable, Equatable {
    /// There is no room on the disk for the write.
    case diskFull
}

/// Bounds of the index.
package enum BlobIndexLimits {
    /// Blobs removed by one transaction of `reap`: other writers wait for milliseconds at most.
    package static let reapBatch = 200
}

/// A lease of a container or a blob, as it was last changed; what it is now follows from the time.
package struct Lease: Sendable, Equatable {
    package var id: String?
    /// Seconds; -1 for one without an end.
    package var duration: Int = -1
    /// Seconds since 1970.
    package var expiresAt: Double?
    /// Set once the lease was broken: when it ends.
    package var breaksAt: Double?

    package init() {}

    init(json: JSONValue?) {
        id = json?["id"]?.string
        duration = json?["duration"]?.int ?? -1
        expiresAt = json?["expires"]?.double
        breaksAt = json?["breaks"]?.double
    }

    var json: JSONValue? {
        guard let id else { return nil }
        var object: JSONObject = ["id": .string(id), "duration": .int(duration)]
        if let expiresAt { object["expires"] = .double(expiresAt) }
        if let breaksAt { object["breaks"] = .double(breaksAt) }
        return .object(object)
    }
}

package struct ContainerRecord: Sendable, Equatable {
    package var id: Int64 = 0
    package let account: String
    package let name: String
    package var etag: String
    /// Seconds since 1970.
    package var modified: Double
    package var metadata = JSONObject()
    /// nil, "blob" or "container".
    package var publicAccess: String?
    /// Stored access policies: `id`, `start`, `expiry`, `permission`.
    package var policies: [JSONValue] = []
    package var lease = Lease()

    package init(account: String, name: String, etag: String, modified: Double) {
        self.account = account
        self.name = name
        self.etag = etag
        self.modified = modified
    }

    init(id: Int64, account: String, name: String, document: JSONValue) {
        self.id = id
        self.account = account
        self.name = name
        etag = document["etag"]?.string ?? ""
        modified = document["modified"]?.double ?? 0
        metadata = document["metadata"]?.object ?? JSONObject()
        publicAccess = document["access"]?.string
        policies = document["policies"]?.array ?? []
        lease = Lease(json: document["lease"])
    }

    var document: JSONValue {
        var object: JSONObject = ["etag": .string(etag), "modified": .double(modified)]
        if !metadata.isEmpty { object["metadata"] = .object(metadata) }
        if let publicAccess { object["access"] = .string(publicAccess) }
        if !policies.isEmpty { object["policies"] = .array(policies) }
        if let lease = lease.json { object["lease"] = lease }
        return .object(object)
    }
}

package enum BlobType: String, Sendable {
    case block = "BlockBlob"
    case append = "AppendBlob"
    case page = "PageBlob"
}

/// A blob, or a snapshot of one.
package struct BlobRecord: Sendable, Equatable {
    package var id: Int64 = 0
    package let container: Int64
    package let name: String
    /// The snapshot's time, or empty for the blob itself.
    package let snapshot: String
    package var type: BlobType
    package var length: Int64 = 0
    package var etag: String
    /// Seconds since 1970.
    package var modified: Double
    package var created: Double
    /// The blob's own headers by their names: Content-Type and the like, Content-MD5 in base64.
    package var headers = JSONObject()
    package var metadata = JSONObject()
    package var tags = JSONObject()
    package var tier: String?
    package var tierChanged: Double?
    /// Page blobs: the caller's sequence number.
    package var sequenceNumber: Int64 = 0
    /// Append blobs: how many blocks were appended.
    package var appendedBlocks = 0
    package var isSealed = false
    package var lease = Lease()
    /// The last copy into this blob: `id`, `source`, `status`, `progress`, `completed`.
    package var copy: JSONObject?

    package init(container: Int64, name: String, snapshot: String, type: BlobType, etag: String, modified: Double) {
        self.container = container
        self.name = name
        self.snapshot = snapshot
        self.type = type
        self.etag = etag
        self.modified = modified
        created = modified
    }

    /// The same content and properties under another name.
    package init(_ other: BlobRecord, container: Int64, name: String, snapshot: String) {
        self.init(
            container: container,
            name: name,
            snapshot: snapshot,
            type: other.type,
            etag: other.etag,
            modified: other.modified
        )
        created = other.created
        length = other.length
        headers = other.headers
        metadata = other.metadata
        tags = other.tags
        tier = other.tier
        tierChanged = other.tierChanged
        sequenceNumber = other.sequenceNumber
        appendedBlocks = other.appendedBlocks
        isSealed = other.isSealed
        copy = other.copy
    }

    init(id: Int64, container: Int64, name: String, snapshot: String, document: JSONValue) {
        self.id = id
        self.container = container
        self.name = name
        self.snapshot = snapshot
        type = document["type"]?.string.flatMap(BlobType.init) ?? .block
        length = Int64(document["length"]?.int ?? 0)
        etag = document["etag"]?.string ?? ""
        modified = document["modified"]?.double ?? 0
        created = document["created"]?.double ?? 0
        headers = document["headers"]?.object ?? JSONObject()
        metadata = document["metadata"]?.object ?? JSONObject()
        tags = document["tags"]?.object ?? JSONObject()
        tier = document["tier"]?.string
        tierChanged = document["tierChanged"]?.double
        sequenceNumber = Int64(document["sequence"]?.int ?? 0)
        appendedBlocks = document["appended"]?.int ?? 0
        isSealed = document["sealed"]?.bool ?? false
        lease = Lease(json: document["lease"])
        copy = document["copy"]?.object
    }

    var document: JSONValue {
        var object: JSONObject = [
            "type": .string(type.rawValue), "length": .int(Int(length)), "etag": .string(etag),
            "modified": .double(modified), "created": .double(created),
        ]
        if !headers.isEmpty { object["headers"] = .object(headers) }
        if !metadata.isEmpty { object["metadata"] = .object(metadata) }
        if !tags.isEmpty { object["tags"] = .object(tags) }
        if let tier { object["tier"] = .string(tier) }
        if let tierChanged { object["tierChanged"] = .double(tierChanged) }
        if sequenceNumber != 0 { object["sequence"] = .int(Int(sequenceNumber)) }
        if appendedBlocks != 0 { object["appended"] = .int(appendedBlocks) }
        if isSealed { object["sealed"] = true }
        if let lease = lease.json { object["lease"] = lease }
        if let copy { object["copy"] = .object(copy) }
        return .object(object)
    }
}

/// A stretch of a blob's bytes, and where they are.
package struct Extent: Sendable, Equatable {
    /// In the blob.
    package var start: Int64
    package var length: Int64
    package var content: Int64
    /// In the content.
    package var offset: Int64
    /// The committed block that the stretch is of, and which one of the list.
    package var block: String?
    package var ordinal: Int

    package init(start: Int64, length: Int64, content: Int64, offset: Int64 = 0, block: String? = nil, ordinal: Int = 0)
    {
        self.start = start
        self.length = length
        self.content = content
        self.offset = offset
        self.block = block
        self.ordinal = ordinal
    }

    package var end: Int64 { start + length }
}

/// What a new blob's bytes are.
package enum ExtentSource: Sendable {
    case extents([Extent])
    /// Those of another blob.
    case sameAs(Int64)
}

/// A block that was put and is not committed; a long one is several contents.
package struct BlockRecord: Sendable, Equatable {
    /// The id as it was sent: base64.
    package let id: String
    package let contents: [(id: Int64, length: Int64)]
    /// Seconds since 1970.
    package let created: Double

    package init(id: String, contents: [(id: Int64, length: Int64)], created: Double) {
        self.id = id
        self.contents = contents
        self.created = created
    }

    package var length: Int64 { contents.reduce(0) { $0 + $1.length } }

    package static func == (left: BlockRecord, right: BlockRecord) -> Bool {
        left.id == right.id && left.created == right.created && left.contents.elementsEqual(right.contents, by: ==)
    }
}

/// Bytes on disk: a file by its id, or small ones beside their checksums.
package struct ContentRecord: Sendable, Equatable {
    package let id: Int64
    package let length: Int64
    /// CRC-32C of each 64 KiB.
    package let checksums: [UInt32]
    /// The bytes themselves where they are too few for a file.
    package let bytes: [UInt8]?

    package init(id: Int64, length: Int64, checksums: [UInt32], bytes: [UInt8]?) {
        self.id = id
        self.length = length
        self.checksums = checksums
        self.bytes = bytes
    }
}

/// A page of a container's blobs, by name and snapshot.
package struct BlobQuery: Sendable {
    /// Where a page begins in the order of names.
    package enum Start: Sendable, Equatable {
        case beginning
        /// After this name's snapshot; without one, after the name.
        case after(String, snapshot: String?)
        /// After all names that begin so.
        case past(prefix: String)
    }

    package let container: Int64
    package var prefix = ""
    package var start = Start.beginning
    package var includesSnapshots = false
    package let limit: Int

    package init(container: Int64, limit: Int) {
        self.container = container
        self.limit = limit
    }
}

/// A page of a container's blobs, by conditions on their tags.
package struct TagQuery: Sendable {
    /// What the value of one tag must be; values compare byte by byte.
    package struct Condition: Sendable, Equatable {
        package let tag: String
        package var atLeast: String?
        package var above: String?
        package var atMost: String?
        package var below: String?

        package init(tag: String) { self.tag = tag }

        /// The one value that meets it, where there is but one.
        package var only: String? { atLeast != nil && atLeast == atMost ? atLeast : nil }
    }

    package let container: Int64
    package let conditions: [Condition]
    /// Names after this one.
    package let after: String
    package let limit: Int

    package init(container: Int64, conditions: [Condition], after: String, limit: Int) {
        self.container = container
        self.conditions = conditions
        self.after = after
        self.limit = limit
    }
}
