import Management
import ResourceModel
import Testing

@Suite struct YAMLTests {
    @Test(arguments: [
        ("a: 1", #"{"a":1}"#),
        ("- yes\n- true\n- ~\n- 'null'\n- \"7\"", #"["yes",true,null,"null","7"]"#),
        ("[0x1F, 0o17, -3, +4, 1.5, .5, 1e3, 0123]", "[31,15,-3,4,1.5,0.5,1000.0,123]"),
        (
            "[1_000, 12:30, .inf, .nan, 0x, 1.2.3, infinity, 0x-1]",
            #"["1_000","12:30",".inf",".nan","0x","1.2.3","infinity","0x-1"]"#
        ),
        ("[!!str 7, |-\n 8\n]", #""#),
        ("a: &x {b: [1]}\nc: *x\nd: *x", #"{"a":{"b":[1]},"c":{"b":[1]},"d":{"b":[1]}}"#),
        ("&k key: 1\n*k : 2", #""#),
        ("200: ok\ntrue: yes", #"{"200":"ok","true":"yes"}"#),
        ("a: &x 1\nb: &x 2\nc: *x", #"{"a":1,"b":2,"c":2}"#),
        ("99999999999999999999", "1e+20"),
    ])
    func `it is read as the JSON that it stands for`(_ text: String, _ json: String) throws {
        guard !json.isEmpty else {
            // Refused: not valid within brackets, or a name that appears twice.
            #expect(throws: YAMLDocument.YAMLError.self) { try YAMLDocument.value(text) }
            return
        }
        #expect(try YAMLDocument.value(text).text == json)
    }

    private static func laughs(_ levels: Int, _ width: Int) -> String {
        var text = "x0: &x0 [" + Array(repeating: "lol", count: width).joined(separator: ",") + "]\n"
        for level in 1..<levels {
            text +=
                "x\(level): &x\(level) [" + Array(repeating: "*x\(level - 1)", count: width).joined(separator: ",")
                + "]\n"
        }
        return text
    }

    @Test(
        .timeLimit(.minutes(1)),
        arguments: [
            (laughs(9, 9), "aliases stand for more than"),
            (laughs(9, 9) + "? *x8\n: 1\n", "aliases stand for more than"),
            ("a: &a [*a ]", "has no anchor before it"),
            (String(repeating: "[", count: 100_000), "nested deeper than 64 levels"),
            (String(repeating: "{a: ", count: 500), "nested deeper than 64 levels"),
            (String(repeating: "- ", count: 100), "nested deeper than 64 levels"),
            ("? [1]\n: 2", "A name must be a text"), ("a: 1\n'a': 2", "appears twice"),
            ("a: 1\n---\nb: 2", "more than one document"),
            ("", "is empty"), ("a: \u{1}", "control characters"), ("a: [1", ", line "),
        ]
    )
    func `what has no bound is refused by its name`(_ text: String, _ message: String) {
        do throws(YAMLDocument.YAMLError) {
            _ = try YAMLDocument.value(text)
            Issue.record("\(text.prefix(80)) was read")
        } catch { #expect(error.message.contains(message)) }
    }

    @Test func `levels within an alias count with those around it`() throws {
        let inner = String(repeating: "[", count: 40) + String(repeating: "]", count: 40)
        let outer = { (levels: Int) in
            "a: &a \(inner)\nb: " + String(repeating: "[", count: levels) + "*a "
                + String(repeating: "]", count: levels)
        }
        #expect(try YAMLDocument.value(outer(20))["b"] != nil)
        #expect(throws: YAMLDocument.YAMLError.self) { try YAMLDocument.value(outer(40)) }
    }
}
