import DataTables
import Foundation
package import ResourceModel

/// The column selector's rules: begin with all or none, add by includes, take away by excludes.
///
/// The wire form is the recorded one of Studio, `{"isFilter":true,"rules":[…]}`, as an object or as URL-encoded text.
package struct ColumnSelection: Sendable, Equatable {
    package enum Rule: Sendable, Equatable {
        case all
        case names([String])
        /// Places from 1, as ranges.
        case indexes([ClosedRange<Int>])
        case types([String], kinds: [String])
    }

    package struct Clause: Sendable, Equatable {
        package let rule: Rule
        package let isExclude: Bool
    }

    package let clauses: [Clause]
    /// "Allow duplicates and preserve column order in selection".
    package let keepsOrder: Bool

    package init(clauses: [Clause], keepsOrder: Bool = false) {
        self.clauses = clauses
        self.keepsOrder = keepsOrder
    }

    package static let all = ColumnSelection(clauses: [Clause(rule: .all, isExclude: false)])

    package static func names(_ names: [String]) -> ColumnSelection {
        ColumnSelection(clauses: [Clause(rule: .names(names), isExclude: false)])
    }

    package static func types(_ types: [String], kinds: [String]) -> ColumnSelection {
        ColumnSelection(clauses: [Clause(rule: .types(types, kinds: kinds), isExclude: false)])
    }

    private static let typeWords = [
        "all", "numeric", "integer", "double", "string", "boolean", "datetime", "timespan", "categorical",
        "noncategorical",
    ]
    private static let kindWords = ["all", "feature", "label", "score", "weight", "none"]

    /// - Throws: `ModuleError` naming the parameter and the rule that was broken.
    package init(json: JSONValue, parameter: String) throws(ModuleError) {
        var document = json
        if let text = json.string {
            let decoded = text.hasPrefix("%") ? PercentEncoding.decoded(text) ?? text : text
            do { document = try JSONValue(parsing: decoded) } catch {
                throw ModuleError(
                    .unparsable,
                    "Parameter \"\(parameter)\" is no column selection: \(error.description)"
                )
            }
        }
        guard let rules = document["rules"]?.array else {
            throw ModuleError(.unparsable, "Parameter \"\(parameter)\" is no column selection: it has no \"rules\".")
        }
        keepsOrder = document["isFilter"]?.bool == false
        var clauses: [Clause] = []
        for rule in rules { clauses.append(try ColumnSelection.clause(rule, parameter)) }
        self.clauses = clauses
    }

    private static func clause(_ json: JSONValue, _ parameter: String) throws(ModuleError) -> Clause {
        let isExclude = json["exclude"]?.bool ?? false
        switch json["ruleType"]?.string {
        case "AllColumns": return Clause(rule: .all, isExclude: isExclude)
        case "NoColumns": return Clause(rule: .all, isExclude: true)
        case "ColumnNames": return Clause(rule: .names(try texts(json, "columns", parameter)), isExclude: isExclude)
        case "ColumnIndexes":
            var ranges: [ClosedRange<Int>] = []
            for text in try texts(json, "columns", parameter) {
                for part in text.split(separator: ",", omittingEmptySubsequences: false) {
                    ranges.append(try range(part.trimmingCharacters(in: .whitespaces)))
                }
            }
            return Clause(rule: .indexes(ranges), isExclude: isExclude)
        case "ColumnTypes":
            let types = try texts(json, "columnTypes", parameter).map { $0.lowercased() }
            let kinds =
                json["columnKinds"] == nil ? ["all"] : try texts(json, "columnKinds", parameter).map { $0.lowercased() }
            if let word = types.first(where: { !typeWords.contains($0) }) {
                throw ModuleError(.unparsable, "Parameter \"\(parameter)\" names the unknown column type \"\(word)\".")
            }
            if let word = kinds.first(where: { !kindWords.contains($0) }) {
                throw ModuleError(.unparsable, "Parameter \"\(parameter)\" names the unknown column kind \"\(word)\".")
            }
            return Clause(rule: .types(types, kinds: kinds), isExclude: isExclude)
        case let other:
            throw ModuleError(.unparsable, "Parameter \"\(parameter)\" holds the unknown rule \"\(other ?? "")\".")
        }
    }

    private static func texts(
        _ json: JSONValue,
        _ member: String,
        _ parameter: String
    ) throws(ModuleError) -> [String] {
        let texts = json[member]?.array?.compactMap { $0.string ?? $0.int.map(String.init) }
        guard let texts, texts.count == json[member]?.array?.count else {
            throw ModuleError(.unparsable, "Parameter \"\(parameter)\" needs a list of texts in \"\(member)\".")
        }
        return texts
    }

    /// `3` or `1-4`; open ranges are refused, as in Studio.
    private static func range(_ text: String) throws(ModuleError) -> ClosedRange<Int> {
        let parts = text.split(separator: "-", omittingEmptySubsequences: false).map { Int($0) }
        switch parts.count {
        case 1:
            guard let place = parts[0], place >= 1 else {
                throw ModuleError(.badColumnIndex, "Column index \"\(text)\" could not be parsed.")
            }
            return place...place
        case 2:
            guard let first = parts[0], let last = parts[1], first >= 1, last >= first else {
                throw ModuleError(.badColumnRange, "Column range \"\(text)\" is invalid.")
            }
            return first...last
        default: throw ModuleError(.badColumnRange, "Column range \"\(text)\" is invalid.")
        }
    }

    package var json: JSONValue {
        let rules = clauses.map { clause -> JSONValue in
            var rule = JSONObject()
            switch clause.rule {
            case .all: rule["ruleType"] = "AllColumns"
            case .names(let names):
                rule["ruleType"] = "ColumnNames"
                rule["columns"] = .array(names.map(JSONValue.string))
            case .indexes(let ranges):
                rule["ruleType"] = "ColumnIndexes"
                rule["columns"] = .array(
                    ranges.map { .string($0.count == 1 ? "\($0.lowerBound)" : "\($0.lowerBound)-\($0.upperBound)") }
                )
            case .types(let types, let kinds):
                rule["ruleType"] = "ColumnTypes"
                rule["columnTypes"] = .array(types.map(JSONValue.string))
                rule["columnKinds"] = .array(kinds.map(JSONValue.string))
            }
            rule["exclude"] = .bool(clause.isExclude)
            return .object(rule)
        }
        return ["isFilter": .bool(!keepsOrder), "rules": .array(rules)]
    }
}
