import ResourceModel
import Testing

@Suite struct PercentEncodingTests {
    @Test(arguments: [
        ("plain", "plain"), ("", ""), ("a%20b%2Fc%2fd", "a b/c/d"), ("+", "+"), ("%C3%A9", "\u{E9}"),
        ("e%CC%81", "e\u{301}"),
        ("%EF%BB%BFreport.csv", "\u{FEFF}report.csv"), ("a%EF%BB%BF", "a\u{FEFF}"), ("%EF%BF%BE", "\u{FFFE}"),
    ])
    func `every octet is kept`(_ text: String, _ expected: String) {
        #expect(PercentEncoding.decoded(text).map { Array($0.utf8) } == Array(expected.utf8))
    }

    @Test(arguments: ["%", "%2", "%zz", "a%+1", "%FF", "%C3", "%C0%AF", "%ED%A0%80"])
    func `what is no escape, or not UTF-8, is none`(_ text: String) {
        #expect(PercentEncoding.decoded(text) == nil)
    }
}
