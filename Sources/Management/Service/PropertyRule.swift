package import ResourceModel

/// What one property of a resource may be.
package struct PropertyRule: Sendable {
    package indirect enum Kind: Sendable {
        /// Characters.
        case text(ClosedRange<Int>)
        case choice([String])
        case bool
        case int(ClosedRange<Int>)
        /// Numbers with a fraction.
        case number(ClosedRange<Double>)
        /// A list of words of which each is one of these.
        case words([String])
        case list(Kind)
        case object([PropertyRule])
        /// Any document: kept as it is.
        case any
    }

    package let name: String
    package let kind: Kind
    package let isRequired: Bool
    package let isReadOnly: Bool
    /// Whether it rests encrypted, since people write secrets into it; to those who manage it it is plain.
    package let isSealed: Bool
    package let fallback: JSONValue?

    package init(
        _ name: String,
        _ kind: Kind,
        isRequired: Bool = false,
        isReadOnly: Bool = false,
        isSealed: Bool = false,
        default fallback: JSONValue? = nil
    ) {
        self.name = name
        self.kind = kind
        self.isRequired = isRequired
        self.isReadOnly = isReadOnly
        self.isSealed = isSealed
        self.fallback = fallback
    }

    /// Checks a document by its rules and puts its properties in the rules' order, defaults filled in.
    ///
    /// Unknown properties are dropped, as Azure does; read-only ones keep their stored value.
    /// - Throws: `APIError` with one detail a broken rule.
    package static func apply(
        _ rules: [PropertyRule],
        to given: JSONObject,
        before: JSONObject?
    ) throws(APIError) -> JSONObject {
        var result = JSONObject()
        var details: [APIError.Detail] = []
        for rule in rules {
            let value = rule.isReadOnly ? before?[rule.name] : given[rule.name]
            guard let value, !value.isNull else {
                if let fallback = rule.isReadOnly ? nil : rule.fallback { result[rule.name] = fallback }
                if rule.isRequired {
                    details.append(detail(rule.name, "Value cannot be null."))
                }
                continue
            }
            if let problem = check(value, rule.kind, rule.name) {
                details.append(problem)
            } else {
                result[rule.name] = value
            }
        }
        guard details.isEmpty else { throw .validation(details) }
        return result
    }

    /// Whether a path of names leads to a property that these rules know.
    package static func knows(_ path: [String], _ rules: [PropertyRule]) -> Bool {
        guard let first = path.first, let rule = rules.first(where: { $0.name == first }) else { return false }
        let rest = Array(path.dropFirst())
        switch rule.kind {
        case .object(let inner): return rest.isEmpty || knows(rest, inner)
        case .any: return true
        default: return rest.isEmpty
        }
    }

    private static func detail(_ target: String, _ message: String) -> APIError.Detail {
        APIError.Detail(code: "ValidationError", message: message, target: target)
    }

    private static func check(_ value: JSONValue, _ kind: Kind, _ target: String) -> APIError.Detail? {
        switch kind {
        case .any: return nil
        case .bool: return value.bool == nil ? detail(target, "The value must be true or false.") : nil
        case .text(let range):
            guard let text = value.string else { return detail(target, "The value must be a text.") }
            guard range.contains(text.count) else {
                return detail(
                    target,
                    "The length must be between \(range.lowerBound) and \(range.upperBound) characters."
                )
            }
            return nil
        case .choice(let words):
            guard let text = value.string, words.contains(text) else {
                return detail(target, "The value must be one of \(words.joined(separator: ", ")).")
            }
            return nil
        case .int(let range):
            guard let number = value.int, range.contains(number) else {
                return detail(
                    target,
                    "The value must be a whole number from \(range.lowerBound) to \(range.upperBound)."
                )
            }
            return nil
        case .number(let range):
            guard let number = value.double, range.contains(number) else {
                return detail(target, "The value must be a number from \(range.lowerBound) to \(range.upperBound).")
            }
            return nil
        case .words(let words):
            guard let list = value.array, !list.isEmpty, list.allSatisfy({ $0.string.map(words.contains) ?? false })
            else {
                return detail(target, "The value must be a list of \(words.joined(separator: ", ")).")
            }
            return nil
        case .list(let element):
            guard let list = value.array else { return detail(target, "The value must be a list.") }
            for (place, item) in list.enumerated() {
                if let problem = check(item, element, "\(target)[\(place)]") { return problem }
            }
            return nil
        case .object(let rules):
            guard let object = value.object else { return detail(target, "The value must be an object.") }
            for rule in rules {
                guard let member = object[rule.name], !member.isNull else {
                    if rule.isRequired { return detail("\(target).\(rule.name)", "Value cannot be null.") }
                    continue
                }
                if let problem = check(member, rule.kind, "\(target).\(rule.name)") { return problem }
            }
            return nil
        }
    }
}
