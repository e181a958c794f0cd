/// APIs by the segments of their paths: the longest path that fits wins; the cost does not grow with the number of APIs.
package struct RouteTree: Sendable {
    /// Nodes whose path begins alike share it; children are found by hash.
    private final class Node: Sendable {
        let api: APIRoute?
        let children: [String: Node]

        init(api: APIRoute?, children: [String: Node]) {
            self.api = api
            self.children = children
        }
    }

    private struct Draft {
        var api: APIRoute?
        var children: [String: Int] = [:]
    }

    private let root: Node

    /// APIs that share a path: the first by id counts; the control plane does not let two current ones be.
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
            if drafts[node].api == nil { drafts[node].api = api }
        }
        // Children stand after their parents, so the last is built first.
        var built = [Node?](repeating: nil, count: drafts.count)
        for place in drafts.indices.reversed() {
            built[place] = Node(api: drafts[place].api, children: drafts[place].children.compactMapValues { built[$0] })
        }
        root = built[0] ?? Node(api: nil, children: [:])
    }

    /// - Parameter path: from its first slash on, without the query.
    /// - Returns: the API and how many bytes its path took.
    func find(_ path: UnsafeRawBufferPointer) -> (api: APIRoute, length: Int)? {
        var node = root
        var best = root.api.map { ($0, 0) }
        var place = 0
        while place < path.count {
            while place < path.count, path[place] == 0x2F { place += 1 }
            let start = place
            while place < path.count, path[place] != 0x2F { place += 1 }
            guard start < place else { break }
            guard let next = node.children[RouteTree.segment(path, start, place)] else { break }
            node = next
            if let api = node.api { best = (api, place) }
        }
        return best
    }

    private static func segment(_ path: UnsafeRawBufferPointer, _ start: Int, _ end: Int) -> String {
        // Segments of up to 15 bytes need no allocation; API paths are that short.
        String(unsafeUninitializedCapacity: end - start) { buffer in
            var count = 0
            var place = start
            while place < end {
                let (byte, length) = PathText.decoded(UnsafeRawBufferPointer(rebasing: path[..<end]), place)
                buffer[count] = PathText.folded(byte)
                count += 1
                place += length
            }
            return count
        }
    }
}
