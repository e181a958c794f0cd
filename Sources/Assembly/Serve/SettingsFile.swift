import Foundation
import Management

/// Looks at a settings file before the library reads it, which knows no bounds.
enum SettingsFile {
    /// Bytes of a file of some dozen lines.
    private static let bytesMax = 1 << 20

    /// - Throws: `InstallationError` naming the file, where it is too long or no YAML within the bounds of `YAMLDocument`.
    static func check(_ path: String) throws {
        // One that is not there or cannot be read is told of by the reader itself.
        guard let file = FileHandle(forReadingAtPath: path) else { return }
        defer { try? file.close() }
        let bytes = try file.read(upToCount: bytesMax + 1) ?? Data()
        guard bytes.count <= bytesMax else {
            throw InstallationError("The settings file \(path) is longer than \(bytesMax >> 20) MiB.")
        }
        do throws(YAMLDocument.YAMLError) { _ = try YAMLDocument.value(String(decoding: bytes, as: UTF8.self)) } catch {
            throw InstallationError("The settings file \(path) cannot be read as YAML: \(error.message)")
        }
    }
}
