import Blobs
import Foundation
import Store
import Testing

/// Listings against a model: whatever the tree and the page size, the pages together are all that is there, in order.
@Suite struct BlobListingTests {
    /// A generator whose sequence a failed test can be run with again.
    private struct Random: RandomNumberGenerator {
        var state: UInt64

        mutating func next() -> UInt64 {
            state &+= 0x9E37_79B9_7F4A_7C15
            var value = state
            value = (value ^ (value >> 30)) &* 0xBF58_476D_1CE4_E5B9
            value = (value ^ (value >> 27)) &* 0x94D0_49BB_1331_11EB
            return value ^ (value >> 31)
        }
    }

    /// A name in a container: what stands there, and how it is shown.
    private struct Tree {
        var blobs: [String: [String]] = [:]
        var uncommitted: Set<String> = []

        /// The listing as one page: the names as they are shown, snapshots before their blob.
        func model(_ prefix: String, _ delimiter: String, snapshots: Bool, uncommitted withBlocks: Bool) -> [String] {
            var names = blobs.keys.map { Array($0.utf8) }
            if withBlocks { names += uncommitted.filter { blobs[$0] == nil }.map { Array($0.utf8) } }
            names.sort { $0.lexicographicallyPrecedes($1) }
            var shown: [String] = []
            for name in names where name.starts(with: prefix.utf8) {
                let text = String(decoding: name, as: UTF8.self)
                let rest = Array(name.dropFirst(prefix.utf8.count))
                let mark = Array(delimiter.utf8)
                let start = mark.isEmpty ? nil : rest.indices.first { rest[$0...].starts(with: mark) }
                if let start {
                    let group = "prefix " + prefix + String(decoding: rest[..<(start + mark.count)], as: UTF8.self)
                    if shown.last.map({ Array($0.utf8) }) != Array(group.utf8) { shown.append(group) }
                    continue
                }
                if snapshots { shown += (blobs[text] ?? []).map { "\(text) at \($0)" } }
                shown.append(blobs[text] == nil ? "uncommitted \(text)" : text)
            }
            return shown
        }
    }

    private static func shown(_ entry: BlobListing.Entry) -> String {
        switch entry {
        case .prefix(let name): "prefix \(name)"
        case .uncommitted(let name): "uncommitted \(name)"
        case .blob(let blob): blob.snapshot.isEmpty ? blob.name : "\(blob.name) at \(blob.snapshot)"
        }
    }

    private func withIndex(_ body: (SQLiteBlobIndex) async throws -> Void) async throws {
        let folder = FileManager.default.temporaryDirectory.path + "/gatehouse-\(UUID().uuidString)"
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        let queue = try SQLiteWorkQueue(path: "\(folder)/work.sqlite")
        try await body(SQLiteBlobIndex(file: queue.file))
        try queue.file.close()
        try FileManager.default.removeItem(atPath: folder)
    }

    private func insert(_ tree: Tree, into index: SQLiteBlobIndex, named name: String) async throws -> Int64 {
        try await index.write { transaction in
            let container = try transaction.insert(ContainerRecord(account: "a", name: name, etag: "0x1", modified: 0))
            for (name, snapshots) in tree.blobs {
                for snapshot in snapshots + [""] {
                    let blob = BlobRecord(
                        container: container.id,
                        name: name,
                        snapshot: snapshot,
                        type: .block,
                        etag: "0x1",
                        modified: 0
                    )
                    _ = try transaction.put(blob, replacing: nil, .extents([]))
                }
            }
            for name in tree.uncommitted {
                for id in ["AAAA", "BBBB"] {
                    let block = BlockRecord(id: id, contents: [(1, 1)], created: 0)
                    _ = try transaction.put(block, container: container.id, name: name)
                }
            }
            return container.id
        }
    }

