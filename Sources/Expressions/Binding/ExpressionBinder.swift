/// Finds what the names of an expression mean and what types its parts have.
struct ExpressionBinder {
    typealias Node = ExpressionProgram.Node

    /// A part with its type; a thing has no value of its own.
    struct Bound {
        let node: Node?
        let type: ExpressionType
        let offset: Int
        /// Whether a `?.` stands before it: then what is missing makes null.
        var isConditional = false
        /// What must be there for it to be, where that is not certain.
        var object: ContextObject?

        func value() throws(ExpressionError) -> Node {
            guard let node else { throw ExpressionError("A member of \(type.name) must be named.", at: offset) }
            return node
        }
    }

    func bind(_ syntax: ExpressionSyntax) throws(ExpressionError) -> Bound {
        let offset = syntax.offset
        switch syntax.kind {
        case .null: return Bound(node: .constant(.null), type: .null, offset: offset)
        case .bool(let value): return Bound(node: .constant(.bool(value)), type: .bool, offset: offset)
        case .int(let value): return Bound(node: .constant(.int(value)), type: .int, offset: offset)
        case .double(let value): return Bound(node: .constant(.double(value)), type: .double, offset: offset)
        case .string(let value): return Bound(node: .constant(.string(value)), type: .string, offset: offset)
        case .interpolated(let parts):
            var nodes: [Node] = []
            for part in parts { nodes.append(try printable(try bind(part))) }
            return Bound(node: .concatenate(nodes), type: .string, offset: offset)
        case .name(let name):
            guard name == "context" else { throw unsupported("\"\(name)\"", offset) }
            return Bound(node: nil, type: .thing(.context), offset: offset)
        case .member(let owner, let name, let isConditional): return try member(owner, name, isConditional, offset)
        case .index(let owner, let argument): return try index(owner, argument, offset)
        case .call(let function, let types, let arguments): return try call(function, types, arguments, offset)
        case .cast(let type, let inner): return try cast(type, inner, offset)
        case .unary(let symbol, let inner): return try unary(symbol, inner, offset)
        case .binary(let symbol, let left, let right): return try binary(symbol, left, right, offset)
        case .conditional(let test, let yes, let no): return try conditional(test, yes, no, offset)
        }
    }

    private func unsupported(_ what: String, _ offset: Int) -> ExpressionError {
        ExpressionError("\(what) is not supported in expressions yet.", at: offset)
    }

    /// A value that can become text.
    ///
    /// It is bound already: binding it once more would double the work at every link of a chain.
    private func printable(_ bound: Bound) throws(ExpressionError) -> Node {
        guard bound.type != .strings else { throw oneOf(bound) }
        return try bound.value()
    }

    private func oneOf(_ bound: Bound) -> ExpressionError {
        ExpressionError("A string[] has no value of its own; take one by its index, as [0].", at: bound.offset)
    }

    // MARK: - Members

    private func member(
        _ owner: ExpressionSyntax,
        _ name: String,
        _ isConditional: Bool,
        _ offset: Int
    ) throws(ExpressionError) -> Bound {
        let bound = try bind(owner)
        guard case .thing(let thing) = bound.type, let found = ContextMembers.member(name, of: thing) else {
            throw unsupported("The member \"\(name)\" of \(bound.type.name)", offset)
        }
        let maybe = bound.isConditional || isConditional
        switch found {
        case .value(let value, let type):
            return Bound(
                node: .read(value, isConditional: maybe),
                type: type,
                offset: offset,
                isConditional: maybe
            )
        case .thing(let thing, let object):
            return Bound(
                node: nil,
                type: .thing(thing),
                offset: offset,
                isConditional: maybe,
                object: object ?? bound.object
            )
        }
    }

    private func index(
        _ owner: ExpressionSyntax,
        _ argument: ExpressionSyntax,
        _ offset: Int
    ) throws(ExpressionError) -> Bound {
        // The texts of a name have no value of their own: the index of one of them is bound together with the name.
        if case .index(let inner, let name) = owner.kind, case .thing(let thing) = try bind(inner).type,
            let table = ContextMembers.texts(thing), table != .matchedParameters
        {
            let place = try bind(argument)
            guard place.type == .int else {
                throw ExpressionError("The index must be a whole number.", at: place.offset)
            }
            return Bound(
                node: .element(table, try key(name), index: try place.value()),
                type: .string,
                offset: offset
            )
        }
        let bound = try bind(owner)
        guard case .thing(let thing) = bound.type else {
            throw unsupported("An index on \(bound.type.name)", offset)
        }
        let key = try key(argument)
        if thing == .variables {
            return Bound(node: .variable(key, fallback: nil, type: .object), type: .object, offset: offset)
        }
        guard let table = ContextMembers.texts(thing) else {
            throw unsupported("An index on \(bound.type.name)", offset)
        }
        guard table == .matchedParameters else { return Bound(node: nil, type: .strings, offset: offset) }
        return Bound(node: .element(table, key, index: .constant(.int(0))), type: .string, offset: offset)
    }

