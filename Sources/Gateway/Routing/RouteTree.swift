/// APIs by the segments of their paths: the longest path that fits wins; the cost does not grow with the number of APIs.
package struct RouteTree: Sendable {
    /// Nodes whose path begins alike share it; children are found by hash.
    private final class Node: Sendable {
        /// Those that stand here, by their ids.
        let apis: [APIRoute]
        /// nil where none stands.
        let entry: RouteEntry?
        let children: [String: Node]

        init(_ apis: [APIRoute], _ children: [String: Node]) {
            self.apis = apis
            self.children = children
            entry = apis.isEmpty ? nil : apis.reduce(into: RouteEntry()) { $0.add($1) }
        }

        /// - Parameter depth: how many segments of their paths led here.
        convenience init(sorted apis: [APIRoute], depth: Int) {
            let below = Dictionary(grouping: apis.filter { $0.path.count > depth }) { $0.path[depth] }
            self.init(
                apis.filter { $0.path.count == depth },
                below.mapValues { Node(sorted: $0, depth: depth + 1) }
            )
        }

        /// The node with a change to those that stand at a path below; nil where nothing is left of it.
        static func changed(_ node: Node?, _ path: ArraySlice<String>, _ change: (inout [APIRoute]) -> Void) -> Node? {
            var apis = node?.apis ?? []
            var children = node?.children ?? [:]
            if let segment = path.first {
                children[segment] = changed(children[segment], path.dropFirst(), change)
            } else {
                change(&apis)
            }
            return apis.isEmpty && children.isEmpty ? nil : Node(apis, children)
        }
    }

    /// Where a path led.
    package struct Place {
        package let entry: RouteEntry
        /// Bytes of the path that are the API's, its revision among them.
        package let length: Int
        /// nil for the current one.
        package let revision: String?
    }

    private static let revisionMark = Array(";rev=".utf8)

    private var root: Node

    /// APIs that share a path and a version: the first by id counts; the control plane does not let two current ones be.
    package init(_ apis: some Sequence<APIRoute>) {
        root = Node(sorted: apis.sorted { $0.resource < $1.resource }, depth: 0)
    }

    /// Puts an API in the place of what it was; all but the nodes on the ways to the two is shared with the tree before.
    ///
    /// - Parameters:
    ///   - old: as it stands in the tree; nil for an API that does not.
    ///   - new: nil for one that is to stand there no more.
    package mutating func replace(_ old: APIRoute?, with new: APIRoute?) {
        if let old {
            change(old.path) { apis in apis.removeAll { $0.resource == old.resource } }
        }
        if let new {
            change(new.path) { apis in
                apis.insert(new, at: apis.firstIndex { $0.resource > new.resource } ?? apis.endIndex)
            }
        }
    }

    private mutating func change(_ path: [String], _ change: (inout [APIRoute]) -> Void) {
        root = Node.changed(root, path[...], change) ?? Node([], [:])
    }

    /// - Parameter path: from its first slash on, without the query.
    package func find(_ path: UnsafeRawBufferPointer) -> Place? {
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
