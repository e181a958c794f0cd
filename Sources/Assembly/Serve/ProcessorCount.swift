import Foundation
import NIOCore

/// How many processors this process may keep busy.
enum ProcessorCount {
    /// The least of those that there are, those that it may run on (`taskset`, cpusets) and the share that a container has; 1 at least.
    static let available: Int = {
        let status = try? String(contentsOfFile: "/proc/self/status", encoding: .utf8)
        return max(1, min(System.coreCount, status.flatMap(allowed) ?? .max))
    }()

    /// The processors that a process may run on by what the kernel says of it; nil where it does not say.
    private static func allowed(_ status: String) -> Int? {
        for line in status.split(separator: "\n") where line.hasPrefix("Cpus_allowed:") {
            // Words of 32 bits with commas between.
            let digits = line.dropFirst("Cpus_allowed:".count).filter { $0.isHexDigit }
            let count = digits.reduce(0) { $0 + ($1.hexDigitValue ?? 0).nonzeroBitCount }
            return count > 0 ? count : nil
        }
        return nil
    }
}
