/// APIs by the segments of their paths: the longest path that fits wins; the cost does not grow with the number of APIs.
package struct RouteTree: Sendable {
    /// Nodes whose path begins alike share it; children are found by hash.
    private final class Node: Sendable {
        let entry: RouteEntry?
        let children: [String: Node]

        init(entry: RouteEntry?, children: [String: Node]) {
            self.entry = entry
            self.children = children
        }
    }

    private struct Draft {
        var entry: RouteEntry?
        var children: [String: Int] = [:]
    }

    /// Where a path led.
    struct Place {
        let entry: RouteEntry
        /// Bytes of the path that are the API's, its revision among them.
        let length: Int
        /// nil for the current one.
        let revision: String?
    }

    private static let revisionMark = Array(";rev=".utf8)

    private let root: Node

    /// APIs that share a path and a version: the first by id counts; the control plane does not let two current ones be.
    package init(_ apis: some Sequence<APIRoute>) {
        var drafts = [Draft()]
        for api in apis {
            var node = 0
            for segment in api.path {
                if let next = drafts[node].children[segment] {
                    node = next
                } else {
                    drafts.append(Draft())
                    drafts[node].children[segment] = drafts.count - 1
                    node = drafts.count - 1
                }
            }
            drafts[node].entry = drafts[node].entry ?? RouteEntry()
            drafts[node].entry?.add(api)
        }
        // Children stand after their parents, so the last is built first.
        var built = [Node?](repeating: nil, count: drafts.count)
        for place in drafts.indices.reversed() {
            built[place] = Node(
                entry: drafts[place].entry,
                children: drafts[place].children.compactMapValues { built[$0] }
            )
        }
        root = built[0] ?? Node(entry: nil, children: [:])
    }

    /// - Parameter path: from its first slash on, without the query.
    func find(_ path: UnsafeRawBufferPointer) -> Place? {
        var node = root
        var best = root.entry.map { Place(entry: $0, length: 0, revision: nil) }
        var place = 0
        while place < path.count {
            while place < path.count, path[place] == 0x2F { place += 1 }
            let start = place
            while place < path.count, path[place] != 0x2F { place += 1 }
            guard start < place else { break }
            let segment = UnsafeRawBufferPointer(rebasing: path[start..<place])
            let mark = RouteTree.revisionPlace(segment)
            // The API of the empty path has its revision in a segment of its own.
            if mark == 0 {
                if node === root, let entry = root.entry {
                    best = Place(entry: entry, length: place, revision: RouteTree.revision(segment, 0))
                }
                break
            }
            let name = UnsafeRawBufferPointer(rebasing: segment[..<(mark ?? segment.count)])
            guard let next = node.children[PathText.lowercased(name)] else { break }
            node = next
            if let entry = node.entry {
                best = Place(entry: entry, length: place, revision: mark.map { RouteTree.revision(segment, $0) })
            }
            // A revision ends the API's path.
            if mark != nil { break }
        }
        return best
    }

    /// Where `;rev=` stands in a segment.
    private static func revisionPlace(_ segment: UnsafeRawBufferPointer) -> Int? {
        guard let mark = segment.firstIndex(of: 0x3B), mark + revisionMark.count < segment.count else { return nil }
        let found = segment[mark..<(mark + revisionMark.count)]
        return zip(found, revisionMark).allSatisfy { PathText.folded($0) == $1 } ? mark : nil
    }

    private static func revision(_ segment: UnsafeRawBufferPointer, _ mark: Int) -> String {
        PathText.lowercased(UnsafeRawBufferPointer(rebasing: segment[(mark + revisionMark.count)...]))
    }
}
