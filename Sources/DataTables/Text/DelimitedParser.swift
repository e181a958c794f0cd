/// Cuts CSV and TSV (RFC 4180) into records as the bytes come; a record may end in any later piece.
///
/// Quotes work in TSV as well, since spreadsheets and pandas write them there. Text after a closing quote is kept, as
/// Python's reader does. Line ends are CRLF, LF or CR.
package struct DelimitedParser: Sendable {
    /// A single record beyond this is refused: one cell must not be able to take the memory of the machine.
    package static let recordBytesMax = 64 << 20

    /// One cell: the range of its bytes, and whether it was written in quotes (an empty one is then text, not missing).
    package struct Field: Sendable {
        package let range: Range<Int>
        package let isQuoted: Bool
    }

    private enum State { case fieldStart, plain, quoted, quoteInQuoted }

    private let separator: UInt8
    private var state = State.fieldStart
    private var bytes: [UInt8] = []
    private var fields: [Field] = []
    private var fieldStart = 0
    private var isQuoted = false
    private var afterCarriageReturn = false
    private var isFirstPiece = true
    /// Records met so far.
    package private(set) var recordCount = 0

    package init(separator: UInt8) { self.separator = separator }

    /// Takes a piece; `body` is called with each record that ends in it, its bytes and its fields.
    package mutating func feed<Failure: Error>(
        _ piece: some Sequence<UInt8>,
        _ body: ([UInt8], [Field]) throws(Failure) -> Void
    ) throws(Failure) where Failure: TableErrorConvertible {
        for byte in piece {
            if afterCarriageReturn {
                afterCarriageReturn = false
                if byte == 0x0A { continue }
            }
            switch state {
            case .fieldStart where byte == 0x22:
                isQuoted = true
                state = .quoted
            case .fieldStart, .plain:
                try plain(byte, body)
            case .quoted:
                if byte == 0x22 { state = .quoteInQuoted } else { bytes.append(byte) }
            case .quoteInQuoted:
                if byte == 0x22 {
                    bytes.append(byte)
                    state = .quoted
                } else {
                    try plain(byte, body)
                }
            }
            if bytes.count > DelimitedParser.recordBytesMax {
                throw Failure(table: TableError("A record is longer than 64 MiB.", row: recordCount + 1))
            }
        }
    }

    /// Ends the last record.
    package mutating func finish<Failure: Error>(
        _ body: ([UInt8], [Field]) throws(Failure) -> Void
    ) throws(Failure) where Failure: TableErrorConvertible {
        if state == .quoted { throw Failure(table: TableError("A quote is not closed.", row: recordCount + 1)) }
        if state != .fieldStart || !fields.isEmpty || isQuoted { try endRecord(body) }
    }

    private mutating func plain<Failure: Error>(
        _ byte: UInt8,
        _ body: ([UInt8], [Field]) throws(Failure) -> Void
    ) throws(Failure) where Failure: TableErrorConvertible {
        switch byte {
        case separator: endField()
        case 0x0A: try endRecord(body)
        case 0x0D:
            afterCarriageReturn = true
            try endRecord(body)
        default:
            bytes.append(byte)
            state = .plain
            if isFirstPiece, bytes.count == 3 {
                isFirstPiece = false
                if bytes == [0xEF, 0xBB, 0xBF] {
                    bytes = []
                    state = .fieldStart
                }
            }
        }
    }

    private mutating func endField() {
        fields.append(Field(range: fieldStart..<bytes.count, isQuoted: isQuoted))
        fieldStart = bytes.count
        isQuoted = false
        state = .fieldStart
    }

    private mutating func endRecord<Failure: Error>(
        _ body: ([UInt8], [Field]) throws(Failure) -> Void
    ) throws(Failure) where Failure: TableErrorConvertible {
        endField()
        isFirstPiece = false
        let isBlank = fields.count == 1 && !fields[0].isQuoted && fields[0].range.isEmpty
        if !isBlank {
            recordCount += 1
            try body(bytes, fields)
        }
        bytes.removeAll(keepingCapacity: true)
        fields.removeAll(keepingCapacity: true)
        fieldStart = 0
    }
}

/// An error that a table error can become.
package protocol TableErrorConvertible {
    init(table: TableError)
}

extension TableError: TableErrorConvertible {
    package init(table: TableError) { self = table }
}
