/// Dates as text: read in ISO 8601 and US order, written as the web service contract shows them.
package enum DateTimeText {
    package static let ticksPerSecond: Int64 = 10_000_000
    private static let ticksPerDay: Int64 = 86_400 * ticksPerSecond

    /// `5/30/2010 6:09:00 PM`: US order, as recorded answers of the service have it.
    package static func write(ticks: Int64) -> String {
        let (year, month, day) = civil(days: Int(ticks / ticksPerDay))
        let seconds = Int(ticks % ticksPerDay / ticksPerSecond)
        let hour = seconds / 3600
        let twelve = hour % 12 == 0 ? 12 : hour % 12
        return "\(month)/\(day)/\(padded(year, 4)) \(twelve):\(padded(seconds / 60 % 60, 2)):\(padded(seconds % 60, 2))"
            + (hour < 12 ? " AM" : " PM")
    }

    /// `2010-05-30T18:09:00`, without fractions.
    package static func writeISO(ticks: Int64) -> String {
        let (year, month, day) = civil(days: Int(ticks / ticksPerDay))
        let seconds = Int(ticks % ticksPerDay / ticksPerSecond)
        return "\(padded(year, 4))-\(padded(month, 2))-\(padded(day, 2))"
            + "T\(padded(seconds / 3600, 2)):\(padded(seconds / 60 % 60, 2)):\(padded(seconds % 60, 2))"
    }

    /// .NET ticks of a date, with or without a time; nil when the text is none.
    package static func ticks(_ text: ArraySlice<UInt8>) -> Int64? {
        var reader = FieldReader(text: text)
        guard let first = reader.number(digitsMax: 4) else { return nil }
        let firstDigits = reader.lastDigits
        let date: (year: Int, month: Int, day: Int)?
        if firstDigits == 4, reader.take(0x2D), let month = reader.number(digitsMax: 2), reader.take(0x2D),
            let day = reader.number(digitsMax: 2)
        {
            date = (first, month, day)
        } else if firstDigits <= 2, reader.take(0x2F), let day = reader.number(digitsMax: 2), reader.take(0x2F),
            let year = reader.number(digitsMax: 4), reader.lastDigits == 4
        {
            date = (year, first, day)
        } else {
            date = nil
        }
        guard let date, let days = days(date.year, date.month, date.day) else { return nil }
        guard let time = reader.time() else { return nil }
        return Int64(days) * ticksPerDay + time
    }

    /// Days since 0001-01-01, or nil for a day that no calendar has.
    private static func days(_ year: Int, _ month: Int, _ day: Int) -> Int? {
        guard (1...9999).contains(year), (1...12).contains(month) else { return nil }
        let isLeap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
        let lengths = [31, isLeap ? 29 : 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]
        guard (1...lengths[month - 1]).contains(day) else { return nil }
        let before = year - 1
        return before * 365 + before / 4 - before / 100 + before / 400 + lengths[..<(month - 1)].reduce(0, +) + day - 1
    }

    /// The civil date of days since 0001-01-01, by the 400-year cycle counted from March.
    private static func civil(days: Int) -> (Int, Int, Int) {
        let shifted = days + 306
        let era = shifted / 146_097
        let dayOfEra = shifted % 146_097
        let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let shiftedMonth = (5 * dayOfYear + 2) / 153
        let month = shiftedMonth < 10 ? shiftedMonth + 3 : shiftedMonth - 9
        return (yearOfEra + era * 400 + (month <= 2 ? 1 : 0), month, dayOfYear - (153 * shiftedMonth + 2) / 5 + 1)
    }

    private static func padded(_ value: Int, _ width: Int) -> String {
        let text = String(value)
        return String(repeating: "0", count: max(0, width - text.count)) + text
    }
}

/// Reads the fields of a date from text, left to right.
private struct FieldReader {
    var text: ArraySlice<UInt8>
    var lastDigits = 0

    mutating func take(_ byte: UInt8) -> Bool {
        guard text.first == byte else { return false }
        text.removeFirst()
        return true
    }

    mutating func number(digitsMax: Int) -> Int? {
        var value = 0
        lastDigits = 0
        while lastDigits < digitsMax, let byte = text.first, byte &- 0x30 < 10 {
            value = value * 10 + Int(byte - 0x30)
            text.removeFirst()
            lastDigits += 1
        }
        return lastDigits == 0 ? nil : value
    }

    /// Ticks since midnight; 0 when the text ends here, nil when what follows is no time.
    mutating func time() -> Int64? {
        guard !text.isEmpty else { return 0 }
        guard take(0x54) || take(0x20), var hour = number(digitsMax: 2), take(0x3A),
            let minute = number(digitsMax: 2)
        else { return nil }
        var second = 0
        var fraction: Int64 = 0
        if take(0x3A) {
            guard let value = number(digitsMax: 2) else { return nil }
            second = value
            if take(0x2E) {
                guard let value = number(digitsMax: 7) else { return nil }
                fraction = Int64(value)
                for _ in lastDigits..<7 { fraction *= 10 }
            }
        }
        _ = take(0x20)
        let isAfternoon = text.first.map { $0 | 0x20 == 0x70 } ?? false
        if isAfternoon || text.first.map({ $0 | 0x20 == 0x61 }) ?? false {
            text.removeFirst()
            guard take(0x4D) || take(0x6D), (1...12).contains(hour) else { return nil }
            hour = hour % 12 + (isAfternoon ? 12 : 0)
        }
        _ = take(0x5A)
        guard text.isEmpty, hour < 24, minute < 60, second < 60 else { return nil }
        return Int64(hour * 3600 + minute * 60 + second) * DateTimeText.ticksPerSecond + fraction
    }
}
