import Policies

/// The parameters of one segment of a template, with the texts before, between and behind them.
struct SegmentPattern: Sendable {
    let names: [String]
    /// Lower case; one more than names, none of those between two names empty.
    private let literals: [[UInt8]]
    /// Whether it is one parameter and nothing else.
    let takesAnything: Bool

    init(names: [String], literals: [String]) {
        self.names = names
        self.literals = literals.map { Array($0.lowercased().utf8) }
        takesAnything = literals.allSatisfy(\.isEmpty)
    }

    /// What the parameters are in a segment, unescaped; nil where it does not fit.
    ///
    /// Each parameter has a byte at least and ends where the text behind it is met first; the last one ends before the last text.
    func values(_ segment: UnsafeRawBufferPointer) -> [ArraySlice<UInt8>]? {
        let bytes = PercentText.bytes(segment)
        guard let first = literals.first, let last = literals.last, holds(first, bytes, at: 0) else { return nil }
        let end = bytes.count - last.count
        guard end >= first.count, holds(last, bytes, at: end) else { return nil }
        var values: [ArraySlice<UInt8>] = []
        var start = first.count
        for literal in literals.dropFirst().dropLast() {
            var stop = start + 1
            while stop + literal.count <= end, !holds(literal, bytes, at: stop) { stop += 1 }
            guard stop + literal.count <= end else { return nil }
            values.append(bytes[start..<stop])
            start = stop + literal.count
        }
        guard start < end else { return nil }
        values.append(bytes[start..<end])
        return values
    }

    private func holds(_ literal: [UInt8], _ bytes: [UInt8], at place: Int) -> Bool {
        guard place + literal.count <= bytes.count else { return false }
        return literal.indices.allSatisfy { PathText.folded(bytes[place + $0]) == literal[$0] }
    }
}
