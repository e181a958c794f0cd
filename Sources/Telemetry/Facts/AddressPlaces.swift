/// Where callers are, as far as their addresses tell.
package struct CallerPlace: Sendable, Hashable {
    package let country: String
    package let region: String
    package let zip: String

    package init(country: String, region: String = "", zip: String = "") {
        self.country = country
        self.region = region
        self.zip = zip
    }
}

/// Ranges of addresses with the places that they are used in: lines of `first,last,country[,region[,zip]]`, or of a network in the
/// place of the first two, as `192.0.2.0/24`.
///
/// First and last are addresses of IPv4 or IPv6, or IPv4 addresses as whole numbers. Values may stand in quotes; empty lines and those that
/// begin with `#` mean nothing.
package struct AddressPlaces: Sendable {
    /// Ranges of one file: twice those of the largest that are sold.
    private static let rangesMax = 20_000_000

    package struct FileError: Error, CustomStringConvertible, Equatable {
        package let line: Int
        package let message: String
        package var description: String { "line \(line): \(message)" }
    }

    private struct Range {
        let first: UInt128
        let last: UInt128
        let place: UInt32
    }

    private let ranges: [Range]
    private let places: [CallerPlace]

    /// - Throws: `FileError` with the line and the rule that it breaks.
    package init(text: [UInt8]) throws(FileError) {
        var ranges: [Range] = []
        var places: [CallerPlace] = []
        var numbers: [CallerPlace: UInt32] = [:]
        var start = text.startIndex
        var number = 0
        // Line by line: a list of all lines would take more memory than the ranges.
        while start < text.endIndex {
            let end = text[start...].firstIndex(of: 0x0A) ?? text.endIndex
            let bytes = text[start..<end]
            start = end + 1
            number += 1
            let line = bytes.last == 0x0D ? bytes.dropLast() : bytes
            guard let first = line.first, first != 0x23 else { continue }
            let words = AddressPlaces.words(line)
            guard let found = AddressPlaces.range(words) else {
                throw FileError(line: number, message: "The line must be first,last,country or network,country.")
            }
            guard found.first <= found.last else {
                throw FileError(line: number, message: "The last address stands before the first.")
            }
            let rest = words.dropFirst(found.words)
            let place = CallerPlace(
                country: rest.first ?? "",
                region: rest.count > 1 ? rest[rest.startIndex + 1] : "",
                zip: rest.count > 2 ? rest[rest.startIndex + 2] : ""
            )
            let known = numbers[place] ?? UInt32(places.count)
            if known == places.count {
                numbers[place] = known
                places.append(place)
            }
            guard ranges.count < AddressPlaces.rangesMax else {
                throw FileError(line: number, message: "There are more than \(AddressPlaces.rangesMax) ranges.")
            }
            ranges.append(Range(first: found.first, last: found.last, place: known))
        }
        ranges.sort { $0.first < $1.first }
        self.ranges = ranges
        self.places = places
    }

    /// The place of an address as text, with its number in this file.
    package func place(of address: [UInt8]) -> (number: Int, place: CallerPlace)? {
        guard let value = AddressPlaces.address(address[...]) else { return nil }
        var low = 0
        var high = ranges.count
        while low < high {
            let middle = (low + high) / 2
            if ranges[middle].first <= value { low = middle + 1 } else { high = middle }
        }
        guard low > 0, ranges[low - 1].last >= value else { return nil }
        let number = Int(ranges[low - 1].place)
        return (number, places[number])
    }

    private static func words(_ line: ArraySlice<UInt8>) -> [String] {
        line.split(separator: 0x2C, omittingEmptySubsequences: false).map { word in
            let bare = word.drop { $0 == 0x20 || $0 == 0x22 }
            let end = bare.lastIndex { $0 != 0x20 && $0 != 0x22 }.map { $0 + 1 } ?? bare.startIndex
            return String(decoding: bare[..<end], as: UTF8.self)
        }
    }

    /// - Returns: the range, and how many words said it.
    private static func range(_ words: [String]) -> (first: UInt128, last: UInt128, words: Int)? {
        guard words.count >= 2 else { return nil }
        let parts = words[0].split(separator: "/", omittingEmptySubsequences: false)
        if parts.count == 2 {
            guard let base = address(Array(parts[0].utf8)[...]), let length = Int(parts[1]) else { return nil }
            let bits = parts[0].contains(":") ? 128 - length : 32 - length
            guard bits >= 0, length >= 0 else { return nil }
            let rest: UInt128 = bits == 128 ? .max : (1 << UInt128(bits)) - 1
            return (base & ~rest, base | rest, 1)
        }
        guard words.count >= 3, let first = number(words[0]), let last = number(words[1]) else { return nil }
        return (first, last, 2)
    }

    private static func number(_ word: String) -> UInt128? {
        if let whole = UInt32(word) { return mapped | UInt128(whole) }
        return address(Array(word.utf8)[...])
    }

    /// `::ffff:0:0`, below which IPv4 addresses stand among those of IPv6.
    private static let mapped: UInt128 = 0xFFFF_0000_0000

    /// An address of either version as a number.
    private static func address(_ text: ArraySlice<UInt8>) -> UInt128? {
        guard text.contains(0x3A) else { return ipv4(text).map { mapped | UInt128($0) } }
        return ipv6(text)
    }

    private static func ipv4(_ text: ArraySlice<UInt8>) -> UInt32? {
        var value: UInt32 = 0
        var part: UInt32?
        var parts = 0
        for byte in text {
            switch byte {
            case 0x30...0x39:
                let next = (part ?? 0) * 10 + UInt32(byte - 0x30)
                guard next <= 255 else { return nil }
                part = next
            case 0x2E:
                guard let known = part, parts < 3 else { return nil }
                value = value << 8 | known
                part = nil
                parts += 1
            default: return nil
            }
        }
        guard let part, parts == 3 else { return nil }
        return value << 8 | part
    }

    private static func ipv6(_ text: ArraySlice<UInt8>) -> UInt128? {
        // The name of an interface says nothing of the place.
        let bare = text.prefix { $0 != 0x25 }
        var groups: [UInt16] = []
        var gap: Int?
        let words = bare.split(separator: 0x3A, omittingEmptySubsequences: false)
        guard words.count >= 3, words.count <= 9 else { return nil }
        for (place, word) in words.enumerated() {
            if word.isEmpty {
                // At either end a gap is two empty words.
                if place == 0 || place == words.count - 1 {
                    guard words[place == 0 ? 1 : place - 1].isEmpty else { return nil }
                    continue
                }
                guard gap == nil || words.count == 3 else { return nil }
                gap = groups.count
                continue
            }
            if place == words.count - 1, word.contains(0x2E) {
                guard let value = ipv4(word) else { return nil }
                groups += [UInt16(value >> 16), UInt16(value & 0xFFFF)]
                continue
            }
            guard word.count <= 4, let value = UInt16(String(decoding: word, as: UTF8.self), radix: 16) else {
                return nil
            }
            groups.append(value)
        }
        guard groups.count <= 8, gap != nil || groups.count == 8 else { return nil }
        if let gap { groups.insert(contentsOf: Array(repeating: 0, count: 8 - groups.count), at: gap) }
        return groups.reduce(0) { $0 << 16 | UInt128($1) }
    }
}
