import HTTPWire

/// What stands around the rows of a request with one table: clients write it the same way each time, and only rows are read then.
///
/// The same bytes mean the same, up to the bracket that opens the rows and from the one that closes them on: names, their order, what is skipped.
package struct RequestShape {
    /// Longer surroundings are not kept: every known target of a loop holds this much.
    private static let bytesMax = 4096

    private let start: [UInt8]
    private let end: [UInt8]
    /// For each cell of a row the column that it is for.
    let order: [Int]

    /// - Parameter rows: where the rows with their brackets stand.
    /// - Returns: nil where there is too much around them.
    init?(_ body: [UInt8], rows: Range<Int>, order: [Int]) {
        guard body.count - rows.count <= RequestShape.bytesMax else { return nil }
        start = Array(body[..<rows.lowerBound])
        end = Array(body[rows.upperBound...])
        self.order = order
    }

    /// Where the rows with their brackets must stand; nil where the body has other surroundings.
    package func rows(_ body: [UInt8]) -> Range<Int>? {
        guard body.count > start.count + end.count else { return nil }
        let isKnown = body.withUnsafeBytes { body in
            start.withUnsafeBytes { Octets.areSame($0, UnsafeRawBufferPointer(rebasing: body[..<$0.count])) }
                && end.withUnsafeBytes {
                    Octets.areSame($0, UnsafeRawBufferPointer(rebasing: body[(body.count - $0.count)...]))
                }
        }
        return isKnown ? start.count..<(body.count - end.count) : nil
    }
}

/// The last shape of the requests to a target; used on one loop.
package final class RequestShapes {
    package var last: RequestShape?

    package init() {}
}
