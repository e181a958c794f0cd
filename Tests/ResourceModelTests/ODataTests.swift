import ResourceModel
import Testing

@Suite struct ODataTests {
    @Test func `and binds more than or, and not more than both`() throws {
        let a = ODataFilter.compare(["a"], .equal, .number(1))
        let b = ODataFilter.compare(["b"], .notEqual, .bool(true))
        let c = ODataFilter.compare(["c", "d"], .less, .text("it's"))
        let filter = try ODataFilter("a eq 1 or not b ne true and properties/c/d lt 'it''s'")
        #expect(filter == .or(a, .and(.not(b), c)))
        #expect(try ODataFilter("((a eq 1))") == a)
        #expect(filter.fields == [["a"], ["b"], ["c", "d"]] && filter.conjunction == nil)
    }

    @Test func `functions and times are read`() throws {
        #expect(try ODataFilter("substringof('x', name)") == .match(.contains, ["name"], "x"))
        #expect(try ODataFilter("startswith(name,'x') eq false") == .not(.match(.startsWith, ["name"], "x")))
        let time = ODataFilter.compare(["timestamp"], .greaterOrEqual, .time("2026-01-01T00:00:00"))
        #expect(try ODataFilter("timestamp ge datetime'2026-01-01T00:00:00'") == time)
        #expect(try ODataFilter("timestamp ge 2026-01-01T00:00:00") == time)
        #expect(try ODataFilter("timestamp ge 2026-01-01T00:00:00 and a eq -1.5").conjunction?.count == 2)
    }

    @Test(arguments: [
        "", "a", "a eq", "a is 1", "a eq 1 b eq 2", "eq 1", "(a eq 1", "a eq 'x", "shout(a,'b')", "contains('a',b)",
        "contains(a)", "a eq 1 and", "not", "a eq 1-1", "a eq #", "contains(a,'b') eq 3",
    ])
    func `what is no filter is refused`(_ text: String) {
        #expect(throws: ODataFilter.ParseError.self) { try ODataFilter(text) }
    }

    @Test func `length and depth are bounded`() {
        #expect(throws: ODataFilter.ParseError.self) {
            try ODataFilter(String(repeating: "(", count: 3000) + "a eq 1")
        }
        #expect(throws: ODataFilter.ParseError.self) {
            try ODataFilter("name eq '" + String(repeating: "x", count: ODataFilter.charactersMax) + "'")
        }
    }
}
