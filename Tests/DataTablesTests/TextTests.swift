import DataTables
import Testing

@Suite struct CellTextTests {
    @Test(arguments: [
        (0.0, "0"), (-0.0, "0"), (1.0, "1"), (0.5, "0.5"), (0.1 + 0.2, "0.3"), (1e15, "1E+15"),
        (123456789012345680.0, "1.23456789012346E+17"),
        (0.00001, "1E-05"), (0.0001, "0.0001"), (-2.5, "-2.5"), (999785125255585e-15, "0.999785125255585"),
        (8219.6923828125, "8219.6923828125"), (1e-7, "1E-07"), (1.0 / 3, "0.333333333333333"), (2e300, "2E+300"),
    ])
    func `doubles read as NET writes them`(_ value: Double, _ text: String) {
        var bytes: [UInt8] = []
        CellText.write(value, to: &bytes)
        #expect(String(decoding: bytes, as: UTF8.self) == text)
    }

    @Test(arguments: [
        ("2010-05-30T18:09:00", "5/30/2010 6:09:00 PM"), ("5/30/2010 6:09:00 PM", "5/30/2010 6:09:00 PM"),
        ("2000-02-29", "2/29/2000 12:00:00 AM"), ("12/31/1999", "12/31/1999 12:00:00 AM"),
        ("0001-01-01", "1/1/0001 12:00:00 AM"), ("9999-12-31T23:59:59.9999999", "12/31/9999 11:59:59 PM"),
        ("2015-04-04T00:30:05Z", "4/4/2015 12:30:05 AM"),
    ])
    func `dates are read and written`(_ text: String, _ shown: String) throws {
        let ticks = try #require(DateTimeText.ticks(Array(text.utf8)[...]))
        #expect(DateTimeText.write(ticks: ticks) == shown)
    }

    @Test(arguments: ["2001-02-29", "13/1/2000", "2000-1-1x", "24:00", "2000-01-01T25:00", "1/1/99", "", "hello"])
    func `other texts are no dates`(_ text: String) {
        #expect(DateTimeText.ticks(Array(text.utf8)[...]) == nil)
    }
}

@Suite struct NumberTests {
    private func double(_ text: String) -> Double? { CellText.double(Array(text.utf8)[...]) }
    private func integer(_ text: String) -> Int64? { CellText.integer(Array(text.utf8)[...]) }

    @Test func `decimals are read as the library reads them`() {
        var generator = SystemRandomNumberGenerator()
        for _ in 0..<20_000 {
            let digits = String(Int.random(in: 0..<1_000_000_000_000_000_000, using: &generator)).suffix(
                .random(in: 1...18)
            )
            var text = String(digits)
            text.insert(".", at: text.index(text.startIndex, offsetBy: .random(in: 0..<text.count)))
            if Bool.random() { text = "-" + text }
            #expect(double(text) == Double(text), "\(text)")
        }
        #expect(double("-0")?.sign == .minus)
        #expect(
            double("1.") == 1 && double(".5") == 0.5 && double("+2.5") == 2.5 && double(" 3 ") == 3
                && double("1e3") == 1000
        )
        for text in ["", "-", ".", "1.2.3", "1-2", "--1", "0x10", "1,5", "e5"] {
            #expect(double(text) == nil, "\(text)")
        }
    }

    @Test(arguments: [
        ("9223372036854775807", Int64.max), ("-9223372036854775808", Int64.min), ("+7", 7), (" 12 ", 12), ("00042", 42),
        ("9223372036854775808", nil), ("-9223372036854775809", nil), ("99999999999999999999", nil), ("1.0", nil),
        ("-", nil), ("", nil),
    ])
    func `integers are read within their range`(_ text: String, _ value: Int64?) {
        #expect(integer(text) == value)
    }
}

@Suite struct DelimitedTests {
    private func read(_ text: String, _ format: TableFormat = .csv) throws -> DataTable {
        try DelimitedTable.read(Array(text.utf8), format: format)
    }

    @Test func `types are inferred`() throws {
        let table = try read("i,l,d,b,t,s\n1,5000000000,1.5,true,2000-01-01,x\n-2,1,2,FALSE,2000-01-02T10:00,y\n")
        #expect(table.schema.columns.map(\.type) == [.int32, .int64, .double, .boolean, .dateTime, .string])
    }

    @Test func `a later cell widens its column`() throws {
        let rows = (0..<2000).map { "\($0)" } + ["word"]
        let table = try read("n\n" + rows.joined(separator: "\n"))
        #expect(table.schema.columns[0].type == .string)
        #expect(table.rowCount == 2001)
    }

    @Test func `quotes, line ends and missing cells come back as they were`() throws {
        let text = "a,b\r\n\"x,\"\"y\"\"\n2\",\r\n\"\",3\r\n"
        let table = try read(text)
        #expect(table.column(named: "a")?.values.text(0) == "x,\"y\"\n2")
        #expect(table.column(named: "a")?.values.text(1) == "")
        #expect(table.column(named: "b")?.values.text(0) == nil)
        var output: [UInt8] = []
        DelimitedTable.write(table, format: .csv, to: &output)
        #expect(String(decoding: output, as: UTF8.self) == text)
    }

    @Test func `headerless columns are named by place`() throws {
        let table = try read("5\tgood\n1\tbad\n", .tsvNoHeader)
        #expect(table.schema.columns.map(\.name) == ["Col1", "Col2"])
        #expect(table.schema.columns.map(\.type) == [.int32, .string])
    }

    @Test(arguments: ["", "a,a\n1,2", "a,b\n1", "a\n\"x"])
    func `broken texts are refused`(_ text: String) {
        #expect(throws: TableError.self) { try read(text) }
    }

    @Test func `formats that are not built are refused by name`() {
        for name in ["SVMLight"] {
            let error = #expect(throws: TableError.self) { try TableFormat(dataTypeID: name) }
            #expect(error?.message.contains(name) == true)
        }
    }
}
