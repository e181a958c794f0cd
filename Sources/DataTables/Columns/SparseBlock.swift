/// Many numbered Int32 columns of which each row fills only a few: the features of Feature Hashing.
///
/// 2^31 columns cost nothing here; rows are stored one after another as pairs of column number and count.
package struct SparseBlock: Sendable, Equatable {
    /// What stands before the number in a column's name.
    package let prefix: String
    /// The numbers of the columns that are there, ascending and disjoint.
    package private(set) var kept: [Range<Int>]
    /// Where each row's pairs end.
    package private(set) var ends: [Int]
    /// Column numbers, ascending within a row.
    package private(set) var numbers: [UInt32]
    /// Counts beside `numbers`, never zero.
    package private(set) var counts: [Int32]
    package var role: ColumnRole = .feature

    /// - Parameter width: how many columns there are, numbered from 0.
    package init(prefix: String, width: Int, ends: [Int], numbers: [UInt32], counts: [Int32]) {
        self.init(prefix: prefix, kept: [0..<width], ends: ends, numbers: numbers, counts: counts)
    }

    /// - Parameter kept: the numbers of the columns, ascending and disjoint.
    package init(prefix: String, kept: [Range<Int>], ends: [Int], numbers: [UInt32], counts: [Int32]) {
        self.prefix = prefix
        self.kept = kept
        self.ends = ends
        self.numbers = numbers
        self.counts = counts
    }

    package var rowCount: Int { ends.count }
    package var width: Int { kept.reduce(0) { $0 + $1.count } }

    package func range(_ row: Int) -> Range<Int> { (row == 0 ? 0 : ends[row - 1])..<ends[row] }

    package func name(_ number: Int) -> String { prefix + String(number) }

    /// The number of the column at a place among the kept ones.
    package func number(at place: Int) -> Int {
        var place = place
        for range in kept {
            if place < range.count { return range.lowerBound + place }
            place -= range.count
        }
        preconditionFailure("a sparse block has no column at this place")
    }

    /// The number that a column name means, if the block has that column.
    package func number(named name: String) -> Int? {
        guard name.hasPrefix(prefix) else { return nil }
        let digits = name.dropFirst(prefix.count)
        guard let number = Int(digits), String(number) == digits, kept.contains(where: { $0.contains(number) }) else {
            return nil
        }
        return number
    }

    package func count(row: Int, number: Int) -> Int32 {
        var low = range(row).lowerBound
        var high = range(row).upperBound
        while low < high {
            let middle = (low + high) / 2
            if Int(numbers[middle]) == number { return counts[middle] }
            if Int(numbers[middle]) < number { low = middle + 1 } else { high = middle }
        }
        return 0
    }

    /// One column with all its zeros written out.
    package func column(_ number: Int) -> Column {
        let values = (0..<rowCount).map { count(row: $0, number: number) }
        return Column(name: name(number), values: .int32(FixedValues(values, filler: 0)), role: role)
    }

    package func selecting(_ rows: [Int]) -> SparseBlock {
        var result = self
        result.ends = []
        result.numbers = []
        result.counts = []
        for row in rows {
            result.numbers.append(contentsOf: numbers[range(row)])
            result.counts.append(contentsOf: counts[range(row)])
            result.ends.append(result.numbers.count)
        }
        return result
    }

    /// The block with only the columns of these numbers, which are ascending, disjoint and among the kept ones.
    package func keeping(_ ranges: [Range<Int>]) -> SparseBlock {
        var result = self
        result.kept = ranges
        result.ends = []
        result.numbers = []
        result.counts = []
        for row in 0..<rowCount {
            for place in range(row) where ranges.contains(where: { $0.contains(Int(numbers[place])) }) {
                result.numbers.append(numbers[place])
                result.counts.append(counts[place])
            }
            result.ends.append(result.numbers.count)
        }
        return result
    }
}
