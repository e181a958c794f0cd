import Foundation

/// Which log it is, by its header.
///
/// SQLite begins each new log with a salt of chance, and adds one to its turn and to its salt whenever it begins the same log anew.
/// So two logs that are not one have other salts for the same turn, and an older copy of one has an earlier turn.
package struct LogOrigin: Sendable, Equatable {
    let turn: UInt32
    let salt: UInt32
    /// By chance at each turn.
    let word: UInt32

    /// Whether a log that began so may have become this one.
    func continues(_ other: LogOrigin) -> Bool {
        let turns = turn &- other.turn
        return salt &- other.salt == turns && turns <= UInt32(Int32.max) && (turns > 0 || word == other.word)
    }
}

/// The file that names the databases whose logs belong to them; there while they are open, and after a crash.
///
/// A database that was closed has brought all of its log into itself, so that a log beside it is another's, or one of before.
package enum OpenMark {
    package static let fileName = "databases.open"

    enum Log: Equatable {
        /// The databases are being opened or closed: a log may be there.
        case possible
        /// A log holds what its database does not; which log is not known where an earlier version wrote the file.
        case needed(LogOrigin?)

        var isNeeded: Bool { self != .possible }
        var origin: LogOrigin? {
            if case .needed(let origin) = self { origin } else { nil }
        }
    }

    /// - Returns: what the folder's file says, by the names of databases.
    static func read(_ folder: String) -> [String: Log] {
        let text = (try? String(contentsOfFile: "\(folder)/\(fileName)", encoding: .utf8)) ?? ""
        var logs: [String: Log] = [:]
        for line in text.split(separator: "\n") {
            let words = line.split(separator: " ")
            guard let name = words.first else { continue }
            let numbers = words.dropFirst().compactMap { UInt32($0, radix: 16) }
            if numbers.count == 3 {
                logs[String(name)] = .needed(LogOrigin(turn: numbers[0], salt: numbers[1], word: numbers[2]))
            } else {
                logs[String(name)] = words.count == 1 ? .needed(nil) : .possible
            }
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

    /// What the file says once the logs of a folder hold something.
    package static func open(_ folder: String) throws(DatabaseFileError) -> [UInt8] {
        var text = ""
        for name in StartCheck.databases {
            text += name
            if let log = try WALReport(headerOf: "\(folder)/\(name)-wal").origin {
                for number in [log.turn, log.salt, log.word] { text += " " + String(number, radix: 16) }
            }
            text += "\n"
        }
        return Array(text.utf8)
    }
}
