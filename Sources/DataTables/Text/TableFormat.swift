/// The file formats of datasets, by the names that Studio clients send.
package enum TableFormat: String, Sendable, CaseIterable {
    case csv = "GenericCSV"
    case csvNoHeader = "GenericCSVNoHeader"
    case tsv = "GenericTSV"
    case tsvNoHeader = "GenericTSVNoHeader"

    package var separator: UInt8 { self == .csv || self == .csvNoHeader ? 0x2C : 0x09 }
    package var hasHeader: Bool { self == .csv || self == .tsv }

    /// - Throws: `TableError` for a format that is known but not built, and for any other name.
    package init(dataTypeID: String) throws(TableError) {
        if let format = TableFormat(rawValue: dataTypeID) {
            self = format
            return
        }
        switch dataTypeID.lowercased() {
        case "arff": throw TableError("The format ARFF is not supported yet; use CSV or TSV.")
        case "svmlight": throw TableError("The format SVMLight is not supported yet; use CSV or TSV.")
        default:
            throw TableError(
                "The format \"\(dataTypeID)\" is unknown; known are "
                    + TableFormat.allCases.map(\.rawValue).joined(separator: ", ") + "."
            )
        }
    }

    /// The format that a file name's ending means: .csv, .nh.csv, .tsv, .nh.tsv.
    package init(fileName: String) throws(TableError) {
        let name = fileName.lowercased()
        if name.hasSuffix(".nh.csv") {
            self = .csvNoHeader
        } else if name.hasSuffix(".csv") {
            self = .csv
        } else if name.hasSuffix(".nh.tsv") {
            self = .tsvNoHeader
        } else if name.hasSuffix(".tsv") {
            self = .tsv
        } else {
            let ending = name.split(separator: ".").last.map(String.init) ?? name
            self = try TableFormat(dataTypeID: ending)
        }
    }
}
