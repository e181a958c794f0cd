import Foundation
package import Logging
package import ResourceModel
package import Store
import Synchronization

/// Where a blob is.
package struct BlobPlace: Sendable, Equatable {
    package let account: String
    package let container: String
    package let name: String

    package init(account: String, container: String, name: String) {
        self.account = account
        self.container = container
        self.name = name
    }
}

/// What a request sets on a blob.
package struct BlobDraft: Sendable {
    /// Content-Type and the like.
    package var headers = JSONObject()
    package var metadata = JSONObject()
    package var tags = JSONObject()
    package var tier: String?

    package init() {}
}

/// The blob store: rules over the index and the content files.
///
/// Every change is one transaction in which conditions and leases are judged, and is on the disk when it returns. Bodies come
/// first, into files that nobody names; the transaction names them.
package final class BlobStore: Sendable {
    package static let committedBlocksMax = 50_000
    package static let uncommittedBlocksMax = 100_000
    /// Bytes of one block or of one Put Blob (the service's 4,000 and 5,000 MiB).
    package static let blockBytesMax: Int64 = 4000 << 20
    package static let putBlobBytesMax: Int64 = 5000 << 20
    package static let appendBytesMax: Int64 = 100 << 20
    package static let pagesBytesMax: Int64 = 4 << 20
    package static let pageBlobBytesMax: Int64 = 8 << 40

    package let index: any BlobIndex
    package let files: ContentFiles
    private let logger: Logger
    private let stamps = Mutex<Int64>(0)
    private let isReaping = Mutex(false)

    package init(index: any BlobIndex, files: ContentFiles, logger: Logger) {
        self.index = index
        self.files = files
        self.logger = logger
    }

    package var now: Double { Date().timeIntervalSince1970 }

    /// Ticks of 100 ns between the years 1 and 1970.
    private static let ticksBefore1970: Int64 = 621_355_968_000_000_000

    /// Ticks of 100 ns since the year 1, as the service's own etags are made of; no two calls get the same.
    private func tick(_ now: Double) -> Int64 {
        let ticks = Int64(now * 10_000_000) + Self.ticksBefore1970
        return stamps.withLock { last in
            last = max(last + 1, ticks)
            return last
        }
    }

    /// A new etag and the time of the change.
    func stamp() -> (etag: String, modified: Double) {
        let now = now
        return ("0x" + String(tick(now), radix: 16, uppercase: true), now)
    }

    /// The time of a snapshot, with the seven digits of the service; unique for this store.
    func snapshotTime() -> String {
        let since1970 = tick(now) - Self.ticksBefore1970
        let fraction = String(since1970 % 10_000_000)
        let padded = String(repeating: "0", count: 7 - fraction.count) + fraction
        return BlobTime.iso(Double(since1970 / 10_000_000)).dropLast() + "." + padded + "Z"
    }

    // MARK: - Transactions

    /// Runs a change; rules that it breaks come out as they are.
    func change<Value: Sendable>(
        _ body: @Sendable @escaping (any BlobTransaction) throws -> Value
    ) async throws(BlobError) -> Value {
        do { return try await index.write(body) } catch { throw failure(error) }
    }

    func look<Value: Sendable>(
        _ body: @Sendable @escaping (any BlobTransaction) throws -> Value
    ) async throws(BlobError) -> Value {
        do { return try await index.read(body) } catch { throw failure(error) }
    }

    /// A rule's own error; anything else is told to the log and to the caller without its details.
    package func failure(_ error: any Error) -> BlobError {
        if let error = error as? BlobError { return error }
        if let error = error as? StoreError, error == .overloaded { return .serverBusy }
        if error as? StoreError == .diskFull { return .diskFull }
        if let error = error as? ContentFiles.Failure {
            switch error {
            case .damaged(let content, let offset):
                logger.error(
                    "damaged content",
                    metadata: ["content.id": "\(content)", "content.offset": "\(offset)"]
                )
                return .damaged
            case .file(let error):
                logger.error("content file failed", metadata: ["error.code": "\(error.description)"])
                return BlobError(500, "InternalError", "The disk refused the operation: \(error.description).")
            }
        }
        logger.error("blob index failed", metadata: ["error.code": "\(error)"])
        return BlobError(500, "InternalError", "The server encountered an internal error. Please retry the request.")
    }

    /// Removes the files of contents that a transaction left unnamed.
    func discard(_ ids: [Int64]) { files.discard(ids) }

    /// Names the contents of an upload in a change, or removes them where a rule refuses it.
    ///
    /// Where the commit itself failed the files stay: whether it is on the disk is not known before the next start, which removes
    /// them if it is not.
    func commit<Value: Sendable>(
        _ upload: ContentUpload,
        _ body: @Sendable @escaping (any BlobTransaction, ContentUpload.Result) throws -> (Value, freed: [Int64])
    ) async throws(BlobError) -> Value {
        let result: ContentUpload.Result
        do { result = try await upload.finish() } catch {
            upload.abort()
            throw failure(error)
        }
        do {
            let (value, freed) = try await index.write { transaction in
                for content in result.contents { try transaction.insert(content) }
                return try body(transaction, result)
            }
            discard(freed)
            return value
        } catch {
            if error is BlobError { upload.abort() }
            throw failure(error)
        }
    }

    /// An upload that becomes a block blob at a place.
    typealias Writing = (place: BlobPlace, upload: ContentUpload, draft: BlobDraft)

    /// Makes several block blobs, and does what stands beside them, in one transaction; an upload that the transaction refuses is
    /// removed.
    ///
    /// - Throws: `BlobError`, or what the body throws.
    func put(_ writings: [Writing], with body: @Sendable @escaping (any BlobTransaction) throws -> Void) async throws {
        let abort = { for writing in writings { writing.upload.abort() } }
        var finished: [(place: BlobPlace, result: ContentUpload.Result, draft: BlobDraft)] = []
        do throws(ContentFiles.Failure) {
            for writing in writings {
                finished.append((writing.place, try await writing.upload.finish(), writing.draft))
            }
        } catch {
            abort()
            throw failure(error)
        }
        let ready = finished
        let stamps = ready.map { _ in stamp() }
        do {
            let freed = try await index.write { [self] transaction in
                var freed: [Int64] = []
                for (writing, stamp) in zip(ready, stamps) {
                    for content in writing.result.contents { try transaction.insert(content) }
                    freed += try put(
                        transaction,
                        writing.place,
                        .block,
                        writing.result,
                        writing.draft,
                        stamp,
                        AccessConditions()
                    ).freed
                }
                try body(transaction)
                return freed
            }
            discard(freed)
        } catch {
            // As in `commit`: only what surely was not committed is removed.
            if error is BlobError || error as? StoreError == .claimLost { abort() }
            if error as? StoreError == .claimLost { throw error }
            throw failure(error)
        }
    }

    // MARK: - Looking up

    static func container(
        _ transaction: any BlobTransaction,
        _ account: String,
        _ name: String
    ) throws -> ContainerRecord {
        guard let found = try transaction.container(account, name) else { throw BlobError.containerNotFound }
        return found
    }

    static func blob(_ transaction: any BlobTransaction, _ place: BlobPlace, snapshot: String = "") throws -> BlobRecord
    {
        let container = try container(transaction, place.account, place.container)
        guard let found = try transaction.blob(container.id, place.name, snapshot: snapshot) else {
            throw BlobError.blobNotFound
        }
        return found
    }

    /// A blob that is about to be changed: its conditions and its lease are judged.
    ///
    /// - Parameter endsExpiredLease: whether the change is a write, after which an expired lease cannot be renewed.
    func blobForWrite(
        _ transaction: any BlobTransaction,
        _ place: BlobPlace,
        _ conditions: AccessConditions,
        type: BlobType? = nil,
        endsExpiredLease: Bool = true
    ) throws -> BlobRecord {
        var blob = try Self.blob(transaction, place)
        if let type, blob.type != type { throw BlobError.invalidBlobType }
        try conditions.check(etag: blob.etag, modified: blob.modified, for: .write)
        let now = now
        try conditions.checkLease(blob.lease, at: now, on: .blob)
        if endsExpiredLease { blob.lease = LeaseRules.afterWrite(blob.lease, at: now) }
        return blob
    }

    /// Judges what stands where a blob is to be made; also asked before its body is read.
    @discardableResult
    func placeForCreate(
        _ transaction: any BlobTransaction,
        _ place: BlobPlace,
        _ conditions: AccessConditions
    ) throws -> (container: ContainerRecord, before: BlobRecord?) {
        let container = try Self.container(transaction, place.account, place.container)
        guard var before = try transaction.blob(container.id, place.name, snapshot: "") else {
            try conditions.checkAbsent()
            return (container, nil)
        }
        guard conditions.mayReplace else { throw BlobError.permissionMismatch }
        try conditions.check(etag: before.etag, modified: before.modified, for: .create)
        let now = now
        try conditions.checkLease(before.lease, at: now, on: .blob)
        before.lease = LeaseRules.afterWrite(before.lease, at: now)
        return (container, before)
    }

    // MARK: - Tidying

    /// Removes what deleted containers leave behind, some blobs at a time.
    package func reap() async {
        guard
            isReaping.withLock({ running in
                defer { running = true }
                return !running
            })
        else { return }
        defer { isReaping.withLock { $0 = false } }
        while !Task.isCancelled {
            guard let (freed, isMoreLeft) = try? await change({ try $0.reap(limit: BlobIndexLimits.reapBatch) })
            else {
                return
            }
            discard(freed)
            if !isMoreLeft { return }
        }
    }

    /// Removes blobs of a container that are needed no more, once that was found some time ago.
    ///
    /// When it was first found is noted in the blob's metadata, and the note is taken away where the blob is needed again.
    /// - Parameters:
    ///   - isOurs: whether a blob of that name is the caller's to remove; others are left alone.
    ///   - seconds: for how long a blob stays after it was first found so.
    /// - Returns: how many were removed.
    package func removeUnneeded(
        _ account: String,
        _ container: String,
        isOurs: @Sendable (String) -> Bool,
        needed: Set<String>,
        keptSeconds seconds: Double
    ) async throws(BlobError) -> Int {
        let note = "gatehouse_unneeded_since"
        let now = now
        var count = 0
        for name in try await names(account, container) where isOurs(name) {
            let place = BlobPlace(account: account, container: container, name: name)
            let since = try await blob(place).metadata[note]?.string.flatMap { Double($0) }
            if needed.contains(name) {
                guard since != nil else { continue }
                _ = try? await changeBlob(place, AccessConditions(), keepsStamp: true) { $0.metadata[note] = nil }
            } else if let since {
                guard since + seconds < now else { continue }
                // One that somebody holds a lease of stays until the next look.
                if (try? await deleteBlob(place, .include)) != nil { count += 1 }
            } else {
                _ = try? await changeBlob(place, AccessConditions(), keepsStamp: true) {
                    $0.metadata[note] = .string(String(now))
                }
            }
        }
        return count
    }

    /// Removes blocks that were put before the time and never committed.
    package func collectBlocks(before time: Double) async {
        while !Task.isCancelled {
            let removed = try? await change {
                try $0.deleteBlocks(before: time, limit: BlobIndexLimits.reapBatch)
            }
            guard let removed, !removed.isEmpty else { return }
            discard(removed)
        }
    }
}

