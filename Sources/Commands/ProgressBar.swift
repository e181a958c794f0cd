import Foundation

#if canImport(Glibc)
import Glibc
#endif

/// A line on the error output that shows how far a transfer is; silent where nobody watches.
struct ProgressBar {
    private static let width = 30
    /// Between two drawings: often enough for the eye.
    private static let pause = 0.1

    private let title: String
    private let total: Int64?
    private let isShown: Bool
    private var done: Int64 = 0
    private var drawnAt = 0.0
    private let began = Date().timeIntervalSince1970

    init(_ title: String, total: Int64?, isQuiet: Bool) {
        self.title = title
        self.total = total
        isShown = !isQuiet && isatty(STDERR_FILENO) == 1
    }

    mutating func advance(by count: Int) {
        done += Int64(count)
        let now = Date().timeIntervalSince1970
        guard isShown, now - drawnAt >= Self.pause else { return }
        drawnAt = now
        draw(now)
    }

    mutating func finish() {
        guard isShown else { return }
        draw(Date().timeIntervalSince1970)
        FileHandle.standardError.write(Data("\n".utf8))
    }

    private func draw(_ now: Double) {
        let rate = Double(done) / max(0.001, now - began) / 1_000_000
        var line = "\r\(title) "
        if let total, total > 0 {
            let filled = Int(Double(done) / Double(total) * Double(Self.width))
            line +=
                "[" + String(repeating: "#", count: filled) + String(repeating: ".", count: Self.width - filled) + "] "
            line += "\(done * 100 / total) % "
        }
        line += "\(Self.size(done)) \(String(format: "%.1f", rate)) MB/s "
        FileHandle.standardError.write(Data(line.utf8))
    }

    static func size(_ bytes: Int64) -> String {
        let units = ["B", "KiB", "MiB", "GiB", "TiB"]
        var value = Double(bytes)
        var unit = 0
        while value >= 1024, unit < units.count - 1 {
            value /= 1024
            unit += 1
        }
        return unit == 0 ? "\(bytes) B" : "\(String(format: "%.1f", value)) \(units[unit])"
    }
}
