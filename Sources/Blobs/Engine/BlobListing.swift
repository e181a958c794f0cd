import Store

/// A listing of a container's blobs, page by page, each found by its key.
struct BlobListing: Sendable {
    enum Entry: Sendable {
        case blob(BlobRecord)
        /// What the names below share, up to the delimiter.
        case prefix(String)
        /// A name that has only blocks that were not committed.
        case uncommitted(String)

        var name: String {
            switch self {
            case .blob(let blob): blob.name
            case .prefix(let name), .uncommitted(let name): name
            }
        }
    }

    struct Page: Sendable {
        var entries: [Entry] = []
        /// What was shown last, where more follows.
        var next: ListMarker?
    }

    /// Blobs looked up at once while groups are being skipped.
    private static let lookMax = 256

    let container: Int64
    let prefix: String
    let delimiter: String
    let includesSnapshots: Bool
    let includesUncommitted: Bool
    let limit: Int

    func page(after marker: ListMarker?, in transaction: any BlobTransaction) throws -> Page {
        var page = Page()
        var last = marker
        // After a group the next name is sought, so that a page costs what it shows and not what it skips.
        while page.entries.count <= limit {
            let want =
                delimiter.isEmpty ? limit + 1 - page.entries.count : min(Self.lookMax, limit + 1 - page.entries.count)
            let found = try look(after: last, want, in: transaction)
            guard !found.isEmpty else { break }
            for entry in found {
                if let group = group(of: entry.name) {
                    page.entries.append(.prefix(group))
                    last = ListMarker(name: group + "\u{10FFFF}", snapshot: nil)
                    break
                }
                page.entries.append(entry)
                last = Self.marker(entry)
                if page.entries.count > limit { break }
            }
            if found.count < want, group(of: found.last?.name ?? "") == nil { break }
        }
        if page.entries.count > limit {
            page.entries.removeLast(page.entries.count - limit)
            page.next = page.entries.last.map { entry in
                if case .prefix(let name) = entry { return ListMarker(name: name + "\u{10FFFF}", snapshot: nil) }
                return Self.marker(entry)
            }
        }
        return page
    }

    private static func marker(_ entry: Entry) -> ListMarker {
        guard case .blob(let blob) = entry, !blob.snapshot.isEmpty else {
            return ListMarker(name: entry.name, snapshot: nil)
        }
        return ListMarker(name: blob.name, snapshot: blob.snapshot)
    }

    private func group(of name: String) -> String? {
        guard !delimiter.isEmpty, name.hasPrefix(prefix),
            let range = name.dropFirst(prefix.count).firstRange(of: delimiter)
        else { return nil }
        return String(name[..<range.upperBound])
    }

    private func look(after: ListMarker?, _ limit: Int, in transaction: any BlobTransaction) throws -> [Entry] {
        var query = BlobQuery(container: container, limit: limit)
        query.prefix = prefix
        query.after = after?.name
        query.afterSnapshot = after?.snapshot
        query.includesSnapshots = includesSnapshots
        let blobs = try transaction.blobs(query).map(Entry.blob)
        guard includesUncommitted else { return blobs }
        var names = try transaction.namesWithBlocks(container, prefix: prefix, after: after?.name, limit: limit)
        names = try names.filter { try transaction.blob(container, $0, snapshot: "") == nil }
        let all = blobs + names.map(Entry.uncommitted)
        return Array(all.sorted { Self.isBefore($0.name, $1.name) }.prefix(limit))
    }

    /// The index's own order: byte by byte.
    private static func isBefore(_ left: String, _ right: String) -> Bool {
        left.utf8.lexicographicallyPrecedes(right.utf8)
    }
}
