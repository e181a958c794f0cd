import GRDB
import ResourceModel

/// Conditions on resources as SQL: values only as arguments, names of fields only as JSON paths that were checked before.
struct SQLiteFilter {
    private(set) var terms: [String] = []
    private(set) var arguments = StatementArguments()
    private let query: ResourceQuery

    init(_ query: ResourceQuery) { self.query = query }

    /// The value that a field has in a row.
    ///
    /// The id's last segment is the name: all ids of a list begin with the same parent and word.
    func expression(_ field: ODataFilter.Field) -> String {
        if field == ["name"] || field == ["id"] {
            let parent = query.parent == .service ? 0 : query.parent.description.unicodeScalars.count
            let start = parent + query.type.unicodeScalars.count + 3
            return "substr(id, \(start))"
        }
        return "json_extract(properties, '$.\(field.map { "\"\($0)\"" }.joined(separator: "."))')"
    }

    mutating func add(_ filter: ODataFilter) { terms.append(sql(filter)) }

    private mutating func sql(_ filter: ODataFilter) -> String {
        switch filter {
        case .and(let left, let right): return "(\(sql(left)) AND \(sql(right)))"
        case .or(let left, let right): return "(\(sql(left)) OR \(sql(right)))"
        // What is unknown is not so: a row without the field has not the value.
        case .not(let inner): return "NOT coalesce(\(sql(inner)), 0)"
        case .compare(let field, let comparison, let value): return compare(field, comparison, value)
        case .match(let match, let field, let text):
            let lowered = text.lowercased()
            arguments += [lowered]
            let column = "lower(\(expression(field)))"
            switch match {
            case .contains: return "instr(\(column), ?) > 0"
            case .startsWith:
                return "substr(\(column), 1, \(lowered.unicodeScalars.count)) = ?"
            case .endsWith:
                guard !lowered.isEmpty else { return "(\(column) <> ? OR 1)" }
                return "substr(\(column), -\(lowered.unicodeScalars.count)) = ?"
            }
        }
    }

    private mutating func compare(
        _ field: ODataFilter.Field,
        _ comparison: ODataFilter.Comparison,
        _ value: ODataFilter.Value
    ) -> String {
        let column = expression(field)
        let sign =
            switch comparison {
            case .equal: "="
            case .notEqual: "<>"
            case .greater: ">"
            case .greaterOrEqual: ">="
            case .less: "<"
            case .lessOrEqual: "<="
            }
        switch value {
        case .null: return comparison == .equal ? "\(column) IS NULL" : "\(column) IS NOT NULL"
        case .bool(let wanted):
            arguments += [wanted ? 1 : 0]
            return "coalesce(\(column), 0) \(sign) ?"
        case .number(let number):
            arguments += [number]
            return "\(column) \(sign) ?"
        case .text(let text):
            arguments += [text.lowercased()]
            return comparison == .notEqual
                ? "coalesce(lower(\(column)), '') <> ?" : "lower(\(column)) \(sign) ?"
        case .time(let text):
            // Times of resources are written in one form, so that texts compare as they do.
            arguments += [text]
            return "datetime(\(column)) \(sign) datetime(?)"
        }
    }

    mutating func add(_ term: String, _ values: StatementArguments) {
        terms.append(term)
        arguments += values
    }
}
