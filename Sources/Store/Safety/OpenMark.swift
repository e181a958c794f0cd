import Foundation

/// The file that names the databases whose logs belong to them; there while they are open, and after a crash.
///
/// A database that was closed has brought all of its log into itself, so that a log beside it is another's, or one of before.
package enum OpenMark {
    package static let fileName = "databases.open"

    enum Log: Equatable {
        /// The databases are being opened or closed: a log may be there.
        case possible
        /// A log holds what its database does not.
        case needed

        var isNeeded: Bool { self == .needed }
    }

    /// - Returns: what the folder's file says, by the names of databases.
    static func read(_ folder: String) -> [String: Log] {
        let text = (try? String(contentsOfFile: "\(folder)/\(fileName)", encoding: .utf8)) ?? ""
        var logs: [String: Log] = [:]
        for line in text.split(separator: "\n") {
            let words = line.split(separator: " ")
            guard let name = words.first else { continue }
            logs[String(name)] = words.dropFirst().first == "possible" ? .possible : .needed
        }
        return logs
    }

    /// Whether the folder's file names each database already, as after a crash.
    package static func isWhole(_ folder: String) -> Bool {
        let logs = read(folder)
        return StartCheck.databases.allSatisfy { logs[$0] != nil }
    }

    /// What the file says while databases are opened or closed.
    package static var passing: [UInt8] { Array(StartCheck.databases.map { "\($0) possible\n" }.joined().utf8) }

    /// What the file says once the logs hold something.
    package static var open: [UInt8] { Array(StartCheck.databases.map { "\($0)\n" }.joined().utf8) }
}
