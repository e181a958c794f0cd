package import Foundation
package import ResourceModel

/// Numbers, sizes and times as a reader writes them.
///
/// Own tables: Foundation's locale data would be read from its 30 MB at the first page.
package struct LocaleText: Sendable {
    private static let months: [Language: [String]] = [
        .english: ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"],
        .spanish: ["ene", "feb", "mar", "abr", "may", "jun", "jul", "ago", "sept", "oct", "nov", "dic"],
    ]

    private let language: Language

    package init(_ language: Language) { self.language = language }

    /// As `12,345` or `12.345`; Spanish groups from five digits on.
    package func number(_ value: Int) -> String {
        let digits = String(value.magnitude)
        let sign = value < 0 ? "-" : ""
        if language == .spanish, digits.count < 5 { return sign + digits }
        var grouped = ""
        for (place, digit) in digits.enumerated() {
            if place > 0, (digits.count - place) % 3 == 0 { grouped += language == .spanish ? "." : "," }
            grouped.append(digit)
        }
        return sign + grouped
    }

    /// With so many digits after the point, as `0.25` or `0,25`.
    package func number(_ value: Double, digits: Int) -> String {
        guard value.isFinite, abs(value) < 1e15 else { return String(value) }
        var scale = 1.0
        for _ in 0..<digits { scale *= 10 }
        let scaled = Int((abs(value) * scale).rounded())
        let sign = value < 0 && scaled > 0 ? "-" : ""
        let whole = sign + number(scaled / Int(scale))
        guard digits > 0 else { return whole }
        let rest = String(scaled % Int(scale))
        let zeros = String(repeating: "0", count: digits - rest.count)
        return whole + (language == .spanish ? "," : ".") + zeros + rest
    }

    /// As `12 kB` or `3,4 MB`, by powers of 1,000.
    package func size(bytes: Int) -> String {
        var value = Double(bytes)
        var units = ["bytes", "kB", "MB", "GB", "TB", "PB"][...]
        while value >= 999.5, units.count > 1 {
            value /= 1000
            units.removeFirst()
        }
        let isWhole = units.first == "bytes" || value >= 10
        // A no-break space: a number and its unit stay together.
        return "\(number(value, digits: isWhole ? 0 : 1))\u{A0}\(units.first ?? "")"
    }

    /// As `Starter, Unlimited`.
    package func list(_ names: [String]) -> String { names.joined(separator: ", ") }

    /// As `29 Nov 2026, 08:44 UTC`.
    package func time(_ date: Date) -> String {
        let parts = Self.calendar.dateComponents([.year, .month, .day, .hour, .minute], from: date)
        let two = { (value: Int?) in "\((value ?? 0) < 10 ? "0" : "")\(value ?? 0)" }
        return "\(day(parts)), \(two(parts.hour)):\(two(parts.minute)) UTC"
    }

    /// As `29 Nov 2026`.
    package func day(_ date: Date) -> String { day(Self.calendar.dateComponents([.year, .month, .day], from: date)) }

    private func day(_ parts: DateComponents) -> String {
        let month = Self.months[language]?[max(0, min(11, (parts.month ?? 1) - 1))] ?? ""
        return "\(parts.day ?? 0) \(month) \(parts.year ?? 0)"
    }

    /// What `<time datetime>` holds.
    package static func iso(_ date: Date) -> String { date.formatted(.iso8601) }

    private static let calendar = {
        var calendar = Calendar(identifier: .gregorian)
        calendar.timeZone = .gmt
        return calendar
    }()

    /// How long ago something was, as `3 minutes ago`; a day and more by its date.
    package func ago(_ date: Date, now: Date = Date()) -> String {
        let seconds = Int(now.timeIntervalSince(date))
        let (minutes, hours) = (seconds / 60, seconds / 3600)
        if seconds >= 86_400 { return day(date) }
        return switch language {
        case .english where seconds < 60: "just now"
        case .english where minutes < 60: minutes == 1 ? "1 minute ago" : "\(minutes) minutes ago"
        case .english: hours == 1 ? "1 hour ago" : "\(hours) hours ago"
        case .spanish where seconds < 60: "ahora mismo"
        case .spanish where minutes < 60: minutes == 1 ? "hace 1 minuto" : "hace \(minutes) minutos"
        case .spanish: hours == 1 ? "hace 1 hora" : "hace \(hours) horas"
        }
    }

    /// What a template shows of a time: `iso`, `text` and `exact`.
    package func moment(_ date: Date, now: Date = Date()) -> JSONValue {
        [
            "iso": .string(Self.iso(date)), "text": .string(ago(date, now: now)),
            "exact": .string(time(date)),
        ]
    }
}
