import Foundation

#if canImport(Glibc)
import Glibc
#endif

/// What the system says of this process, by the names that Prometheus clients use.
package enum ProcessGauges {
    package static func read() -> [(name: String, help: String, value: Double)] {
        var usage = rusage()
        getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage)
        func seconds(_ time: timeval) -> Double { Double(time.tv_sec) + Double(time.tv_usec) / 1e6 }
        let statm = (try? String(contentsOfFile: "/proc/self/statm", encoding: .utf8))?.split(separator: " ") ?? []
        let pages = statm.count > 1 ? Double(statm[1]) ?? 0 : 0
        let descriptors = (try? FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd").count) ?? 0
        return [
            (
                "process_cpu_seconds_total", "CPU time of the process.",
                seconds(usage.ru_utime) + seconds(usage.ru_stime)
            ),
            (
                "process_resident_memory_bytes", "Memory of the process.",
                pages * Double(sysconf(Int32(_SC_PAGESIZE)))
            ),
            ("process_open_fds", "Open descriptors.", Double(descriptors)),
        ]
    }
}
