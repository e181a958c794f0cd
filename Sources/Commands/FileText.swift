import Foundation

/// Texts that a command reads.
enum FileText {
    /// - Parameter file: `-` for standard input.
    static func read(_ file: String) throws -> String {
        let text =
            file == "-"
            ? String(data: FileHandle.standardInput.readDataToEndOfFile(), encoding: .utf8)
            : try? String(contentsOfFile: file, encoding: .utf8)
        guard let text else { throw CommandFailure("\"\(file)\" cannot be read as UTF-8.") }
        return text
    }
}
