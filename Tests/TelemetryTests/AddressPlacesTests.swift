import Telemetry
import Testing

@Suite struct AddressPlacesTests {
    private func country(_ places: AddressPlaces, _ address: String) -> String? {
        places.place(of: Array(address.utf8))?.place.country
    }

    @Test func `addresses are found in their ranges`() throws {
        let text = """
            # A comment, then both forms, quotes and numbers

            1.0.0.0,1.0.0.255,AU,Queensland,4000\r
            "16777472","16777727","CN"
            192.0.2.0/24,NL
            2001:db8::,2001:db8::ffff,DE
            fe80::/10,LL
            ::1/128,L6
            255.255.255.255/32,EN
            """
        let places = try AddressPlaces(text: Array(text.utf8))
        for (address, wanted) in [
            ("1.0.0.0", "AU"), ("1.0.0.255", "AU"), ("1.0.1.0", "CN"), ("1.0.2.0", nil), ("0.255.255.255", nil),
            ("192.0.2.7", "NL"),
            ("192.0.3.0", nil), ("::ffff:192.0.2.7", "NL"), ("2001:db8::", "DE"), ("2001:db8:0:0:0:0:0:1", "DE"),
            ("2001:db8::1:0", nil),
            ("fe80::1%eth0", "LL"), ("::1", "L6"), ("::", nil), ("255.255.255.255", "EN"), ("1.0.0", nil),
            ("1.0.0.256", nil), ("x", nil),
            ("1:2:3", nil), ("1::2::3", nil), (":1", nil), ("", nil), ("1:2:3:4:5:6:7:8:9", nil), ("12345::", nil),
        ] { #expect(country(places, address) == wanted, "\(address)") }
        let place = try #require(places.place(of: Array("1.0.0.7".utf8))?.place)
        #expect(place == CallerPlace(country: "AU", region: "Queensland", zip: "4000"))
    }

    @Test(arguments: [
        "x", "1.2.3.4", "1.2.3.4,1.2.3.4", "1.2.3.0/33,XX", "1.2.3.0/-1,XX", "::/129,XX", "1.2.3.4,1.2.3.3,XX",
    ])
    func `a line that is no range is named`(_ line: String) {
        do {
            _ = try AddressPlaces(text: Array("127.0.0.0/8,XL\n\(line)\n".utf8))
            Issue.record("taken")
        } catch { #expect(error.line == 2) }
    }
}
