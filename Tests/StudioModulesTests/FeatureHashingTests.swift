import DataTables
import ResourceModel
import StudioModules
import Testing

@Suite struct FeatureHashingTests {
    private func hash(_ texts: [String?], bits: Int, ngrams: Int = 2) throws -> DataTable {
        let type = try #require(ModuleCatalogue.module(named: "Feature Hashing"))
        let parameters = try BoundParameters(
            ["Hashing bitsize": .int(bits), "N-grams": .int(ngrams)],
            for: type.descriptor
        )
        let table = DataTable(columns: [Column(name: "Col2", values: .string(StringValues(texts)))])
        return try #require(try type.init(parameters).run([.table(table)], ModuleContext()).first?.table)
    }

    private func block(_ table: DataTable) throws -> SparseBlock {
        guard case .sparse(let block) = table.elements[1] else { throw ModuleError(.libraryFailure, "no block") }
        return block
    }

    /// contracts/feature-hashing.md, section "Test vectors", checked there against the real vw programs.
    @Test(arguments: [
        ("This is a good day", [1, 1, 2, 2, 0, 2, 0, 1]), ("this is a good day", [0, 1, 2, 3, 0, 2, 1, 0]),
        ("good good good", [0, 3, 0, 0, 0, 0, 2, 0]), ("", [0, 0, 0, 0, 0, 0, 0, 0]),
        ("  two  spaces\tand a tab ", [1, 2, 3, 1, 0, 1, 0, 1]),
        ("In 2013 we sold 42 books", [2, 0, 2, 0, 2, 1, 1, 3]),
        ("1.5 stars -3 points", [1, 2, 0, 1, 0, 0, 2, 1]), ("señor niño 日本語", [1, 1, 0, 0, 1, 1, 0, 1]),
        ("1 2 3 1 2 3", [1, 2, 2, 2, 0, 2, 0, 2]),
    ])
    func `three bits give the published counts`(_ text: String, _ counts: [Int32]) throws {
        let block = try block(try hash([text], bits: 3))
        #expect((0..<8).map { block.count(row: 0, number: $0) } == counts)
    }

    @Test(arguments: [
        (0, [0, 1, 1, 0, 0, 2, 0, 1]), (1, [0, 1, 1, 0, 0, 2, 0, 1]), (3, [2, 1, 3, 2, 1, 2, 0, 1]),
    ])
    func `N-grams count up to their number`(_ ngrams: Int, _ counts: [Int32]) throws {
        let block = try block(try hash(["This is a good day"], bits: 3, ngrams: ngrams))
        #expect((0..<8).map { block.count(row: 0, number: $0) } == counts)
    }

    @Test func `counters and sorting give the same`() throws {
        let texts = (0..<200).map { "row \($0) of a table \($0 % 7) good good" }
        for bits in [9, 12, 18] {
            // Many rows take the counters, one row takes the sort.
            let many = try block(try hash(texts, bits: bits))
            for (row, text) in texts.enumerated() {
                let one = try block(try hash([text], bits: bits))
                #expect(Array(many.numbers[many.range(row)]) == Array(one.numbers[one.range(0)]))
                #expect(Array(many.counts[many.range(row)]) == Array(one.counts[one.range(0)]))
            }
        }
    }

    @Test func `31 bits are one block, and names follow the column`() throws {
        let table = try hash(["a b", nil], bits: 31)
        #expect(table.columnCount == 1 + 1 << 31)
        #expect(table.place(of: "Col2_HashingFeature.2147483647") == 1 << 31)
        #expect(try block(table).range(1).isEmpty)
    }

    @Test func `a taken name gets a number`() throws {
        let type = try #require(ModuleCatalogue.module(named: "Feature Hashing"))
        let module = try type.init(try BoundParameters(["Hashing bitsize": 2], for: type.descriptor))
        let once = try module.run([.table(try hash(["x"], bits: 2))], ModuleContext())
        guard case .sparse(let second)? = once.first?.table?.elements.last else { return }
        #expect(second.prefix == "Col2_HashingFeature2.")
    }

    @Test func `numbers are refused with their published error`() throws {
        let type = try #require(ModuleCatalogue.module(named: "Feature Hashing"))
        let parameters = try BoundParameters(
            ["Target columns": ["rules": [["ruleType": "ColumnNames", "columns": ["n"]]]]],
            for: type.descriptor
        )
        let table = DataTable(columns: [Column(name: "n", values: .int32(FixedValues([1], filler: 0)))])
        let error = #expect(throws: ModuleError.self) {
            try type.init(parameters).run([.table(table)], ModuleContext())
        }
        #expect(error?.label == "Error 0017")
    }
}
