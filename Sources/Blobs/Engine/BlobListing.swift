package import Store

/// A listing of a container's blobs, page by page, each found by its key.
package struct BlobListing: Sendable {
    package enum Entry: Sendable {
        case blob(BlobRecord)
        /// What the names below share, up to the delimiter.
        case prefix(String)
        /// A name that has only blocks that were not committed.
        case uncommitted(String)

        package var name: String {
            switch self {
            case .blob(let blob): blob.name
            case .prefix(let name), .uncommitted(let name): name
            }
        }

        /// Where the next page begins when this one was shown last.
        fileprivate var next: ListMarker {
            switch self {
            case .prefix(let name): ListMarker(.past(prefix: name))
            case .uncommitted(let name): ListMarker(.after(name, snapshot: nil))
            case .blob(let blob):
                ListMarker(.after(blob.name, snapshot: blob.snapshot.isEmpty ? nil : blob.snapshot))
            }
        }
    }

    package struct Page: Sendable {
        package var entries: [Entry] = []
        /// What was shown last, where more follows.
        package var next: ListMarker?
    }

    /// Blobs looked up at once with a delimiter: few after a group, since the next may be a group too and a look ends at one, then
    /// twice as many with each look that met none.
    private static let firstLook = 8
    private static let lookMax = 256

    let container: Int64
    let prefix: String
    let delimiter: String
    let includesSnapshots: Bool
    let includesUncommitted: Bool
    let limit: Int

    package init(
        container: Int64,
        prefix: String = "",
        delimiter: String = "",
        includesSnapshots: Bool = false,
        includesUncommitted: Bool = false,
        limit: Int
    ) {
        self.container = container
        self.prefix = prefix
        self.delimiter = delimiter
        self.includesSnapshots = includesSnapshots
        self.includesUncommitted = includesUncommitted
        self.limit = limit
    }

    package func page(after marker: ListMarker?, in transaction: any BlobTransaction) throws -> Page {
        var page = Page()
        var start = marker?.start ?? .beginning
        var lookSize = Self.firstLook
        // After a group the next name is sought, so that a page costs what it shows and not what it skips.
        while page.entries.count <= limit {
            let missing = limit + 1 - page.entries.count
            let want = delimiter.isEmpty ? missing : min(lookSize, missing)
            let found = try look(from: start, want, in: transaction)
            var endedAtGroup = false
            for entry in found {
                let group = group(of: entry.name)
                page.entries.append(group.map(Entry.prefix) ?? entry)
                endedAtGroup = group != nil
                if endedAtGroup { break }
            }
            // What stands behind a group was looked up and is not shown yet: only a whole look tells that nothing follows.
            if !endedAtGroup, found.count < want { break }
            if let last = page.entries.last { start = last.next.start }
            lookSize = endedAtGroup ? Self.firstLook : min(lookSize * 2, Self.lookMax)
        }
        if page.entries.count > limit {
            page.entries.removeLast(page.entries.count - limit)
            page.next = page.entries.last?.next
        }
        return page
    }

    /// What a name has up to the first delimiter after the prefix, byte by byte: letters that combine with others are no matter.
    private func group(of name: String) -> String? {
        guard !delimiter.isEmpty else { return nil }
        let (name, prefix, delimiter) = (Array(name.utf8), prefix.utf8, Array(delimiter.utf8))
        guard name.starts(with: prefix),
            let range = name.dropFirst(prefix.count).firstRange(of: delimiter)
        else { return nil }
        return String(decoding: name[..<range.upperBound], as: UTF8.self)
    }

    private func look(
        from start: BlobQuery.Start,
        _ limit: Int,
        in transaction: any BlobTransaction
    ) throws -> [Entry] {
        var query = BlobQuery(container: container, limit: limit)
        query.prefix = prefix
        query.start = start
        query.includesSnapshots = includesSnapshots
        let blobs = try transaction.blobs(query).map(Entry.blob)
        guard includesUncommitted else { return blobs }
        let all = blobs + (try transaction.uncommittedNames(query)).map(Entry.uncommitted)
        // The index's own order; a name is in one of the two only, and its snapshots are in order already.
        let ordered = all.enumerated().sorted { left, right in
            let (first, second) = (left.element.name.utf8, right.element.name.utf8)
            return first.elementsEqual(second) ? left.offset < right.offset : first.lexicographicallyPrecedes(second)
        }
        return ordered.prefix(limit).map(\.element)
    }
}
