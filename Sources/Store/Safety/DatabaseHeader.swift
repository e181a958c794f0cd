import Foundation

#if canImport(Glibc)
import Glibc
#endif

/// What the first bytes of a database file say, read without SQLite, which would change the file by opening it.
package struct DatabaseHeader: Sendable, Equatable {
    package enum Kind: Sendable, Equatable {
        /// No such file.
        case absent
        /// The file holds nothing.
        case empty
        /// The file is a database without a table; those of a new one may still be in its log.
        case bare
        case database
        /// The file holds something else.
        case foreign
    }

    package private(set) var kind: Kind
    private(set) var pageBytes: Int?
    /// Whether SQLite would read it.
    package var holdsPages: Bool { kind == .database || kind == .bare }

    private static let magic = Array("SQLite format 3\0".utf8)
    /// The file's header and that of its first page, which names the tables.
    private static let bytesMax = 108
    private static let tableLeaf: UInt8 = 13

    package init(path: String) throws(DatabaseFileError) {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else {
            guard errno == ENOENT else {
                throw DatabaseFileError(path, .unreadable(String(cString: strerror(errno))))
            }
            kind = .absent
            return
        }
        defer { close(descriptor) }
        var bytes = [UInt8](repeating: 0, count: Self.bytesMax)
        let count = pread(descriptor, &bytes, bytes.count, 0)
        guard count >= 0 else { throw DatabaseFileError(path, .unreadable(String(cString: strerror(errno)))) }
        guard count > 0 else {
            kind = .empty
            return
        }
        guard count == bytes.count, bytes.starts(with: Self.magic) else {
            // A file of zeros is what a crash of the system leaves of one that was never written.
            kind = bytes.allSatisfy { $0 == 0 } ? .empty : .foreign
            return
        }
        let size = Int(bytes[16]) << 8 | Int(bytes[17])
        pageBytes = size == 1 ? 65_536 : size
        let holdsNothing = bytes[100] == Self.tableLeaf && bytes[103] == 0 && bytes[104] == 0
        kind = holdsNothing ? .bare : .database
    }
}

/// Why a file of a database cannot be used; names the file.
package struct DatabaseFileError: Error, Sendable, Equatable, CustomStringConvertible {
    package enum Reason: Sendable, Equatable {
        /// The system does not let it be read.
        case unreadable(String)
        /// The system does not let it be written.
        case unwritable(String)
        /// It is no database, or not a whole one.
        case damaged(String)
        /// It belongs to another installation.
        case other
        /// It is a database, but not one of this program, or not the one of this name.
        case strange(String)
        /// It is in the place of a folder.
        case notFolder
        /// It was written by a later program.
        case newer(Int)
        /// SQLite does not open it for another reason.
        case refused(String)
    }

    package let path: String
    package let reason: Reason

    package init(_ path: String, _ reason: Reason) {
        self.path = path
        self.reason = reason
    }

    package var description: String {
        switch reason {
        case .unreadable(let why): "The file \(path) cannot be read: \(why)."
        case .unwritable(let why): "The file \(path) cannot be written: \(why)."
        case .damaged(let why): "The database \(path) is damaged: \(why). Put a whole copy in its place."
        case .other: "The database \(path) belongs to another installation."
        case .strange(let why):
            "The database \(path) is not the one of this program: \(why). Nothing was changed. Put a whole copy in its place."
        case .notFolder: "\(path) is a file, and must be a folder. Move it away, or put the folder back in its place."
        case .newer(let found): "The database \(path) was written by a newer version of this program (schema \(found))."
        case .refused(let why): "The database \(path) cannot be opened: \(why)."
        }
    }
}
