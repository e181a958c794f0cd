import Foundation

#if canImport(Glibc)
import Glibc
#endif

/// What a write-ahead log holds, read frame by frame before SQLite opens it.
///
/// SQLite reads a log up to its first frame that does not fit and drops the rest without a word. After a crash that is right for
/// a commit that was being written. It loses acknowledged commits where a frame before them was damaged, and the log tells the two
/// apart: with `synchronous=FULL` a commit is on the disk before the next frame is written. So a frame that does not fit, then a
/// commit, then one more frame, all of one generation (its salt), are damage; without that further frame they are the torn end of
/// the last write. Frames of an earlier generation are left over from before the log was begun anew, and mean nothing.
package struct WALReport: Sendable, Equatable {
    package enum Verdict: Sendable, Equatable {
        /// All that belongs to the log is whole.
        case whole
        /// The log ends in the middle of a commit, which was never acknowledged.
        case torn
        /// Acknowledged commits stand behind a frame that cannot be read.
        case damaged
    }

    package private(set) var verdict = Verdict.whole
    /// Frames up to the last commit that can be read, and the commits among them.
    package private(set) var frames = 0
    package private(set) var commits = 0
    /// The first frame that does not fit, counted from 1; 0 is the log's own header.
    package private(set) var badFrame: Int?
    /// Where it begins in the file.
    package private(set) var badOffset: Int64 = 0
    /// Frames of this generation behind the last commit that can be read, and the commits among them.
    package private(set) var lostFrames = 0
    package private(set) var lostCommits = 0

    /// Whether there is anything to lose: a readable commit, or acknowledged ones that cannot be read.
    var holdsCommits: Bool { commits > 0 || verdict == .damaged }

    static let headerBytes = 32
    private static let frameHeaderBytes = 24
    private static let formatVersion: UInt32 = 3_007_000

    /// Reads a log; one that is not there or holds nothing is whole.
    ///
    /// - Throws: `DatabaseFileError` when the file cannot be read.
    package init(path: String) throws(DatabaseFileError) {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else {
            if errno == ENOENT { return }
            throw DatabaseFileError(path, .unreadable(String(cString: strerror(errno))))
        }
        defer { close(descriptor) }
        try read(File(descriptor: descriptor, path: path))
    }

    private mutating func read(_ file: File) throws(DatabaseFileError) {
        guard let bytes = try file.read(Self.headerBytes, at: 0) else { return }
        let words = (0..<8).map { Self.word(bytes, $0 * 4) }
        let isBigEndian = words[0] & 1 == 1
        let sums = Self.checksum(bytes[0..<24], (0, 0), isBigEndian)
        let isValid =
            words[0] & ~1 == 0x377F_0682 && words[1] == Self.formatVersion && sums == (words[6], words[7])
        var pageBytes = Int(words[2])
        if !(512...65_536).contains(pageBytes) || pageBytes.nonzeroBitCount != 1 {
            guard !isValid, let other = try Self.pageBytes(besideLog: file.path) else { return }
            pageBytes = other
        }
        var salt = (words[4], words[5])
        if !isValid {
            // Without its header nothing of the log is read; its frames still tell whose generation they are.
            badFrame = 0
            guard let first = try file.read(Self.frameHeaderBytes, at: Int64(Self.headerBytes)) else { return }
            salt = (Self.word(first, 8), Self.word(first, 12))
        }
        try scan(file, pageBytes, salt, isValid ? sums : nil, isBigEndian)
    }

    /// - Parameter seed: the checksum that the first frame goes on from; nil where the header is bad.
    private mutating func scan(
        _ file: File,
        _ pageBytes: Int,
        _ salt: (UInt32, UInt32),
        _ seed: (UInt32, UInt32)?,
        _ isBigEndian: Bool
    ) throws(DatabaseFileError) {
        let frameBytes = Self.frameHeaderBytes + pageBytes
        var seed = seed
        var isCommitBehind = false
        /// Readable frames since the last readable commit.
        var open = 0
        var index = 1
        var offset = Int64(Self.headerBytes)
        while let head = try file.read(Self.frameHeaderBytes, at: offset) {
            let isSame = (Self.word(head, 8), Self.word(head, 12)) == salt
            let isCommit = isSame && Self.word(head, 4) != 0
            if badFrame == nil, let before = seed {
                let frame = isSame ? try file.read(frameBytes, at: offset) : nil
                let stored = (Self.word(head, 16), Self.word(head, 20))
                if let frame, Self.word(head, 0) != 0, Self.sum(frame, before, isBigEndian) == stored {
                    open += 1
                    if isCommit {
                        frames += open
                        commits += 1
                        open = 0
                    }
                    seed = stored
                } else {
                    badFrame = index
                    badOffset = offset
                }
            }
            if badFrame != nil, isSame {
                if isCommitBehind { verdict = .damaged }
                if isCommit {
                    lostCommits += 1
                    // A bad frame that says it is a commit may be the torn one itself: the proof begins behind it.
                    if index != badFrame { isCommitBehind = true }
                }
                lostFrames += 1
            }
            index += 1
            offset += Int64(frameBytes)
        }
        lostFrames += open
        if verdict != .damaged {
            verdict = lostFrames > 0 ? .torn : .whole
            if lostFrames == 0 { badFrame = nil }
        }
    }

    /// The checksum of a frame: the first words of its header, then its page.
    private static func sum(
        _ frame: [UInt8],
        _ seed: (UInt32, UInt32),
        _ isBigEndian: Bool
    ) -> (UInt32, UInt32) {
        checksum(frame[frameHeaderBytes...], checksum(frame[0..<8], seed, isBigEndian), isBigEndian)
    }

    private static func checksum(
        _ bytes: ArraySlice<UInt8>,
        _ seed: (UInt32, UInt32),
        _ isBigEndian: Bool
    ) -> (UInt32, UInt32) {
        bytes.withUnsafeBytes { raw in
            var (first, second) = seed
            for offset in stride(from: 0, to: raw.count - 7, by: 8) {
                var one = raw.loadUnaligned(fromByteOffset: offset, as: UInt32.self)
                var two = raw.loadUnaligned(fromByteOffset: offset + 4, as: UInt32.self)
                if isBigEndian { (one, two) = (one.bigEndian, two.bigEndian) }
                first &+= one &+ second
                second &+= two &+ first
            }
            return (first, second)
        }
    }

    private static func word(_ bytes: [UInt8], _ offset: Int) -> UInt32 {
        bytes.withUnsafeBytes { UInt32(bigEndian: $0.loadUnaligned(fromByteOffset: offset, as: UInt32.self)) }
    }

    /// The page size that the database itself names.
    private static func pageBytes(besideLog path: String) throws(DatabaseFileError) -> Int? {
        try DatabaseHeader(path: String(path.dropLast("-wal".count))).pageBytes
    }

    private struct File {
        let descriptor: Int32
        let path: String

        /// - Returns: nil where the file ends before.
        func read(_ count: Int, at offset: Int64) throws(DatabaseFileError) -> [UInt8]? {
            var bytes = [UInt8](repeating: 0, count: count)
            var done = 0
            while done < count {
                let step = bytes.withUnsafeMutableBytes { raw in
                    pread(descriptor, raw.baseAddress.map { $0 + done }, count - done, off_t(offset) + off_t(done))
                }
                if step < 0 {
                    if errno == EINTR { continue }
                    throw DatabaseFileError(path, .unreadable(String(cString: strerror(errno))))
                }
                if step == 0 { return nil }
                done += step
            }
            return bytes
        }
    }
}
