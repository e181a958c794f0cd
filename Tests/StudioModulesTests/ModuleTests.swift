import DataTables
import ResourceModel
import StudioModules
import Testing

@Suite struct ModuleTests {
    private let table: DataTable

    init() throws {
        table = try DelimitedTable.read(
            Array("id,name,score,flag\n1,a,1.5,true\n2,b,,false\n3,,3.5,true\n4,d,1.5,\n".utf8),
            format: .csv
        )
    }

    private func run(_ name: String, _ json: JSONObject, _ table: DataTable? = nil) throws -> [PortValue] {
        let type = try #require(ModuleCatalogue.module(named: name))
        return try type.init(try BoundParameters(json, for: type.descriptor)).run(
            [.table(table ?? self.table)],
            ModuleContext()
        )
    }

    private func names(_ values: [PortValue]) -> [String] { values.first?.table?.schema.columns.map(\.name) ?? [] }

    private func selection(_ rules: JSONValue, isFilter: Bool = true) -> JSONObject {
        ["Select columns": ["isFilter": .bool(isFilter), "rules": rules]]
    }

    @Test func `selection keeps the source's order and takes each column once`() throws {
        let rules: JSONValue = [["ruleType": "ColumnIndexes", "columns": ["3", "1-2", "1"]]]
        #expect(names(try run("Select Columns in Dataset", selection(rules))) == ["id", "name", "score"])
        #expect(
            names(try run("Select Columns in Dataset", selection(rules, isFilter: false))) == [
                "score", "id", "name", "id (2)",
            ]
        )
    }

    @Test func `includes add up and excludes take away`() throws {
        let rules: JSONValue = [
            ["ruleType": "AllColumns", "exclude": false],
            ["ruleType": "ColumnTypes", "columnTypes": ["Numeric"], "columnKinds": ["All"], "exclude": true],
            ["ruleType": "ColumnNames", "columns": ["flag"], "exclude": true],
        ]
        #expect(names(try run("Project Columns", selection(rules))) == ["name"])
        let text =
            "%7B%22isFilter%22%3Atrue%2C%22rules%22%3A%5B%7B%22ruleType%22%3A%22ColumnNames%22%2C%22columns%22%3A%5B%22id%22%5D%7D%5D%7D"
        #expect(names(try run("Select Columns in Dataset", ["Select columns": .string(text)])) == ["id"])
    }

    @Test(arguments: [
        ("[{\"ruleType\":\"ColumnNames\",\"columns\":[\"none\"]}]", "Error 0001"),
        ("[{\"ruleType\":\"ColumnIndexes\",\"columns\":[\"9\"]}]", "Error 0001"),
        ("[{\"ruleType\":\"ColumnIndexes\",\"columns\":[\"1-\"]}]", "Error 0060"),
        ("[{\"ruleType\":\"ColumnIndexes\",\"columns\":[\"-3\"]}]", "Error 0060"),
        ("[{\"ruleType\":\"ColumnIndexes\",\"columns\":[\"0\"]}]", "Error 0059"),
        ("[{\"ruleType\":\"Strange\"}]", "Error 0002"), ("[]", "Error 0011"),
    ])
    func `wrong selections say which error`(_ rules: String, _ label: String) throws {
        let error = #expect(throws: ModuleError.self) {
            try run("Select Columns in Dataset", selection(try JSONValue(parsing: rules)))
        }
        #expect(error?.label == label)
    }

    @Test func `metadata changes types, roles and names`() throws {
        let column: JSONValue = ["rules": [["ruleType": "ColumnNames", "columns": ["id"]]]]
        let edited = try run(
            "Edit Metadata",
            [
                "Column": column, "Data type": "String", "Categorical": "Make categorical", "Fields": "Labels",
                "New column names": "key",
            ]
        )
        let schema = try #require(edited.first?.table?.schema.columns.first)
        #expect(schema == ColumnSchema(name: "key", type: .string, isCategorical: true, role: .label))
        let error = #expect(throws: ModuleError.self) {
            try run("Edit Metadata", ["Column": column, "New column names": "name"])
        }
        #expect(error?.label == "Error 0028")
    }

    @Test func `missing values are filled, removed and marked`() throws {
        let score: JSONValue = ["rules": [["ruleType": "ColumnNames", "columns": ["score"]]]]
        let mean = try run(
            "Clean Missing Data",
            ["Columns to be cleaned": score, "Cleaning mode": "Replace with mean"]
        )
        #expect(mean.first?.table?.column(named: "score")?.values.text(1) == "2.16666666666667")
        let mode = try run(
            "Clean Missing Data",
            ["Columns to be cleaned": score, "Cleaning mode": "Replace with mode"]
        )
        #expect(mode.first?.table?.column(named: "score")?.values.text(1) == "1.5")
        #expect(try run("Clean Missing Data", ["Cleaning mode": "Remove entire row"]).first?.table?.rowCount == 1)
        #expect(names(try run("Clean Missing Data", ["Cleaning mode": "Remove entire column"])) == ["id"])
        let marked = try run(
            "Clean Missing Data",
            ["Columns to be cleaned": score, "Generate missing value indicator column": true]
        )
        #expect(marked.first?.table?.column(named: "score_IsMissing")?.values.text(1) == "True")
        guard case .transform(let transform) = mean[1] else { return }
        #expect(try transform.apply(table).column(named: "score")?.values.missing.isEmpty == true)
    }

    @Test func `means beyond the type leave the column as it is`() throws {
        let big = try DelimitedTable.read(
            Array("i,d\n9223372036854775807,1e308\n9223372036854775807,1e308\n,\n".utf8),
            format: .csv
        )
        let values = try run("Clean Missing Data", ["Cleaning mode": "Replace with mean"], big)
        #expect(values.first?.table?.column(named: "i")?.values.text(2) == nil)
        #expect(values.first?.table?.column(named: "d")?.values.count == 3)
    }

    @Test(arguments: ["Replace using MICE", "Replace using Probabilistic PCA"])
    func `modes that are not built are refused by name`(_ mode: String) throws {
        let error = #expect(throws: ModuleError.self) {
            try run("Clean Missing Data", ["Cleaning mode": .string(mode)])
        }
        #expect(error?.message.contains(mode) == true)
    }

    @Test func `splits are whole, seeded and by condition`() throws {
        let rows = try DelimitedTable.read(
            Array(("n\n" + (0..<100).map(String.init).joined(separator: "\n")).utf8),
            format: .csv
        )
        let split = try run(
            "Split Data",
            ["Fraction of rows in the first output dataset": 0.3, "Random seed": 5],
            rows
        )
        #expect(split[0].table?.rowCount == 30 && split[1].table?.rowCount == 70)
        let again = try run(
            "Split Data",
            ["Fraction of rows in the first output dataset": 0.3, "Random seed": 5],
            rows
        )
        #expect(split == again)
        let relation = try run(
            "Split Data",
            ["Splitting mode": "Relative Expression", "Relational expression": "\\\"n\" >= 10 & < 20"],
            rows
        )
        #expect(relation[0].table?.rowCount == 10)
        let pattern = try run(
            "Split Data",
            ["Splitting mode": "Regular Expression", "Regular expression": "(\\1) ^9"],
            rows
        )
        #expect(pattern[0].table?.rowCount == 11)
    }

    @Test func `stored values come back`() throws {
        let hashed = try run("Feature Hashing", ["Hashing bitsize": 20])
        for value in hashed + [.table(table)] {
            #expect(try PortValueCodec.decode(PortValueCodec.encode(value)) == value)
        }
        var damaged = PortValueCodec.encode(.table(table))
        damaged.removeLast(5)
        #expect(throws: ModuleError.self) { try PortValueCodec.decode(damaged) }
    }

    @Test func `parameters out of range name themselves`() throws {
        let error = #expect(throws: ModuleError.self) { try run("Feature Hashing", ["Hashing bitsize": 32]) }
        #expect(
            error?.description == "Error 0008: Parameter \"Hashing bitsize\" value should be in the range of [1, 31]."
        )
    }
}
