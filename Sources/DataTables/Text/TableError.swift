/// Why a text could not be read as a table; rows and columns count from 1.
package struct TableError: Error, Sendable, Equatable {
    package let message: String
    package let row: Int?
    package let column: String?

    package init(_ message: String, row: Int? = nil, column: String? = nil) {
        self.message = message
        self.row = row
        self.column = column
    }

    package var description: String {
        var place: [String] = []
        if let row { place.append("row \(row)") }
        if let column { place.append("column \"\(column)\"") }
        return place.isEmpty ? message : "\(message) (\(place.joined(separator: ", ")))"
    }
}
