import Foundation
import ResourceModel
import Synchronization
import Telemetry

#if canImport(Glibc)
import Glibc
#endif

/// Writes a JSON line for each call, to a file or to standard output; used by one writer.
package final class AccessLog: Sendable {
    /// What one write hands to the system at most.
    private static let pieceBytes = 1 << 18

    private let path: String?
    private let file: LogFile

    /// - Parameter path: of the file, which is appended to; `-` for standard output.
    /// - Throws: why the file cannot be opened.
    package init(path: String) throws {
        self.path = path == "-" ? nil : path
        file = LogFile(try AccessLog.open(self.path))
    }

    private static func open(_ path: String?) throws -> Int32 {
        guard let path else { return STDOUT_FILENO }
        let descriptor = Glibc.open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0o640)
        guard descriptor >= 0 else { throw POSIXError(.init(rawValue: errno) ?? .EIO) }
        return descriptor
    }

    /// Writes the lines of calls.
    ///
    /// - Parameter missing: calls before these that are not among them; a line says so.
    /// - Returns: how many lines could not be written.
    func write(_ events: [RequestEvent], missing: Int) -> Int {
        reopenIfMoved()
        var text = ""
        var lost = 0
        var lines = 0
        func flush() {
            if !file.write(Array(text.utf8)) { lost += lines }
            text = ""
            lines = 0
        }
        if missing > 0 {
            text += "{\"dropped\":\(missing)}\n"
            lines += 1
        }
        for event in events {
            text += AccessLog.line(event)
            lines += 1
            if text.utf8.count >= AccessLog.pieceBytes { flush() }
        }
        if !text.isEmpty { flush() }
        return lost
    }

    /// A file that was moved away, as log rotation does, is made anew.
    private func reopenIfMoved() {
        guard let path else { return }
        var there = stat()
        var ours = stat()
        let isThere = stat(path, &there) == 0
        guard fstat(file.descriptor, &ours) == 0, !isThere || there.st_ino != ours.st_ino || there.st_dev != ours.st_dev
        else { return }
        if let descriptor = try? AccessLog.open(path) { file.replace(descriptor) }
    }

    static func line(_ event: RequestEvent) -> String {
        let (method, url) = RequestText.words(event)
        func quoted(_ text: String) -> String { JSONValue.string(text).text }
        var line = "{\"time\":\"\(TimeWords.iso(milliseconds: event.time))\",\"id\":\"\(event.id.guid)\""
        line += ",\"client\":\(quoted(String(decoding: event.address, as: UTF8.self)))"
        line += ",\"method\":\(quoted(method)),\"url\":\(quoted(url)),\"status\":\(event.status)"
        line += ",\"requestBytes\":\(event.requestBytes),\"responseBytes\":\(event.responseBytes)"
        line += ",\"ms\":\(milliseconds(event.microseconds))"
        if let service = event.serviceMicroseconds { line += ",\"backendMs\":\(milliseconds(service))" }
        if event.backendStatus > 0 { line += ",\"backendStatus\":\(event.backendStatus)" }
        for (name, value) in [
            ("api", event.subject.api), ("operation", event.subject.operation), ("product", event.subject.product),
            ("subscription", event.subject.subscription), ("user", event.subject.user),
        ] where !value.isEmpty {
            line += ",\"\(name)\":\(quoted(value))"
        }
        line += ",\"cache\":\"\(event.cache.word)\""
        if !event.isWhole { line += ",\"cut\":true" }
        if let error = event.error {
            line += ",\"error\":{\"source\":\(quoted(error.source)),\"reason\":\(quoted(error.reason))"
            line += ",\"section\":\(quoted(error.section)),\"policy\":\(quoted(error.policy))}"
        }
        return line + "}\n"
    }

    private static func milliseconds(_ microseconds: Int64) -> String {
        let rest = String(microseconds % 1000)
        return "\(microseconds / 1000).\(String(repeating: "0", count: 3 - rest.count))\(rest)"
    }
}

/// A descriptor that is written to whole.
private final class LogFile: Sendable {
    private let current: Mutex<Int32>

    init(_ descriptor: Int32) { current = Mutex(descriptor) }

    var descriptor: Int32 { current.withLock { $0 } }

    func replace(_ descriptor: Int32) {
        let before = current.withLock { current in
            let before = current
            current = descriptor
            return before
        }
        if before != STDOUT_FILENO { close(before) }
    }

    /// - Returns: whether all bytes were taken.
    func write(_ bytes: [UInt8]) -> Bool {
        current.withLock { descriptor in
            bytes.withUnsafeBytes { raw in
                var place = 0
                while place < raw.count {
                    let count = Glibc.write(descriptor, raw.baseAddress.map { $0 + place }, raw.count - place)
                    if count < 0, errno == EINTR { continue }
                    guard count > 0 else { return false }
                    place += count
                }
                return true
            }
        }
    }
}
