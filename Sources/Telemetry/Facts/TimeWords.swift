#if canImport(Glibc)
import Glibc
#endif

/// Times as logs and traces write them.
package enum TimeWords {
    /// ISO 8601 in UTC.
    package static func iso(milliseconds: Int64) -> String {
        var seconds = time_t(milliseconds / 1000)
        var time = tm()
        gmtime_r(&seconds, &time)
        func padded(_ value: Int, _ width: Int) -> String {
            let digits = String(value)
            return String(repeating: "0", count: max(0, width - digits.count)) + digits
        }
        let date = "\(1900 + time.tm_year)-\(padded(Int(time.tm_mon) + 1, 2))-\(padded(Int(time.tm_mday), 2))"
        let clock = [Int(time.tm_hour), Int(time.tm_min), Int(time.tm_sec)].map { padded($0, 2) }
        return "\(date)T\(clock.joined(separator: ":")).\(padded(Int(milliseconds % 1000), 3))Z"
    }
}
