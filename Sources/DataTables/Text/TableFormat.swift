/// The file formats of datasets, by the names that Studio clients send.
package enum TableFormat: String, Sendable, CaseIterable {
    case csv = "GenericCSV"
    case csvNoHeader = "GenericCSVNoHeader"
    case tsv = "GenericTSV"
    case tsvNoHeader = "GenericTSVNoHeader"
    case arff = "ARFF"

    package var separator: UInt8 {
        switch self {
        case .tsv, .tsvNoHeader: 0x09
        case .csv, .csvNoHeader, .arff: 0x2C
        }
    }

    package var hasHeader: Bool { self == .csv || self == .tsv || self == .arff }

    /// What answers and blobs of the format are called.
    package var contentType: String {
        switch self {
        case .csv, .csvNoHeader: "text/csv; charset=utf-8"
        case .tsv, .tsvNoHeader: "text/tab-separated-values; charset=utf-8"
        case .arff: "text/plain; charset=utf-8"
        }
    }

    /// - Throws: `TableError` for a format that is known but not built, and for any other name.
    package init(dataTypeID: String) throws(TableError) {
        if let format = TableFormat.allCases.first(where: { $0.rawValue.lowercased() == dataTypeID.lowercased() }) {
            self = format
            return
        }
        guard dataTypeID.lowercased() != "svmlight" else {
            throw TableError("The format SVMLight is not supported yet; use CSV, TSV or ARFF.")
        }
        throw TableError(
            "The format \"\(dataTypeID)\" is unknown; known are "
                + TableFormat.allCases.map(\.rawValue).joined(separator: ", ") + "."
        )
    }

    /// The format that a file name's ending means: .csv, .nh.csv, .tsv, .nh.tsv, .arff; nil for any other.
    package init?(fileName: String) {
        let endings: [(String, TableFormat)] = [
            (".nh.csv", .csvNoHeader), (".csv", .csv), (".nh.tsv", .tsvNoHeader), (".tsv", .tsv), (".arff", .arff),
        ]
        let name = fileName.lowercased()
        guard let format = endings.first(where: { name.hasSuffix($0.0) })?.1 else { return nil }
        self = format
    }
}

/// How a file holds a table: its format, and whether it is compressed.
package struct TableFile: Sendable, Equatable {
    package let format: TableFormat
    package let isGzip: Bool

    /// What the ending of a name means; `.gz` behind it is gzip.
    package init?(fileName: String) {
        isGzip = fileName.lowercased().hasSuffix(".gz")
        guard let format = TableFormat(fileName: isGzip ? String(fileName.dropLast(3)) : fileName) else { return nil }
        self.format = format
    }

    package var contentType: String { isGzip ? "application/gzip" : format.contentType }
}