    private func key(_ syntax: ExpressionSyntax) throws(ExpressionError) -> Node {
        let bound = try bind(syntax)
        switch bound.type {
        case .string: return try bound.value()
        case .object: return .cast(.string, try bound.value())
        default: throw ExpressionError("The name must be a string.", at: bound.offset)
        }
    }

    private func call(
        _ function: ExpressionSyntax,
        _ types: [String],
        _ arguments: [ExpressionSyntax],
        _ offset: Int
    ) throws(ExpressionError) -> Bound {
        guard case .member(let owner, let name, _) = function.kind else {
            throw unsupported("A call", offset)
        }
        let bound = try bind(owner)
        guard case .thing(let thing) = bound.type else {
            throw unsupported("The method \"\(name)\" of \(bound.type.name)", offset)
        }
        let table = ContextMembers.texts(thing)
        switch (name, arguments.count) {
        case ("GetValueOrDefault", 1...2) where thing == .variables:
            return try variable(types, arguments, offset)
        case ("ContainsKey", 1) where thing == .variables:
            return Bound(node: .hasVariable(try key(arguments[0])), type: .bool, offset: offset)
        case ("GetValueOrDefault", 1...2) where table != nil && types.isEmpty:
            guard let table else { break }
            var fallback = Node.constant(.null)
            if arguments.count == 2 {
                let given = try bind(arguments[1])
                guard given.type == .string || given.type == .null || given.type == .object else {
                    throw ExpressionError("The default must be a string.", at: given.offset)
                }
                fallback = .cast(.string, try given.value())
            }
            return Bound(node: .joined(table, try key(arguments[0]), fallback: fallback), type: .string, offset: offset)
        case ("ContainsKey", 1) where table != nil:
            guard let table else { break }
            return Bound(node: .contains(table, try key(arguments[0])), type: .bool, offset: offset)
        default: break
        }
        throw unsupported("The method \"\(name)\" with \(arguments.count) arguments of \(bound.type.name)", offset)
    }

    private func variable(
        _ types: [String],
        _ arguments: [ExpressionSyntax],
        _ offset: Int
    ) throws(ExpressionError) -> Bound {
        var type: ExpressionType?
        if let name = types.first { type = try self.type(name, offset) }
        var fallback: Node?
        if arguments.count == 2 {
            let given = try bind(arguments[1])
            guard given.type != .strings else { throw oneOf(given) }
            fallback = try given.value()
            type = type ?? (given.type == .null ? .object : given.type)
        }
        let found = type ?? .object
        return Bound(
            node: .variable(try key(arguments[0]), fallback: fallback ?? zero(found), type: found),
            type: found,
            offset: offset
        )
    }

    /// What .NET's `default` of the type is.
    private func zero(_ type: ExpressionType) -> Node {
        switch type {
        case .bool: .constant(.bool(false))
        case .int: .constant(.int(0))
        case .double: .constant(.double(0))
        case .null, .string, .object, .strings, .thing: .constant(.null)
        }
    }

    // MARK: - Operators

    private func type(_ name: String, _ offset: Int) throws(ExpressionError) -> ExpressionType {
        switch name {
        case "string": .string
        case "int", "long": .int
        case "double": .double
        case "bool": .bool
        case "object": .object
        default: throw unsupported("The type \"\(name)\"", offset)
        }
    }

    private func cast(_ name: String, _ inner: ExpressionSyntax, _ offset: Int) throws(ExpressionError) -> Bound {
        let type = try type(name, offset)
        let bound = try bind(inner)
        let isPossible: Bool
        switch (type, bound.type) {
        case (_, .object), (.object, _), (.int, .int), (.int, .double), (.double, .int), (.double, .double),
            (.string, .string), (.string, .null), (.bool, .bool):
            isPossible = true
        default: isPossible = false
        }
        guard isPossible else {
            throw ExpressionError("Cannot convert type '\(bound.type.name)' to '\(name)'.", at: offset)
        }
        return Bound(node: .cast(type, try bound.value()), type: type, offset: offset)
    }

