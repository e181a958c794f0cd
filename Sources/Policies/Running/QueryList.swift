/// The parameters of a query in their order, each with the text that it was written as.
package struct QueryList {
    struct Item {
        let name: String
        let value: String
        /// As it stands in the query, encoded.
        let text: String
    }

    private(set) var items: [Item]

    package init(_ query: String) {
        items = query.split(separator: "&", omittingEmptySubsequences: true).map { piece in
            let parts = piece.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            return Item(
                name: PercentText.decoded(String(parts[0]), plusIsBlank: true),
                value: parts.count > 1 ? PercentText.decoded(String(parts[1]), plusIsBlank: true) : "",
                text: String(piece)
            )
        }
    }

    func values(_ name: String) -> [String] {
        let wanted = name.lowercased()
        return items.filter { $0.name.lowercased() == wanted }.map(\.value)
    }

    mutating func remove(_ name: String) {
        let wanted = name.lowercased()
        items.removeAll { $0.name.lowercased() == wanted }
    }

    /// Puts values in the place of those that a name has.
    package mutating func set(_ name: String, _ values: [String]) {
        remove(name)
        for value in values { append(name, value) }
    }

    mutating func append(_ name: String, _ value: String) {
        let text = "\(PercentText.encoded(name))=\(PercentText.encoded(value))"
        items.append(Item(name: name, value: value, text: text))
    }

    package var text: String { items.map(\.text).joined(separator: "&") }
}
