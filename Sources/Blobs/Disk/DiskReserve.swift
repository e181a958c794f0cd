import Foundation
import Synchronization

/// Space on the disk that only deleting may use: on a full disk the index could not even note that a blob is gone.
///
/// It is a file that is given up when the disk is full and made again when there is room. While it is given up nothing is written
/// that does not delete.
package final class DiskReserve: Sendable {
    /// The note of a delete is some pages of the index: this is room for hundreds, and the first of a large blob gives back more.
    static let bytes = 8 << 20
    /// Time between two tries to make it again.
    private static let pause = Duration.seconds(1)

    private let path: String
    private let files: any FileLayer
    /// Asked by every write.
    private let held = Atomic<Bool>(false)
    private let lastTry = Mutex<ContinuousClock.Instant?>(nil)

    /// Makes the reserve where it is not there yet; a disk without room for it is a full one.
    package init(path: String, files: any FileLayer = SystemFileLayer()) {
        self.path = path
        self.files = files
        _ = take()
    }

    package var isHeld: Bool { held.load(ordering: .relaxed) }

    /// Gives the space to who deletes.
    func release() {
        lastTry.withLock { lastTry in
            held.store(false, ordering: .relaxed)
            lastTry = .now
            try? files.remove(path)
        }
    }

    /// Makes the reserve again where there is room; waits for the disk, and tries once a second at most.
    ///
    /// - Returns: whether it is held.
    func take() -> Bool {
        lastTry.withLock { lastTry in
            if isHeld { return true }
            if let last = lastTry, ContinuousClock.now - last < Self.pause { return false }
            lastTry = .now
            let isThere = isWhole || make()
            held.store(isThere, ordering: .relaxed)
            return isThere
        }
    }

    /// Whether an earlier process left it here.
    private var isWhole: Bool {
        guard let file = try? files.open(path) else { return false }
        defer { file.close() }
        var byte: UInt8 = 0
        let count = withUnsafeMutableBytes(of: &byte) { try? file.read(into: $0, at: Self.bytes - 1) }
        return count == 1
    }

    private func make() -> Bool {
        do throws(FileLayerError) {
            // Written, not only promised: a file with holes holds no space.
            try files.write([UInt8](repeating: 0x5A, count: Self.bytes), to: path)
            try files.sync(path)
            return true
        } catch {
            try? files.remove(path)
            return false
        }
    }
}
