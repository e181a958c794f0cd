import Blobs
import Foundation
import ResourceModel
import Store
import Testing

@Suite struct TagSearchTests {
    @Test func `an expression is read as it is meant`() throws {
        let read = try TagExpression("\"a b\" >= 'it''s' and a_1<'9' AND @CONTAINER='x' AnD a_1 > '0'")
        #expect(read.container == "x")
        #expect(read.conditions.map(\.tag) == ["a b", "a_1"])
        #expect(read.conditions[0].atLeast == "it's" && read.conditions[0].atMost == nil)
        #expect(read.conditions[1].below == "9" && read.conditions[1].above == "0")
        #expect(try TagExpression("a = ''").conditions[0].only == "")
    }

    @Test(arguments: [
        "", " ", "a", "a = 1", "a = 'b' OR c = 'd'", "a = 'b", "\"a = 'b'", "a = 'b' AND", "a != 'b'", "a < > 'b'",
        "@container = 'x'", "@ container = 'x' AND a = 'b'", "a > '1' AND a >= '1'", "é = 'x'", "a = 'b' AND 'c' = 'd'",
    ])
    func `one that means nothing is refused`(_ text: String) {
        #expect(throws: BlobError.self) { try TagExpression(text) }
    }

    private struct Tagged {
        let container: String
        let name: String
        let tags: [String: String]
    }

    /// Every page size finds what a look at all blobs finds, after tags were changed and blobs replaced and deleted.
    @Test func `a search finds what a look at all blobs finds`() async throws {
        let folder = FileManager.default.temporaryDirectory.path + "/gatehouse-\(UUID().uuidString)"
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        let queue = try SQLiteWorkQueue(path: "\(folder)/work.sqlite")
        let index = SQLiteBlobIndex(file: queue.file)
        let values = ["", "0", "00", "01", "1", "a", "b", "z"]
        let all = try await index.write { transaction in
            var all: [Tagged] = []
            for container in ["one", "three", "two"] {
                let made = try transaction.insert(
                    ContainerRecord(account: "a", name: container, etag: "0x1", modified: 0)
                )
                for number in 0..<40 {
                    var blob = BlobRecord(
                        container: made.id,
                        name: "n/\(number)",
                        snapshot: "",
                        type: .block,
                        etag: "0x1",
                        modified: 0
                    )
                    let tags = { (seed: Int) -> JSONObject in
                        var tags = JSONObject()
                        for (place, tag) in ["x", "y y"].enumerated() where (number + place + seed) % 3 > 0 {
                            tags[tag] = .string(values[(number * (place + 3) + seed) % values.count])
                        }
                        return tags
                    }
                    blob.tags = tags(1)
                    var (stored, _) = try transaction.put(blob, replacing: nil, .extents([]))
                    // Some are replaced, some get other tags, some go.
                    blob.tags = tags(2)
                    if number % 5 == 1 { (stored, _) = try transaction.put(blob, replacing: stored, .extents([])) }
                    if number % 5 == 2 {
                        stored.tags = tags(5)
                        try transaction.updateWithTags(stored)
                    }
                    if number % 5 == 3 {
                        let copy = BlobRecord(
                            stored,
                            container: made.id,
                            name: stored.name,
                            snapshot: "2026-01-01T00:00:00.0000000Z"
                        )
                        _ = try transaction.put(copy, replacing: nil, .extents([]))
                    }
                    if number % 5 == 4 {
                        _ = try transaction.delete(stored)
                        continue
                    }
                    var found: [String: String] = [:]
                    for (name, value) in stored.tags.members { found[name] = value.string }
                    all.append(Tagged(container: container, name: stored.name, tags: found))
                }
            }
            return all
        }
        typealias Rule = @Sendable (String?, String?) -> Bool
        let cases: [(String, Rule)] = [
            ("x = '0'", { x, _ in x == "0" }), ("x > '0'", { x, _ in x.map { $0 > "0" } ?? false }),
            ("x >= '00' AND x < 'b'", { x, _ in x.map { $0 >= "00" && $0 < "b" } ?? false }),
            ("x <= '1' AND \"y y\" = 'a'", { x, y in x.map { $0 <= "1" } ?? false && y == "a" }),
            ("\"y y\" > '' AND x = ''", { x, y in x == "" && y.map { $0 > "" } ?? false }),
            ("x = 'none'", { _, _ in false }), ("other = 'x'", { _, _ in false }),
        ]
        for (text, rule) in cases {
            for container in [nil, "three", "none"] {
                let model = all.filter {
                    rule($0.tags["x"], $0.tags["y y"]) && (container ?? $0.container) == $0.container
                }
                .map { "\($0.container) \($0.name)" }.sorted()
                let expression = try TagExpression(text + (container.map { " AND @container = '\($0)'" } ?? ""))
                for size in [1, 2, 7, 5000] {
                    let search = TagSearch(account: "a", expression: expression, scope: nil, limit: size)
                    let found = try await index.read { transaction in
                        var found: [String] = []
                        var marker: ListMarker?
                        repeat {
                            let page = try search.page(after: marker, in: transaction)
                            #expect(page.found.count <= size)
                            found += page.found.map { "\($0.container) \($0.blob.name)" }
                            marker = try page.next.map { try #require(ListMarker($0.text)) }
                        } while marker != nil
                        return found
                    }
                    #expect(found == model, "\(text), \(container ?? "all"), \(size) a page")
                }
            }
        }
        try queue.file.close()
        try FileManager.default.removeItem(atPath: folder)
    }
}
