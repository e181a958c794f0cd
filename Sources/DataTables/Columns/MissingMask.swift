/// Which rows of a column have no value; costs nothing while there are none.
package struct MissingMask: Sendable, Equatable {
    private var words: [UInt64] = []
    package private(set) var count = 0

    package init() {}

    package var isEmpty: Bool { count == 0 }

    package subscript(row: Int) -> Bool {
        guard count > 0, row >> 6 < words.count else { return false }
        return words[row >> 6] & (1 << UInt64(row & 63)) != 0
    }

    package mutating func insert(_ row: Int) {
        guard !self[row] else { return }
        let word = row >> 6
        if word >= words.count { words.append(contentsOf: repeatElement(0, count: word + 1 - words.count)) }
        words[word] |= 1 << UInt64(row & 63)
        count += 1
    }

    package static func == (left: MissingMask, right: MissingMask) -> Bool {
        guard left.count == right.count else { return false }
        let shared = min(left.words.count, right.words.count)
        return left.words.prefix(shared).elementsEqual(right.words.prefix(shared))
    }
}
