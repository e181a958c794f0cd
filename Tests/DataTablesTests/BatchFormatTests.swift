import DataTables
import Testing

/// Random files that hold what is hard to cut: quotes, line ends of all kinds, separators in quotes, blanks, empty cells.
private struct FileMaker {
    var generator: SplitMix

    mutating func text() -> [UInt8] {
        let alphabet: [String] = [
            "a", "b", "\"", ",", "\r\n", "\n", "\r", "\t", " ", "é", "\"\"", ",\"", "\",", "\"\n",
        ]
        var text = "x,y\n"
        for _ in 0..<Int.random(in: 0..<60, using: &generator) {
            text += alphabet.randomElement(using: &generator) ?? ""
        }
        return Array(text.utf8)
    }
}

private struct SplitMix: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ mixed >> 30) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ mixed >> 27) &* 0x94D0_49BB_1331_11EB
        return mixed ^ mixed >> 31
    }
}

private let columns = [ColumnSchema(name: "x", type: .string), ColumnSchema(name: "y", type: .string)]

/// Reads a file in pieces and chunks of the given sizes; nil for a row that could not be read.
private func read(
    _ text: [UInt8],
    piece: Int,
    chunk: Int
) throws -> (rows: [[String?]], bad: Int) {
    var input = TableInput(format: .csv, columns: columns)
    var rows: [[String?]] = []
    var bad = 0
    func take(isLast: Bool) throws {
        while let chunk = try input.next(bytesMax: chunk, isLast: isLast) {
            let batch = try chunk.read(skipsBad: true)
            bad += batch.bad.count
            for row in 0..<batch.table.rowCount {
                rows.append(columns.map { batch.table.column(named: $0.name)?.values.text(row) })
            }
        }
    }
    for start in stride(from: 0, to: text.count, by: piece) {
        text[start..<min(start + piece, text.count)].withUnsafeBytes { input.feed($0) }
        try take(isLast: false)
    }
    try take(isLast: true)
    return (rows, bad)
}

/// The same by the parser that goes byte by byte.
private func reference(_ text: [UInt8]) -> (rows: [[String?]], bad: Int) {
    var parser = DelimitedParser(separator: 0x2C)
    var rows: [[String?]] = []
    var bad = 0
    var isHeader = true
    let take = { (bytes: [UInt8], fields: [DelimitedParser.Field]) throws(TableError) in
        defer { isHeader = false }
        guard !isHeader else { return }
        guard fields.count == 2 else {
            bad += 1
            return
        }
        rows.append(
            fields.map { $0.range.isEmpty && !$0.isQuoted ? nil : String(decoding: bytes[$0.range], as: UTF8.self) }
        )
    }
    do {
        try parser.feed(text, take)
        try parser.finish(take)
    } catch { bad += 1 }
    return (rows, bad)
}

@Suite struct BatchFormatTests {
    @Test func `cutting and reading in any pieces gives what reading byte by byte gives`() throws {
        var maker = FileMaker(generator: SplitMix(state: 11))
        for _ in 0..<3000 {
            let text = maker.text()
            let expected = reference(text)
            for (piece, chunk) in [(1, 1), (3, 7), (text.count, 1), (text.count, 1 << 20), (5, 16)] {
                let found = try read(text, piece: piece, chunk: chunk)
                let shown = String(decoding: text, as: UTF8.self).debugDescription
                #expect(found.rows == expected.rows, "\(shown) in pieces of \(piece), chunks of \(chunk)")
                #expect(found.bad == expected.bad, "\(shown) in pieces of \(piece), chunks of \(chunk)")
            }
        }
    }

    @Test func `a chunk never holds more than its bound unless it is one record`() throws {
        let text = Array(
            ("x,y\n" + (0..<500).map { "\($0),\(String(repeating: "z", count: $0 % 90))\n" }.joined()).utf8
        )
        for bound in [1, 10, 64, 1000] {
            var input = TableInput(format: .csv, columns: columns)
            text.withUnsafeBytes { input.feed($0) }
            var count = 0
            while let chunk = try input.next(bytesMax: bound, isLast: true) {
                let rows = try chunk.read(skipsBad: false).recordCount
                #expect(rows <= 1 || chunk.bytes.count <= bound)
                count += rows
            }
            #expect(count == 500)
        }
    }

