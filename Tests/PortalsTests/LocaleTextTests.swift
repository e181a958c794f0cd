import Foundation
import Portals
import ResourceModel
import Testing

@Suite struct LocaleTextTests {
    private let english = LocaleText(.english)
    private let spanish = LocaleText(.spanish)

    @Test(arguments: [
        (0, "0", "0"), (999, "999", "999"), (1234, "1,234", "1234"), (12_345, "12,345", "12.345"),
        (-1_234_567, "-1,234,567", "-1.234.567"),
    ])
    func `whole numbers are grouped as each language does`(value: Int, inEnglish: String, inSpanish: String) {
        #expect(english.number(value) == inEnglish)
        #expect(spanish.number(value) == inSpanish)
    }

    @Test(arguments: [(0.25, 2, "0.25", "0,25"), (12_345.05, 1, "12,345.1", "12.345,1"), (-0.001, 2, "0.00", "0,00")])
    func `fractions have their own mark`(value: Double, digits: Int, inEnglish: String, inSpanish: String) {
        #expect(english.number(value, digits: digits) == inEnglish)
        #expect(spanish.number(value, digits: digits) == inSpanish)
    }

    @Test(arguments: [
        (0, "0\u{A0}bytes"), (999, "999\u{A0}bytes"), (1000, "1.0\u{A0}kB"), (999_600, "1.0\u{A0}MB"),
        (34_500_000, "35\u{A0}MB"),
    ])
    func `sizes go by powers of a thousand`(bytes: Int, text: String) {
        #expect(english.size(bytes: bytes) == text)
    }

    @Test func `times are near in words and far by their date`() {
        let date = Date(timeIntervalSince1970: 1_795_941_840)
        #expect(english.time(date) == "29 Nov 2026, 08:44 UTC")
        #expect(spanish.time(date) == "29 nov 2026, 08:44 UTC")
        #expect(english.ago(date, now: date.addingTimeInterval(59)) == "just now")
        #expect(english.ago(date, now: date.addingTimeInterval(60)) == "1 minute ago")
        #expect(spanish.ago(date, now: date.addingTimeInterval(7300)) == "hace 2 horas")
        #expect(spanish.ago(date, now: date.addingTimeInterval(86_400)) == "29 nov 2026")
        #expect(spanish.moment(date)["iso"]?.string == "2026-11-29T08:44:00Z")
    }
}