    private func unary(_ symbol: String, _ inner: ExpressionSyntax, _ offset: Int) throws(ExpressionError) -> Bound {
        let bound = try bind(inner)
        switch (symbol, bound.type) {
        case ("!", .bool): return Bound(node: .not(try bound.value()), type: .bool, offset: offset)
        case ("-", .int), ("-", .double):
            return Bound(node: .negate(try bound.value()), type: bound.type, offset: offset)
        case ("!", _), ("-", _):
            throw ExpressionError(
                "The operator '\(symbol)' cannot be applied to an operand of type '\(bound.type.name)'.",
                at: offset
            )
        default: throw unsupported("The operator \"\(symbol)\"", offset)
        }
    }

    private func binary(
        _ symbol: String,
        _ left: ExpressionSyntax,
        _ right: ExpressionSyntax,
        _ offset: Int
    ) throws(ExpressionError) -> Bound {
        let first = try bind(left)
        let second = try bind(right)
        func wrongTypes() -> ExpressionError {
            ExpressionError(
                "The operator '\(symbol)' cannot be applied to operands of type '\(first.type.name)' and "
                    + "'\(second.type.name)'.",
                at: offset
            )
        }
        switch symbol {
        case "&&", "||":
            guard first.type == .bool, second.type == .bool else { throw wrongTypes() }
            let node: Node =
                symbol == "&&"
                ? .and(try first.value(), try second.value()) : .or(try first.value(), try second.value())
            return Bound(node: node, type: .bool, offset: offset)
        case "==", "!=":
            if let presence = presence(symbol, first, second, offset) { return presence }
            guard areComparable(first.type, second.type) else { throw wrongTypes() }
        case "<", ">", "<=", ">=":
            guard [.int, .double].contains(first.type), [.int, .double].contains(second.type) else {
                throw wrongTypes()
            }
        case "??":
            guard let type = common(first.type, second.type) else { throw wrongTypes() }
            return Bound(node: .coalesce(try first.value(), try second.value()), type: type, offset: offset)
        case "+":
            guard first.type == .string || second.type == .string else {
                throw unsupported("Arithmetic with \"+\"", offset)
            }
            return Bound(
                node: .concatenate([try printable(first), try printable(second)]),
                type: .string,
                offset: offset
            )
        default: throw unsupported("The operator \"\(symbol)\"", offset)
        }
        guard let comparison = ExpressionProgram.Comparison(rawValue: symbol) else { throw wrongTypes() }
        return Bound(
            node: .compare(comparison, try first.value(), try second.value()),
            type: .bool,
            offset: offset
        )
    }

    /// `context.User != null` and the like.
    private func presence(_ symbol: String, _ left: Bound, _ right: Bound, _ offset: Int) -> Bound? {
        let thing = left.type == .null ? right : left
        guard left.type == .null || right.type == .null, thing.node == nil, let object = thing.object else {
            return nil
        }
        let node = Node.isPresent(object)
        return Bound(node: symbol == "!=" ? node : .not(node), type: .bool, offset: offset)
    }

    private func areComparable(_ left: ExpressionType, _ right: ExpressionType) -> Bool {
        switch (left, right) {
        case (.strings, _), (_, .strings), (.thing, _), (_, .thing): false
        case (.object, _), (_, .object), (.null, _), (_, .null): true
        case (.int, .double), (.double, .int): true
        default: left == right
        }
    }

    private func conditional(
        _ test: ExpressionSyntax,
        _ yes: ExpressionSyntax,
        _ no: ExpressionSyntax,
        _ offset: Int
    ) throws(ExpressionError) -> Bound {
        let condition = try bind(test)
        guard condition.type == .bool else {
            throw ExpressionError("The condition before \"?\" must be a bool, not \(condition.type.name).", at: offset)
        }
        let first = try bind(yes)
        let second = try bind(no)
        guard let type = common(first.type, second.type) else {
            throw ExpressionError(
                "The two sides of \":\" are '\(first.type.name)' and '\(second.type.name)'; they must be of one type.",
                at: second.offset
            )
        }
        return Bound(
            node: .conditional(try condition.value(), try first.value(), try second.value()),
            type: type,
            offset: offset
        )
    }

    private func common(_ left: ExpressionType, _ right: ExpressionType) -> ExpressionType? {
        switch (left, right) {
        case (.strings, _), (_, .strings), (.thing, _), (_, .thing): nil
        case (.null, let other), (let other, .null): other
        case (.object, _), (_, .object): .object
        case (.int, .double), (.double, .int): .double
        default: left == right ? left : nil
        }
    }
}
