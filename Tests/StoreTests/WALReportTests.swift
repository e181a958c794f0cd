import Foundation
import ResourceModel
import Store
import Testing

/// Logs that SQLite itself wrote, cut and changed.
@Suite struct WALReportTests {
    private let folder = FileManager.default.temporaryDirectory.path + "/gatehouse-\(UUID().uuidString)"
    private static let frameBytes = 24 + 4096

    /// A database with commits in its log, copied while it is open, as a crash leaves it.
    private func crashed(commits: Int, beginsAnew: Bool = false) async throws -> String {
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        let live = "\(folder)/live.sqlite"
        let store = try SQLiteResourceStore(path: live)
        let put = { @Sendable (turn: Int) async throws in
            let id = ResourceID(["apis", "api-\(turn)"])
            let text = JSONValue.string(String(repeating: "x", count: 3000))
            _ = try await store.apply([ResourceWrite(id, .put(properties: ["text": text], index: [], secrets: []))])
        }
        if beginsAnew {
            // Until the log is brought into the file by its size and begun anew: then it grows no more.
            var (size, before) = (1, 0)
            while size > before {
                before = size
                for turn in 0..<60 { try await put(turn) }
                size = try Data(contentsOf: URL(fileURLWithPath: live + "-wal")).count
            }
        }
        for turn in 0..<commits { try await put(100 + turn) }
        let copy = "\(folder)/copy.sqlite"
        for end in ["", "-wal"] {
            try? FileManager.default.removeItem(atPath: copy + end)
            try FileManager.default.copyItem(atPath: live + end, toPath: copy + end)
        }
        try store.file.close()
        return copy
    }

    private func change(_ path: String, _ edit: (inout Data) -> Void) throws {
        var data = try Data(contentsOf: URL(fileURLWithPath: path))
        edit(&data)
        try data.write(to: URL(fileURLWithPath: path))
    }

    private func clean() { try? FileManager.default.removeItem(atPath: folder) }

    @Test func `a whole log is whole, and an absent or empty one too`() async throws {
        defer { clean() }
        let path = try await crashed(commits: 12) + "-wal"
        let report = try WALReport(path: path)
        #expect(report.verdict == .whole && report.commits >= 12 && report.lostFrames == 0)
        let size = try Data(contentsOf: URL(fileURLWithPath: path)).count
        #expect(report.frames == (size - 32) / Self.frameBytes)
        try change(path) { $0 = Data() }
        #expect(try WALReport(path: path).verdict == .whole)
        #expect(try WALReport(path: path + ".none") == WALReport(path: path))
    }

    @Test func `a flipped bit before acknowledged commits is damage, wherever it is in a frame`() async throws {
        defer { clean() }
        let path = try await crashed(commits: 12) + "-wal"
        let whole = try WALReport(path: path)
        // The page's number, the salt, the checksum and the page.
        for offset in [3, 9, 17, 24, 4000] {
            let location = 32 + 5 * Self.frameBytes + offset
            try change(path) { $0[location] ^= 0x10 }
            let report = try WALReport(path: path)
            #expect(report.verdict == .damaged && report.badFrame == 6, "\(offset)")
            #expect(report.badOffset == Int64(32 + 5 * Self.frameBytes))
            #expect(report.commits < whole.commits && report.lostCommits > 0)
            // A frame whose salt is changed is no longer known as one of the generation.
            #expect(report.frames + report.lostFrames == whole.frames - (offset == 9 ? 1 : 0))
            try change(path) { $0[location] ^= 0x10 }
        }
        #expect(try WALReport(path: path) == whole)
    }

    @Test func `a bad header is damage where commits stand behind it`() async throws {
        defer { clean() }
        let path = try await crashed(commits: 5) + "-wal"
        for offset in [0, 5, 9, 12, 17, 21, 25, 30] {
            try change(path) { $0[offset] ^= 0x40 }
            let report = try WALReport(path: path)
            #expect(report.verdict == .damaged && report.badFrame == 0 && report.commits == 0, "\(offset)")
            try change(path) { $0[offset] ^= 0x40 }
        }
    }

    @Test func `a torn end is not damage: cut anywhere, or its last commit unreadable`() async throws {
        defer { clean() }
        let path = try await crashed(commits: 6) + "-wal"
        let whole = try Data(contentsOf: URL(fileURLWithPath: path))
        let report = try WALReport(path: path)
        for size in stride(from: 0, to: whole.count, by: 1777) {
            try whole.prefix(size).write(to: URL(fileURLWithPath: path))
            let cut = try WALReport(path: path)
            #expect(cut.verdict != .damaged && cut.commits <= report.commits, "\(size)")
        }
        var torn = whole
        torn[whole.count - 100] ^= 1
        try torn.write(to: URL(fileURLWithPath: path))
        let end = try WALReport(path: path)
        #expect(end.verdict == .torn && end.commits == report.commits - 1 && end.lostCommits == 1)
        // A bad frame within the last commit: the commit behind it has no frame behind itself.
        torn = whole
        let inside = 32 + (report.frames - 2) * Self.frameBytes + 50
        torn[inside] ^= 1
        try torn.write(to: URL(fileURLWithPath: path))
        #expect(try WALReport(path: path).verdict == .torn)
        // What SQLite serves of it is what the report counts.
        let survivor = try SQLiteResourceStore(path: String(path.dropLast(4)))
        let count = try await survivor.count(ResourceQuery(parent: .service, type: "apis", limit: 1))
        #expect(count == 5)
        try survivor.file.close()
    }

    @Test func `frames of an earlier generation are no damage`() async throws {
        defer { clean() }
        let path = try await crashed(commits: 3, beginsAnew: true) + "-wal"
        let report = try WALReport(path: path)
        let frames = try (Data(contentsOf: URL(fileURLWithPath: path)).count - 32) / Self.frameBytes
        #expect(report.verdict == .whole && report.commits > 3 && report.frames < frames)
        // Damage among them is none either; among the new ones it is.
        try change(path) { $0[$0.count - 100] ^= 1 }
        #expect(try WALReport(path: path) == report)
        try change(path) { $0[32 + 30] ^= 1 }
        #expect(try WALReport(path: path).verdict == .damaged)
    }
}
