import HTTPTypes
package import Hummingbird

/// A field of words with qualities, as `es-MX, es;q=0.9, en;q=0.8` (RFC 9110, 12.4.2).
package struct QualityList: Sendable {
    /// Words that are read; what a browser sends has some ten.
    private static let wordsMax = 50

    /// Lower-cased, in the order of the field.
    package let words: [(name: String, quality: Double)]

    package init(_ field: String) {
        words = field.split(separator: ",").prefix(Self.wordsMax).compactMap { item in
            let parts = item.split(separator: ";").map { Self.trimmed($0).lowercased() }
            guard let name = parts.first, !name.isEmpty else { return nil }
            let quality = parts.dropFirst().first { $0.hasPrefix("q=") }.map { Double($0.dropFirst(2)) ?? 0 }
            return (name, min(max(quality ?? 1, 0), 1))
        }
    }

    /// What the field says of a word; nil where it does not name it.
    package func quality(of name: String) -> Double? { words.first { $0.name == name }?.quality }

    /// Those that are wanted, the most wanted first.
    package var inOrder: [String] {
        words.enumerated().filter { $0.element.quality > 0 }
            .sorted { ($1.element.quality, $0.offset) < ($0.element.quality, $1.offset) }
            .map(\.element.name)
    }

    private static func trimmed(_ text: Substring) -> Substring {
        var text = text
        while let first = text.first, first == " " || first == "\t" { text.removeFirst() }
        while let last = text.last, last == " " || last == "\t" { text.removeLast() }
        return text
    }
}

extension Request {
    /// Whether the field `Accept` names HTML, as browsers do that go to an address; programs say nothing or `*/*`.
    package var asksForHTML: Bool {
        (QualityList(headers[values: .accept].joined(separator: ",")).quality(of: "text/html") ?? 0) > 0
    }
}
