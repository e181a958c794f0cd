import DataTables

/// Enter Data Manually: a small table typed into the experiment.
struct EnterDataManuallyModule: StudioModule {
    static let descriptor = ModuleDescriptor(
        name: "Enter Data Manually",
        category: ["Data Input and Output"],
        inputs: [],
        outputs: [.init("dataset")],
        parameters: [
            .init("DataFormat", .choice(["ARFF", "CSV", "SVMLight", "TSV"]), default: .string("CSV")),
            .init("HasHeader", .boolean, default: .bool(true)),
            .init("Data", .string, default: nil),
        ],
        isRowWise: false
    )

    private let format: TableFormat
    private let data: String

    init(_ parameters: BoundParameters) throws(ModuleError) {
        let hasHeader = parameters.bool("HasHeader")
        switch parameters.string("DataFormat") {
        case "CSV": format = hasHeader ? .csv : .csvNoHeader
        case "TSV": format = hasHeader ? .tsv : .tsvNoHeader
        case let other:
            throw ModuleError(.unparsable, "The format \(other) is not supported yet; use CSV or TSV.")
        }
        data = parameters.string("Data")
    }

    func run(_ inputs: [PortValue?], _ context: ModuleContext) throws(ModuleError) -> [PortValue] {
        do { return [.table(try DelimitedTable.read(Array(data.utf8), format: format))] } catch {
            throw ModuleError(.unparsableFile, "The data could not be read: \(error.description)")
        }
    }
}