    @Test func `columns are found by their names, and others are refused`() throws {
        let found = try read(Array("y,x\n1,2\n".utf8), piece: 100, chunk: 100)
        #expect(found.rows == [["2", "1"]])
        for (text, word) in [("x\n1\n", "lacks"), ("x,y,z\n1,2,3\n", "\"z\""), ("x,x\n1,2\n", "twice"), ("", "empty")] {
            let error = #expect(throws: TableError.self) {
                try read(Array(text.utf8), piece: 100, chunk: 100)
            }
            #expect(error?.message.contains(word) == true)
        }
    }

    @Test func `bad rows are told by row and column, good ones stay`() throws {
        let typed = [ColumnSchema(name: "n", type: .int32), ColumnSchema(name: "t", type: .string)]
        var input = TableInput(format: .csv, columns: typed)
        let text: [UInt8] = Array("n,t\n1,a\nx,b\n3\n4,".utf8) + [0xFF, 0x0A] + Array("5,e\n".utf8)
        text.withUnsafeBytes { input.feed($0) }
        let chunk = try #require(try input.next(bytesMax: 1000, isLast: true))
        let batch = try chunk.read(skipsBad: true)
        #expect(batch.bad.map(\.error.row) == [2, 3, 4])
        #expect(batch.bad.map(\.error.column) == ["n", nil, "t"])
        #expect(batch.bad[0].text == "x,b\n")
        #expect(batch.table.column(named: "n")?.values.text(1) == "5")
        #expect(batch.recordCount == 5)
        let error = #expect(throws: TableError.self) { try chunk.read(skipsBad: false) }
        #expect(error?.row == 2)
    }

    @Test func `what is written is read again, in every format`() throws {
        let table = DataTable(columns: [
            Column(
                name: "it's, \"a\" name",
                values: .string(StringValues(["x,'y'\\\n\"z\"", "", nil, "tab\there", "é"]))
            ),
            Column(name: "n", values: .int32(FixedValues([1, -2, 3, 4, 5], filler: 0))),
            Column(name: "d", values: .double(FixedValues([0.5, 1e300, -1e-9, 2, 7.25], filler: .nan))),
            Column(name: "b", values: .boolean(FixedValues([true, false, true, true, false], filler: false))),
        ])
        for format in [TableFormat.csv, .tsv, .arff, .csvNoHeader] {
            let encoder = TableEncoder(format: format)
            let bytes = encoder.header(table.schema) + encoder.rows(table, 0..<2) + encoder.rows(table, 2..<5)
            #expect(try DelimitedTable.read(bytes, format: format, table.schema.columns) == table, "\(format)")
        }
    }

    @Test func `sparse counts are written out, whatever their digits`() {
        let block = SparseBlock(
            prefix: "h.",
            width: 4,
            ends: [2, 2, 4],
            numbers: [0, 3, 1, 2],
            counts: [1, 9, 12, 1_000_000]
        )
        let table = DataTable(
            elements: [.column(Column(name: "t", values: .string(StringValues(["a", "b", "c"])))), .sparse(block)],
            rowCount: 3
        )
        let text = String(decoding: TableEncoder(format: .csv).rows(table, 0..<3), as: UTF8.self)
        #expect(text == "a,1,0,0,9\r\nb,0,0,0,0\r\nc,0,12,1000000,0\r\n")
    }

    @Test func `ARFF is read as Weka writes it`() throws {
        let text = """
            % a comment
            @RELATION 'some thing'
            @attribute 'the name' string
            @Attribute size NUMERIC
            @ATTRIBUTE kind {red, 'light blue'}

            @data
            % another
            'it\\'s', 1.5, red
            "two words", ?, 'light blue'
            {1 7}

            """
        let schema = try DelimitedTable.inferSchema(Array(text.utf8), format: .arff)
        #expect(schema.map(\.name) == ["the name", "size", "kind"])
        #expect(schema.map(\.type) == [.string, .double, .string])
        #expect(schema[2].isCategorical)
        let table = try DelimitedTable.read(Array(text.utf8), format: .arff)
        #expect((0..<3).map { table.column(named: "the name")?.values.text($0) } == ["it's", "two words", "0"])
        #expect((0..<3).map { table.column(named: "size")?.values.text($0) } == ["1.5", nil, "7"])
        #expect((0..<3).map { table.column(named: "kind")?.values.text($0) } == ["red", "light blue", "0"])
    }

    @Test(arguments: ["x.csv.gz", "X.NH.CSV", "a/b.tsv", "c.arff.gz"])
    func `endings mean formats`(_ name: String) throws {
        let file = try #require(TableFile(fileName: name))
        #expect(file.isGzip == name.hasSuffix(".gz"))
        for other in ["csv", "x.csv.zip", "model.ilearner", "gz", ".gz", ""] {
            #expect(TableFile(fileName: other) == nil)
        }
    }
}

@Suite struct GzipTests {
    private func inflate(_ bytes: [UInt8], piece: Int) throws -> [UInt8] {
        let stream = GunzipStream()
        var result: [UInt8] = []
        for start in stride(from: 0, to: bytes.count, by: piece) {
            let part = bytes[start..<min(start + piece, bytes.count)]
            var place = part.startIndex
            while place < part.endIndex {
                let (output, used) = try stream.inflate(part[place...])
                result += output
                place += used
            }
        }
        try stream.finish()
        return result
    }

    @Test func `members one after another are one text`() throws {
        let texts = [Array("first ".utf8), [], [UInt8](repeating: 0x61, count: 5_000_000), Array("last".utf8)]
        var bytes: [UInt8] = []
        for text in texts { bytes += try Gzip.member(text) }
        for piece in [1 << 20, 4093] { #expect(try inflate(bytes, piece: piece) == texts.flatMap { $0 }) }
        #expect(try inflate(bytes + [0, 0, 0], piece: 100_000).count == 5_000_010)
    }

    @Test func `what is cut or damaged is refused`() throws {
        var bytes = try Gzip.member(Array("some text that is long enough to be cut".utf8))
        #expect(throws: GzipError.self) { try inflate(Array(bytes.dropLast(5)), piece: 1000) }
        bytes[bytes.count - 6] ^= 1
        #expect(throws: GzipError.self) { try inflate(bytes, piece: 1000) }
        #expect(throws: GzipError.self) { try inflate(Array("no gzip".utf8), piece: 1000) }
        #expect(throws: GzipError.self) { try inflate([], piece: 1) }
    }
}
