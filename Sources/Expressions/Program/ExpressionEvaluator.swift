/// Runs a bound expression against one request.
struct ExpressionEvaluator<Context: ExpressionContext> {
    private typealias Node = ExpressionProgram.Node

    let context: Context

    func value(_ node: ExpressionProgram.Node) throws(EvaluationFailure) -> ExpressionValue {
        switch node {
        case .constant(let value): return value
        case .read(let wanted, let isConditional):
            if let value = context.read(wanted) { return value }
            guard isConditional else {
                throw EvaluationFailure("Object reference not set to an instance of an object.")
            }
            return .null
        case .isPresent(let object): return .bool(context.isPresent(object))
        case .joined(let table, let name, let fallback):
            let found = context.values(table, try text(name))
            return found.isEmpty ? try value(fallback) : .string(found.joined(separator: ","))
        case .element(let table, let name, let index): return try element(table, name, index)
        case .contains(let table, let name): return .bool(!context.values(table, try text(name)).isEmpty)
        case .variable(let name, let fallback, let type):
            let name = try text(name)
            if let found = context.variable(name) { return try cast(found, type) }
            guard let fallback else {
                throw EvaluationFailure("The given key '\(name.prefix(80))' was not present in the dictionary.")
            }
            return try value(fallback)
        case .hasVariable(let name): return .bool(context.variable(try text(name)) != nil)
        case .not(let inner): return .bool(try !bool(inner))
        case .negate(let inner): return try negated(inner)
        case .and(let left, let right):
            guard try bool(left) else { return .bool(false) }
            return .bool(try bool(right))
        case .or(let left, let right):
            guard try !bool(left) else { return .bool(true) }
            return .bool(try bool(right))
        case .compare(let comparison, let left, let right):
            return .bool(try compare(comparison, try value(left), try value(right)))
        case .concatenate(let parts):
            var text = ""
            for part in parts { text += try value(part).text }
            return .string(text)
        case .coalesce(let left, let right):
            let found = try value(left)
            return found == .null ? try value(right) : found
        case .conditional(let test, let yes, let no): return try bool(test) ? try value(yes) : try value(no)
        case .cast(let type, let inner): return try cast(try value(inner), type)
        }
    }

    private func bool(_ node: ExpressionProgram.Node) throws(EvaluationFailure) -> Bool {
        guard case .bool(let value) = try value(node) else { throw EvaluationFailure("The value is not a bool.") }
        return value
    }

    private func text(_ node: ExpressionProgram.Node) throws(EvaluationFailure) -> String {
        guard case .string(let value) = try value(node) else { throw EvaluationFailure("Value cannot be null.") }
        return value
    }

    private func element(
        _ table: ContextTable,
        _ name: ExpressionProgram.Node,
        _ index: ExpressionProgram.Node
    ) throws(EvaluationFailure) -> ExpressionValue {
        let name = try text(name)
        let found = context.values(table, name)
        guard !found.isEmpty else {
            throw EvaluationFailure("The given key '\(name.prefix(80))' was not present in the dictionary.")
        }
        guard case .int(let place) = try value(index), place >= 0, place < found.count else {
            throw EvaluationFailure("Index was outside the bounds of the array.")
        }
        return .string(found[Int(place)])
    }

    private func negated(_ node: ExpressionProgram.Node) throws(EvaluationFailure) -> ExpressionValue {
        switch try value(node) {
        case .int(let value): return .int(0 &- value)
        case .double(let value): return .double(-value)
        default: throw EvaluationFailure("The value is not a number.")
        }
    }

    private func compare(
        _ comparison: ExpressionProgram.Comparison,
        _ left: ExpressionValue,
        _ right: ExpressionValue
    ) throws(EvaluationFailure) -> Bool {
        switch comparison {
        case .equal: return equal(left, right)
        case .notEqual: return !equal(left, right)
        case .less, .lessOrEqual, .greater, .greaterOrEqual: break
        }
        // A comparison with null is false, as .NET's lifted operators are.
        if left == .null || right == .null { return false }
        if case .int(let left) = left, case .int(let right) = right { return ordered(comparison, left, right) }
        guard let left = number(left), let right = number(right) else {
            throw EvaluationFailure("Only numbers have an order.")
        }
        return ordered(comparison, left, right)
    }

    private func ordered<Number: Comparable>(
        _ comparison: ExpressionProgram.Comparison,
        _ left: Number,
        _ right: Number
    ) -> Bool {
        switch comparison {
        case .less: left < right
        case .lessOrEqual: left <= right
        case .greater: left > right
        case .greaterOrEqual: left >= right
        case .equal: left == right
        case .notEqual: left != right
        }
    }

    private func equal(_ left: ExpressionValue, _ right: ExpressionValue) -> Bool {
        switch (left, right) {
        case (.int(let whole), .double(let value)), (.double(let value), .int(let whole)): Double(whole) == value
        // By UTF-16 units, as .NET compares: Swift's own equality calls composed and decomposed letters the same.
        case (.string(let left), .string(let right)): left.utf16.elementsEqual(right.utf16)
        default: left == right
        }
    }

    private func number(_ value: ExpressionValue) -> Double? {
        switch value {
        case .int(let value): Double(value)
        case .double(let value): value
        default: nil
        }
    }

    private func cast(_ value: ExpressionValue, _ type: ExpressionType) throws(EvaluationFailure) -> ExpressionValue {
        switch (type, value) {
        case (.object, _), (.string, .string), (.string, .null), (.bool, .bool), (.int, .int), (.double, .double):
            return value
        case (.double, .int(let whole)): return .double(Double(whole))
        case (.int, .double(let number)):
            guard let whole = Int64(exactly: number.rounded(.towardZero)) else {
                throw EvaluationFailure("Value was either too large or too small for an Int64.")
            }
            return .int(whole)
        case (_, .null): throw EvaluationFailure("Object reference not set to an instance of an object.")
        default:
            throw EvaluationFailure("Unable to cast a value of type '\(value.typeName)' to type '\(type.name)'.")
        }
    }
}
