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

/// Finds secrets in text that is about to be written.
package enum Redactor {
    /// What stands in the place of a secret.
    package static let mark = "[redacted]"
    private static let secretKeys = [
        "key", "apikey", "token", "password", "secret", "authorization", "signature", "sig", "cookie",
    ]

    /// A value whose name says that it is a secret is replaced whole.
    package static func redact(key: String, value: String) -> String {
        let words = key.lowercased().split { !$0.isLetter }.map(String.init)
        return words.contains { secretKeys.contains($0) } ? mark : redact(value)
    }

    /// Bearer tokens, account keys, SAS signatures and subscription keys inside a text.
    package static func redact(_ text: String) -> String {
        var result = text
        for marker in ["bearer ", "accountkey=", "sig=", "subscription-key=", "ocp-apim-subscription-key: "] {
            var from = result.startIndex
            while let found = result.range(of: marker, options: .caseInsensitive, range: from..<result.endIndex) {
                let end = result[found.upperBound...].firstIndex { " ;&\"'\n\r\t".contains($0) } ?? result.endIndex
                result.replaceSubrange(found.upperBound..<end, with: mark)
                from = result.index(found.lowerBound, offsetBy: marker.count + mark.count)
            }
        }
        return result
    }
}
