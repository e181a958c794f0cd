/// The values of a column whose elements have one size.
package struct FixedValues<Element: Sendable & Equatable>: Sendable, Equatable {
    package private(set) var elements: [Element] = []
    package private(set) var missing = MissingMask()
    private let filler: Element

    /// - Parameter filler: what stands in the place of a missing element.
    package init(filler: Element) { self.filler = filler }

    package init(_ elements: [Element], filler: Element) {
        self.elements = elements
        self.filler = filler
    }

    package var count: Int { elements.count }

    package subscript(row: Int) -> Element? { missing[row] ? nil : elements[row] }

    package mutating func append(_ element: Element?) {
        if element == nil { missing.insert(elements.count) }
        elements.append(element ?? filler)
    }

    package func selecting(_ rows: [Int]) -> FixedValues {
        var result = FixedValues(filler: filler)
        result.elements.reserveCapacity(rows.count)
        for row in rows { result.append(self[row]) }
        return result
    }

    /// What stands in the place of missing elements does not count.
    package static func == (left: FixedValues, right: FixedValues) -> Bool {
        left.count == right.count && left.missing == right.missing
            && left.elements.indices.allSatisfy { left[$0] == right[$0] }
    }
}
