import Expressions
import Testing

/// A request as expressions see it.
private struct SampleContext: ExpressionContext {
    var missing: Set<ContextObject> = []
    var variables: [String: ExpressionValue] = ["number": .int(7), "word": .string("hello"), "nothing": .null]

    func isPresent(_ object: ContextObject) -> Bool { !missing.contains(object) }

    func read(_ value: ContextValue) -> ExpressionValue? {
        switch value {
        case .method: .string("GET")
        case .url(.port): .int(8080)
        case .url(.path): .string("/guide/score")
        case .subscriptionID: missing.contains(.subscription) ? nil : .string("gold")
        case .userID: missing.contains(.user) ? nil : .string("1")
        case .responseStatusCode: missing.contains(.response) ? nil : .int(503)
        default: .null
        }
    }

    func values(_ table: ContextTable, _ name: String) -> [String] {
        switch (table, name.lowercased()) {
        case (.requestHeaders, "x-many"): ["a", "b"]
        case (.query, "details"): ["true"]
        case (.matchedParameters, "city"): ["Bern"]
        default: []
        }
    }

    func variable(_ name: String) -> ExpressionValue? { variables[name] }
}

@Suite struct ExpressionTests {
    @Test(arguments: [
        (#""a" == "a""#, ExpressionValue.bool(true)),
        (#"context.Request.Method == "GET" && !(1 > 2)"#, .bool(true)),
        (#"context.Response.StatusCode >= 500 || false"#, .bool(true)),
        (#"context.Request.Headers["X-Many"][1]"#, .string("b")),
        (#"context.Request.Headers.GetValueOrDefault("x-many", "none")"#, .string("a,b")),
        (#"context.Request.Headers.GetValueOrDefault("other", "none")"#, .string("none")),
        (#"context.Request.Headers.GetValueOrDefault("other") == null"#, .bool(true)),
        (#"context.Request.Headers.ContainsKey("X-MANY") ? 1 : 2"#, .int(1)),
        (#"context.Request.Url.Query.GetValueOrDefault("details")"#, .string("true")),
        (#"context.Request.MatchedParameters["city"]"#, .string("Bern")),
        (#"context.Request.Url.Port == 8080.0"#, .bool(true)),
        (
            #"$"{context.Subscription.Id}/{(context.Request.Method == "GET" ? $"<{1}>" : "x")}{{}}""#,
            .string("gold/<1>{}")
        ),
        (#"(string)context.Variables["word"] + "!""#, .string("hello!")),
        (#"(int)context.Variables["number"] < 8"#, .bool(true)),
        ("0x1F == 31 && 0XffL == 255 && 0b1_01 == 5", .bool(true)),
        (#"context.Variables.GetValueOrDefault<int>("absent")"#, .int(0)),
        (#"context.Variables.GetValueOrDefault("absent", true)"#, .bool(true)),
        (#"context.Variables.ContainsKey("nothing")"#, .bool(true)),
        (#"context.Variables["nothing"] ?? "fallback""#, .string("fallback")),
        (#"context.User != null"#, .bool(true)),
        (#"@"c:\dir ""x""" == "c:\\dir \"x\"""#, .bool(true)),
        (#""\u0041\uD83D\uDE00" /* two */ == "A😀" // rest"#, .bool(true)),
        // Composed and decomposed letters are different texts to .NET.
        ("\"\u{E9}\" == \"e\\u0301\"", .bool(false)),
        (#"true ? "a" : "b""#, .string("a")),
        (#"'x' == "x""#, .bool(true)),
        (#"-3 < -2"#, .bool(true)),
        (#"9223372036854775807"#, .int(.max)),
    ])
    func `an expression has its value`(_ text: String, _ expected: ExpressionValue) throws {
        #expect(try ExpressionProgram(text).value(SampleContext()) == expected)
    }

    @Test func `what is missing is null after a question mark and a failure without`() throws {
        let context = SampleContext(missing: [.user, .subscription])
        #expect(try ExpressionProgram(#"context.User?.Id ?? "anonymous""#).value(context) == .string("anonymous"))
        #expect(try ExpressionProgram("context.User == null").value(context) == .bool(true))
        #expect(throws: EvaluationFailure("Object reference not set to an instance of an object.")) {
            try ExpressionProgram("context.Subscription.Id").value(context)
        }
    }

    @Test(arguments: [
        (#"context.Request.Headers["none"][0]"#, "The given key 'none' was not present in the dictionary."),
        (#"context.Request.Headers["x-many"][2]"#, "Index was outside the bounds of the array."),
        (#"context.Variables["none"]"#, "The given key 'none' was not present in the dictionary."),
        (#"(int)context.Variables["word"]"#, "Unable to cast a value of type 'string' to type 'int'."),
        (#"(bool)context.Variables["nothing"]"#, "Object reference not set to an instance of an object."),
    ])
    func `a failure says what .NET says`(_ text: String, _ message: String) throws {
        let program = try ExpressionProgram(text)
        #expect(throws: EvaluationFailure(message)) { try program.value(SampleContext()) }
    }

    @Test(arguments: [
        ("", 0, "The expression ends too early."),
        ("1 +", 3, "The expression ends too early."),
        ("context.Request.Body", 16, "The member \"Body\" of IRequest is not supported in expressions yet."),
        (
            "context.Subscription.PrimaryKey", 21,
            "The member \"PrimaryKey\" of ISubscription is not supported in expressions yet."
        ),
        ("DateTime.UtcNow", 0, "\"DateTime\" is not supported in expressions yet."),
        (#""a".Length"#, 4, "The member \"Length\" of string is not supported in expressions yet."),
        (#"new Random()"#, 0, "\"new\" is not supported in expressions yet."),
        ("1 + 2", 2, "Arithmetic with \"+\" is not supported in expressions yet."),
        ("2 * 3", 2, "The operator \"*\" is not supported in expressions yet."),
        (#"1 == "1""#, 2, "The operator '==' cannot be applied to operands of type 'int' and 'string'."),
        ("true ? 1", 8, "A \":\" is expected here."),
        (#"context.Request.Headers["a"]"#, 23, "A member of string[] must be named."),
        ("context.Request", 8, "A member of IRequest must be named."),
        (#""open"#, 0, "The string has no closing quote."),
        ("(JObject)context.Variables[\"a\"]", 0, "The type \"JObject\" is not supported in expressions yet."),
        ("1 2", 2, "A literal is not expected here."),
        ("`", 0, "The character cannot be read here."),
        ("99999999999999999999", 0, "The number is too large."),
        ("0x8000000000000000", 0, "The number is too large."), ("0x", 0, "The number cannot be read."),
        ("0b12", 0, "The number cannot be read."),
    ])
    func `what cannot be read is refused with its place`(_ text: String, _ offset: Int, _ message: String) {
        #expect(throws: ExpressionError(message, at: offset)) { try ExpressionProgram(text) }
    }

    @Test func `nesting has a bound`() {
        for (open, close) in [("(", ")"), ("!", ""), ("true ? ", " : false"), ("$\"{", "}\""), ("true ?? ", "")] {
            let text = String(repeating: open, count: 5000) + "true" + String(repeating: close, count: 5000)
            #expect(throws: ExpressionError.self) { try ExpressionProgram(text) }
        }
        #expect(throws: ExpressionError.self) {
            try ExpressionProgram(Array(repeating: "true", count: 5000).joined(separator: " && "))
        }
    }

    @Test(arguments: [
        (#"f("x)", ')') /* ) */ ) rest"#, 21), (#"$"{a[")"]}" ) x"#, 12), (#"@"\" ) x"#, 5), ("// )\n)", 5),
    ])
    func `balanced text ends at its own bracket`(_ text: String, _ end: Int) {
        #expect(BalancedText.end(Array(text.utf8), from: 0, closing: 0x29) == end)
    }

    @Test(arguments: ["(", "\"", "/* ", "$\"{", "[)", "'"]) func `balanced text may have no end`(_ text: String) {
        #expect(BalancedText.end(Array(text.utf8), from: 0, closing: 0x29) == nil)
        #expect(BalancedText.end(Array(String(repeating: text, count: 2000).utf8), from: 0, closing: 0x29) == nil)
    }

    @Test func `a long chain is bound once a link`() throws {
        // A link that doubled the work would not end in this life.
        let chain = Array(repeating: #""a""#, count: 200).joined(separator: " + ")
        #expect(try ExpressionProgram(chain).type == .string)
    }
}