    /// All pages one after another, the marker by its text as a client sends it.
    private static func pages(
        _ transaction: any BlobTransaction,
        _ container: Int64,
        _ prefix: String,
        _ delimiter: String,
        snapshots: Bool,
        uncommitted: Bool,
        size: Int
    ) throws -> [String] {
        let listing = BlobListing(
            container: container,
            prefix: prefix,
            delimiter: delimiter,
            includesSnapshots: snapshots,
            includesUncommitted: uncommitted,
            limit: size
        )
        var found: [String] = []
        var marker: ListMarker?
        repeat {
            let page = try listing.page(after: marker, in: transaction)
            #expect(page.entries.count <= size)
            if page.next != nil { #expect(page.entries.count == size) }
            found += page.entries.map(Self.shown)
            marker = try page.next.map { try #require(ListMarker($0.text)) }
        } while marker != nil
        return found
    }

    private static func check(
        _ tree: Tree,
        _ transaction: any BlobTransaction,
        _ container: Int64,
        prefixes: [String],
        delimiters: [String],
        sizes: [Int],
        _ note: String
    ) throws {
        for prefix in prefixes {
            for delimiter in delimiters {
                for (snapshots, uncommitted) in [(false, false), (true, false), (true, true)] {
                    let model = tree.model(prefix, delimiter, snapshots: snapshots, uncommitted: uncommitted)
                    for size in sizes {
                        let found = try pages(
                            transaction,
                            container,
                            prefix,
                            delimiter,
                            snapshots: snapshots,
                            uncommitted: uncommitted,
                            size: size
                        )
                        // Byte by byte: equal strings may be other names.
                        #expect(
                            found.map { Array($0.utf8) } == model.map { Array($0.utf8) },
                            "\(note), prefix \(prefix), delimiter \(delimiter), \(size) a page: \(found) is not \(model)"
                        )
                    }
                }
            }
        }
    }

    @Test func `a loose name after a folder is listed`() async throws {
        try await withIndex { index in
            var tree = Tree()
            for name in ["a/1", "b.txt", "c.txt"] { tree.blobs[name] = [] }
            let container = try await insert(tree, into: index, named: "loose")
            let found = try await index.read {
                try Self.pages($0, container, "", "/", snapshots: false, uncommitted: false, size: 5000)
            }
            #expect(found == ["prefix a/", "b.txt", "c.txt"])
        }
    }

    @Test func `random trees: the union of the pages is the model, in order`() async throws {
        let words = [
            "a", "b", "b.txt", "a-", "c", "e", "e\u{301}", "\u{E9}", "zz", "\u{10FFFF}", "\u{10FFFF}z", "\u{FFFD}", "/",
            "0", "~",
        ]
        try await withIndex { index in
            for seed in UInt64(1)...6 {
                var random = Random(state: seed)
                var tree = Tree()
                for _ in 0..<Int.random(in: 1...24, using: &random) {
                    let depth = Int.random(in: 1...4, using: &random)
                    let name = (0..<depth).map { _ in words.randomElement(using: &random) ?? "a" }
                        .joined(separator: Bool.random(using: &random) ? "/" : "")
                    if Int.random(in: 0..<4, using: &random) == 0 {
                        tree.uncommitted.insert(name)
                        if Bool.random(using: &random) { continue }
                    }
                    tree.blobs[name] = (0..<Int.random(in: 0...2, using: &random)).map {
                        "2026-01-0\($0 + 1)T00:00:00.0000000Z"
                    }
                }
                let container = try await insert(tree, into: index, named: "tree\(seed)")
                let made = tree
                try await index.read {
                    try Self.check(
                        made,
                        $0,
                        container,
                        prefixes: ["", "a", "a/", "e", "\u{10FFFF}"],
                        delimiters: ["", "/", "b"],
                        sizes: [1, 2, 3, 7, 5000],
                        "seed \(seed)"
                    )
                }
            }
        }
    }

    @Test func `more names than are looked up at once`() async throws {
        try await withIndex { index in
            var tree = Tree()
            for number in 0..<600 { tree.blobs["a/\(1000 + number)"] = [] }
            for number in 0..<300 { tree.blobs["b\(1000 + number)/1"] = [] }
            for number in 0..<300 { tree.blobs["b\(1000 + number).txt"] = [] }
            for number in 0..<300 { tree.uncommitted.insert("a/\(1000 + 2 * number)") }
            tree.uncommitted.insert("zz")
            let container = try await insert(tree, into: index, named: "many")
            let made = tree
            try await index.read {
                try Self.check(
                    made,
                    $0,
                    container,
                    prefixes: ["", "a/"],
                    delimiters: ["", "/"],
                    sizes: [7, 256, 5000],
                    "many names"
                )
            }
        }
    }

    @Test(arguments: ["", "nonsense", "AAAA", "YQ=="])
    func `a marker of nobody is refused`(_ text: String) { #expect(ListMarker(text) == nil) }
}
