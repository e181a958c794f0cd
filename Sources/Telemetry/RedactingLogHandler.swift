import Foundation
package import Logging

/// Writes log lines to standard error, with everything that looks like a secret replaced.
package struct RedactingLogHandler: LogHandler {
    package var logLevel = Logger.Level.info
    package var metadata: Logger.Metadata = [:]
    private let label: String
    private let write: @Sendable (String) -> Void

    /// - Parameter write: takes whole lines.
    package init(label: String, write: @Sendable @escaping (String) -> Void = RedactingLogHandler.writeToStandardError)
    {
        self.label = label
        self.write = write
    }

    package subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    package func log(event: LogEvent) {
        var line = "\(Date().formatted(.iso8601)) \(event.level) \(Redactor.redact(event.message.description))"
        let all = metadata.merging(event.metadata ?? [:]) { _, new in new }
        for (key, value) in all.sorted(by: { $0.key < $1.key }) {
            line += " \(key)=\(Redactor.redact(key: key, value: "\(value)"))"
        }
        write(line.replacingOccurrences(of: "\n", with: " ") + "\n")
    }

    package static let writeToStandardError: @Sendable (String) -> Void = { line in
        FileHandle.standardError.write(Data(line.utf8))
    }
}