/// The times of the protocol.
enum BlobTime {
    /// `2026-01-31T12:00:00Z` of seconds since 1970.
    static func iso(_ seconds: Double) -> String {
        var time = tm()
        var seconds = time_t(seconds)
        gmtime_r(&seconds, &time)
        let two = { (value: Int32) in value < 10 ? "0\(value)" : "\(value)" }
        return "\(1900 + Int(time.tm_year))-\(two(time.tm_mon + 1))-\(two(time.tm_mday))"
            + "T\(two(time.tm_hour)):\(two(time.tm_min)):\(two(time.tm_sec))Z"
    }

    /// Reads the ISO forms of signatures and policies: a date, or a time with seconds or fractions.
    static func parse(iso text: String) -> Double? {
        let digits = Array(text.utf8)
        guard digits.count >= 10 else { return nil }
        let number = { (start: Int, count: Int) -> Int? in
            guard start + count <= digits.count else { return nil }
            return Int(String(decoding: digits[start..<(start + count)], as: UTF8.self))
        }
        guard let year = number(0, 4), let month = number(5, 2), let day = number(8, 2), digits[4] == 0x2D,
            digits[7] == 0x2D, (1...12).contains(month), (1...31).contains(day)
        else { return nil }
        var time = tm()
        time.tm_year = Int32(year - 1900)
        time.tm_mon = Int32(month - 1)
        time.tm_mday = Int32(day)
        guard digits.count > 10 else { return Double(timegm(&time)) }
        guard digits[10] == 0x54, digits.last == 0x5A, let hour = number(11, 2), let minute = number(14, 2),
            (0...23).contains(hour), (0...59).contains(minute)
        else { return nil }
        time.tm_hour = Int32(hour)
        time.tm_min = Int32(minute)
        if digits.count > 17 {
            guard let second = number(17, 2), (0...60).contains(second) else { return nil }
            time.tm_sec = Int32(second)
        }
        var fraction = 0.0
        if digits.count > 20, digits[19] == 0x2E {
            fraction = Double("0." + String(decoding: digits[20..<(digits.count - 1)], as: UTF8.self)) ?? 0
        }
        return Double(timegm(&time)) + fraction
    }

    private static let months = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ]

    /// Reads a date of an HTTP header.
    static func parse(http text: String) -> Double? {
        // `Tue, 24 Nov 2026 18:37:45 GMT`
        let words = text.split(separator: " ")
        guard words.count >= 5, words[0].hasSuffix(","), let day = Int(words[1]), (1...31).contains(day),
            let month = months.firstIndex(of: String(words[2])), let year = Int(words[3]), (1601...9999).contains(year)
        else { return parse(iso: text) }
        let clock = words[4].split(separator: ":").compactMap { Int($0) }
        guard clock.count == 3, (0...23).contains(clock[0]), (0...59).contains(clock[1]), (0...60).contains(clock[2])
        else {
            return nil
        }
        var time = tm()
        time.tm_year = Int32(year - 1900)
        time.tm_mon = Int32(month)
        time.tm_mday = Int32(day)
        time.tm_hour = Int32(clock[0])
        time.tm_min = Int32(clock[1])
        time.tm_sec = Int32(clock[2])
        return Double(timegm(&time))
    }
}
