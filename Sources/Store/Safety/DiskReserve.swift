import Foundation
import Synchronization

#if canImport(Glibc)
import Glibc
#endif

/// Whether the work of this task gives space back, as deletions do.
package enum SpaceUse {
    @TaskLocal package static var isFreeing = false
}

/// Space that is kept back for deletions: removing something needs a commit, and a commit needs room in the log.
///
/// Once a write finds the disk full, the reserve is given up for those that free space, and all others are refused until it could
/// be made again; else they would eat it.
package final class DiskReserve: Sendable {
    /// Room for the commits of some hundred deletions that wait together.
    private static let bytesMax: Int64 = 8 << 20
    /// Less helps nobody: one commit of a large resource needs as much.
    private static let bytesMin: Int64 = 256 << 10
    /// The part of what is free that may be kept back: small disks are not filled by it.
    private static let partOfFree: Int64 = 4

    private let path: String
    private let released = Atomic(false)
    /// Bytes that it has, or had before it was given up; 0 before the first.
    private let size = Mutex<Int64>(0)

    package init(path: String) { self.path = path }

    /// Whether the disk is full and only deletions may write.
    package var isReleased: Bool { released.load(ordering: .relaxed) }

    /// Makes the reserve, or makes it again.
    ///
    /// - Returns: whether writes of all kinds may go on.
    @discardableResult
    package func fill() -> Bool {
        size.withLock { size in
            let code = allocate(&size)
            if code != 0 { unlink(path) }
            // A file system that cannot keep space back is used without: only a full one is a reason to refuse.
            let isFull = code == ENOSPC || code == EDQUOT
            released.store(isFull, ordering: .relaxed)
            return !isFull
        }
    }

    /// Gives the space up for deletions.
    ///
    /// - Returns: whether there was something to give.
    package func release() -> Bool {
        size.withLock { _ in
            released.store(true, ordering: .relaxed)
            return unlink(path) == 0
        }
    }

    private func allocate(_ size: inout Int64) -> Int32 {
        let descriptor = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { return errno }
        defer { close(descriptor) }
        var status = stat()
        var space = statvfs()
        guard fstat(descriptor, &status) == 0, fstatvfs(descriptor, &space) == 0 else { return errno }
        // One that is there already stays as it is.
        if Int64(status.st_size) >= Self.bytesMin {
            size = Int64(status.st_size)
            return 0
        }
        // One that was given up is made as large again: the room that it left is not shared out as if it were new.
        let free = Int64(space.f_bavail) * Int64(space.f_frsize)
        let wanted = size > 0 ? size : min(Self.bytesMax, free / Self.partOfFree)
        guard wanted >= Self.bytesMin else { return ENOSPC }
        let code = posix_fallocate(descriptor, 0, off_t(wanted))
        if code == 0 { size = wanted }
        return code
    }
}
