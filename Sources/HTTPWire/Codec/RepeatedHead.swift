/// The last request's head on a connection: clients that keep theirs say the same again and again, and what is the same was read already.
///
/// Only Content-Length may differ, in as many digits.
package struct RepeatedHead {
    /// Longer heads are read anew each time: every connection holds this much.
    private static let bytesMax = 2048

    private var bytes: [UInt8] = []
    /// Where the digits that may differ stand.
    private var length = 0..<0
    /// Whether the head that was read last is the one before it, but for its Content-Length.
    package private(set) var repeats = false

    package init() {}

    /// Reads a head, or finds that it was read before.
    ///
    /// - Parameters:
    ///   - parser: which has read nothing else since it was handed in last, or `forget` was called.
    ///   - isWhole: whether no part of the head was handed in before.
    package mutating func read(
        _ given: UnsafeRawBufferPointer,
        _ parser: inout HeadParser,
        isWhole: Bool
    ) throws(HeadError) -> HeadParser.Outcome {
        repeats = isWhole && begins(given) && parser.repeatRequest(given)
        if repeats { return .complete }
        forget()
        guard try parser.parseRequest(given) == .complete else { return .incomplete }
        if parser.length <= RepeatedHead.bytesMax {
            bytes.append(contentsOf: UnsafeRawBufferPointer(rebasing: given[..<parser.length]))
            length = parser.lengthValue
        }
        return .complete
    }

    /// The next head is read anew.
    package mutating func forget() { bytes.removeAll(keepingCapacity: true) }

    /// Whether the bytes begin with the head that was kept; its length may be another one.
    private func begins(_ given: UnsafeRawBufferPointer) -> Bool {
        guard !bytes.isEmpty, given.count >= bytes.count else { return false }
        return bytes.withUnsafeBytes { known in
            let head = UnsafeRawBufferPointer(rebasing: given[..<known.count])
            return Octets.areSame(part(known, 0..<length.lowerBound), part(head, 0..<length.lowerBound))
                && Octets.areSame(
                    part(known, length.upperBound..<known.count),
                    part(head, length.upperBound..<known.count)
                )
        }
    }

    @inline(__always)
    private func part(_ bytes: UnsafeRawBufferPointer, _ range: Range<Int>) -> UnsafeRawBufferPointer {
        UnsafeRawBufferPointer(rebasing: bytes[range])
    }
}
