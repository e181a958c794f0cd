/// Reads an expression by C#'s precedence.
package struct ExpressionParser {
    /// Expressions inside one another: each costs stack, and no person writes as many.
    private static let depthMax = 64
    /// Bytes of one expression: a policy document has 256 KiB.
    private static let bytesMax = 64 << 10

    private static let binaryLevels: [[String]] = [
        ["||"], ["&&"], ["|"], ["^"], ["&"], ["==", "!="], ["<", ">", "<=", ">="], ["<<"], ["+", "-"], ["*", "/", "%"],
    ]
    /// What a cast may name; others are refused by the binder with their place.
    private static let castTypes: Set<String> = [
        "string", "int", "long", "bool", "double", "float", "decimal", "object", "byte", "char", "short", "uint",
        "ulong",
    ]

    private let tokens: [ExpressionToken]
    private var place = 0
    private var depth = 0

    private init(_ tokens: [ExpressionToken], depth: Int) {
        self.tokens = tokens
        self.depth = depth
    }

    /// - Throws: `ExpressionError` with the place of the first word that does not fit.
    package static func parse(_ text: String) throws(ExpressionError) -> ExpressionSyntax {
        try parse(text, base: 0, depth: 0)
    }

    private static func parse(_ text: String, base: Int, depth: Int) throws(ExpressionError) -> ExpressionSyntax {
        guard text.utf8.count <= bytesMax else {
            throw ExpressionError("The expression is longer than \(bytesMax) bytes.", at: base)
        }
        var lexer = ExpressionLexer(text, base: base)
        var parser = ExpressionParser(try lexer.tokens(), depth: depth)
        let expression = try parser.expression()
        guard parser.token.kind == .end else { throw parser.unexpected() }
        return expression
    }

    // MARK: - Words

    private var token: ExpressionToken { tokens[min(place, tokens.count - 1)] }

    private func isSymbol(_ symbol: String, ahead: Int = 0) -> Bool {
        place + ahead < tokens.count && tokens[place + ahead].kind == .symbol(symbol)
    }

    private mutating func takeSymbol(_ symbol: String) -> Bool {
        guard isSymbol(symbol) else { return false }
        place += 1
        return true
    }

    private mutating func need(_ symbol: String) throws(ExpressionError) {
        guard takeSymbol(symbol) else {
            throw ExpressionError("A \"\(symbol)\" is expected here.", at: token.offset)
        }
    }

    private mutating func identifier() throws(ExpressionError) -> String {
        guard case .identifier(let name) = token.kind else {
            throw ExpressionError("A name is expected here.", at: token.offset)
        }
        place += 1
        return name
    }

    private func unexpected() -> ExpressionError {
        switch token.kind {
        case .end: ExpressionError("The expression ends too early.", at: token.offset)
        case .identifier(let name): ExpressionError("\"\(name)\" is not expected here.", at: token.offset)
        case .symbol(let symbol): ExpressionError("\"\(symbol)\" is not expected here.", at: token.offset)
        case .string, .interpolated, .int, .double: ExpressionError("A literal is not expected here.", at: token.offset)
        }
    }

    // MARK: - Levels

    private mutating func expression() throws(ExpressionError) -> ExpressionSyntax {
        depth += 1
        defer { depth -= 1 }
        guard depth <= ExpressionParser.depthMax else {
            throw ExpressionError("The expression is nested too deeply.", at: token.offset)
        }
        let condition = try coalescing()
        guard isSymbol("?") else { return condition }
        place += 1
        let yes = try expression()
        try need(":")
        let no = try expression()
        return ExpressionSyntax(kind: .conditional(condition, yes, no), offset: condition.offset)
    }

    private mutating func coalescing() throws(ExpressionError) -> ExpressionSyntax {
        let left = try binary(0)
        let offset = token.offset
        guard takeSymbol("??") else { return left }
        depth += 1
        defer { depth -= 1 }
        guard depth <= ExpressionParser.depthMax else {
            throw ExpressionError("The expression is nested too deeply.", at: offset)
        }
        return ExpressionSyntax(kind: .binary("??", left, try coalescing()), offset: offset)
    }

    private mutating func binary(_ level: Int) throws(ExpressionError) -> ExpressionSyntax {
        guard level < ExpressionParser.binaryLevels.count else { return try unary() }
        var left = try binary(level + 1)
        var count = 0
        while case .symbol(let symbol) = token.kind, ExpressionParser.binaryLevels[level].contains(symbol) {
            let offset = token.offset
            place += 1
            count += 1
            // A chain becomes a tree as deep as it is long.
            guard depth + count <= ExpressionParser.depthMax * 4 else {
                throw ExpressionError("The expression is too long.", at: offset)
            }
            left = ExpressionSyntax(kind: .binary(symbol, left, try binary(level + 1)), offset: offset)
        }
        return left
    }

    private mutating func unary() throws(ExpressionError) -> ExpressionSyntax {
        depth += 1
        defer { depth -= 1 }
        let offset = token.offset
        guard depth <= ExpressionParser.depthMax else {
            throw ExpressionError("The expression is nested too deeply.", at: offset)
        }
        for symbol in ["!", "-", "+", "~", "++", "--"] where takeSymbol(symbol) {
            return ExpressionSyntax(kind: .unary(symbol, try unary()), offset: offset)
        }
        if isSymbol("("), isSymbol(")", ahead: 2), place + 1 < tokens.count,
            case .identifier(let type) = tokens[place + 1].kind, isCast(type)
        {
            place += 3
            return ExpressionSyntax(kind: .cast(type: type, try unary()), offset: offset)
        }
        return try postfix(try primary())
    }

    /// `(name)` before an operand is a cast; before an operator it is a value in parentheses.
    private func isCast(_ type: String) -> Bool {
        if ExpressionParser.castTypes.contains(type) { return true }
        guard place + 3 < tokens.count else { return false }
        switch tokens[place + 3].kind {
        case .identifier, .string, .interpolated, .int, .double: return true
        case .symbol(let symbol): return symbol == "("
        case .end: return false
        }
    }

    private mutating func primary() throws(ExpressionError) -> ExpressionSyntax {
        let found = token
        switch found.kind {
        case .int(let value): return literal(.int(value), found)
        case .double(let value): return literal(.double(value), found)
        case .string(let value): return literal(.string(value), found)
        case .interpolated(let parts):
            place += 1
            var pieces: [ExpressionSyntax] = []
            for part in parts {
                switch part {
                case .text(let text): pieces.append(ExpressionSyntax(kind: .string(text), offset: found.offset))
                case .hole(let text, let offset):
                    pieces.append(try ExpressionParser.parse(text, base: offset, depth: depth))
                }
            }
            return ExpressionSyntax(kind: .interpolated(pieces), offset: found.offset)
        case .identifier("true"): return literal(.bool(true), found)
        case .identifier("false"): return literal(.bool(false), found)
        case .identifier("null"): return literal(.null, found)
        case .identifier(let name) where ["new", "typeof", "default", "await", "delegate"].contains(name):
            throw ExpressionError("\"\(name)\" is not supported in expressions yet.", at: found.offset)
        case .identifier(let name): return literal(.name(name), found)
        case .symbol("("):
            place += 1
            let inner = try expression()
            try need(")")
            return inner
        case .symbol, .end: throw unexpected()
        }
    }

    private mutating func literal(_ kind: ExpressionSyntax.Kind, _ found: ExpressionToken) -> ExpressionSyntax {
        place += 1
        return ExpressionSyntax(kind: kind, offset: found.offset)
    }

    private mutating func postfix(_ start: ExpressionSyntax) throws(ExpressionError) -> ExpressionSyntax {
        var result = start
        var count = 0
        while case .symbol(let symbol) = token.kind {
            let offset = token.offset
            count += 1
            guard count <= ExpressionParser.depthMax else {
                throw ExpressionError("The expression is too long.", at: offset)
            }
            switch symbol {
            case ".", "?.":
                place += 1
                let nameOffset = token.offset
                let name = try identifier()
                result = ExpressionSyntax(
                    kind: .member(of: result, name: name, isConditional: symbol == "?."),
                    offset: nameOffset
                )
            case "[":
                place += 1
                let argument = try expression()
                try need("]")
                result = ExpressionSyntax(kind: .index(of: result, argument: argument), offset: offset)
            case "(":
                result = ExpressionSyntax(
                    kind: .call(of: result, typeArguments: [], arguments: try arguments()),
                    offset: result.offset
                )
            case "<":
                guard case .identifier(let type) = place + 1 < tokens.count ? tokens[place + 1].kind : .end,
                    isSymbol(">", ahead: 2), isSymbol("(", ahead: 3)
                else { return result }
                place += 3
                result = ExpressionSyntax(
                    kind: .call(of: result, typeArguments: [type], arguments: try arguments()),
                    offset: result.offset
                )
            default: return result
            }
        }
        return result
    }

    private mutating func arguments() throws(ExpressionError) -> [ExpressionSyntax] {
        try need("(")
        var result: [ExpressionSyntax] = []
        if takeSymbol(")") { return result }
        repeat { result.append(try expression()) } while takeSymbol(",")
        try need(")")
        return result
    }
}
