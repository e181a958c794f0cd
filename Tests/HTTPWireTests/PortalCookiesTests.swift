import HTTPWire
import NIOCore
import Testing

@Suite struct PortalCookiesTests {
    private func request(_ fields: String) throws -> String? {
        let bytes = ByteBuffer(string: "GET /a?b=c HTTP/1.1\r\n\(fields)Host: h\r\n\r\n")
        var parser = HeadParser(limits: WireLimits())
        #expect(try bytes.withUnsafeReadableBytes { try parser.parseRequest($0) } == .complete)
        guard parser.hasCookies else { return nil }
        return PortalCookies.removed(fromRequest: bytes, parser).map { String(buffer: $0) }
    }

    /// What is left of one line; nil where it goes on as it came, empty where the field is dropped.
    private func left(_ value: String) throws -> String? {
        guard let head = try request("A: 1\r\nCookie: \(value)\r\n") else { return nil }
        let (start, end) = ("GET /a?b=c HTTP/1.1\r\nA: 1\r\n", "Host: h\r\n\r\n")
        #expect(head.hasPrefix(start) && head.hasSuffix(end))
        let line = head.dropFirst(start.count).dropLast(end.count)
        guard !line.isEmpty else { return "" }
        #expect(line.hasPrefix("Cookie: ") && line.hasSuffix("\r\n"))
        return line.dropFirst("Cookie: ".count).split(separator: "\r\n").first.map(String.init)
    }

    @Test(arguments: [
        "a=1", "a=1; b=2", "", ";", "gatehouse=1", "agatehouse-session=1", "a=gatehouse-session",
        "a=1 gatehouse-session=2",
        "__Host-a=1; __Secure-b=2", "__Host-__Secure-gatehouse-a=1", "$Version=1; a=1; $Path=/",
    ])
    func `other cookies go on as they came`(value: String) throws { #expect(try left(value) == nil) }

    @Test(arguments: [
        ("gatehouse-session=s", ""), ("__Host-gatehouse-session=s", ""), ("__secure-Gatehouse-x=s", ""),
        ("GATEHOUSE-=s", ""),
        ("gatehouse-session", ""), ("gatehouse-session = s", ""), ("gatehouse-session=s;", ""),
        ("; ;gatehouse-session=s", ""),
        ("a=1; gatehouse-session=s", "a=1"), ("gatehouse-session=s; a=1", "a=1"), ("gatehouse-session=s;a=1", "a=1"),
        ("a=1; gatehouse-session=s; b=2", "a=1; b=2"), ("a=1;gatehouse-session=s;\tb=2", "a=1;\tb=2"),
        ("a=1;\tgatehouse-session=s", "a=1"), ("a=1,gatehouse-session=s; b=2", "a=1; b=2"),
        ("gatehouse-a=1, gatehouse-b=2, c=3,4", "c=3,4"), ("gatehouse-session=a=b; c=d=e", "c=d=e"),
        (#"gatehouse-session="s"; a="1""#, #"a="1""#), (#"a="x; gatehouse-session=s; y""#, #"a="x; y""#),
        (#"gatehouse-session="se;cr,et"; a=1"#, "a=1"), (#"gatehouse-session="s\"e;cret"; a=1"#, "a=1"),
        (#"gatehouse-session="s; a=1"#, "a=1"), (#"gatehouse-session="s"et; a=1"#, "a=1"),
        (
            #"$Version=1; gatehouse-session="s"; $Path="/"; $Domain=h; $Port="1"; a=1; $Path="/a""#,
            #"$Version=1; a=1; $Path="/a""#
        ),
        (#"$Version=1; gatehouse-session=s; $Path=/"#, ""), ("gatehouse-session=s, $Version=1, a=1", "$Version=1, a=1"),
    ])
    func `the portal's are taken out`(value: String, wanted: String) throws { #expect(try left(value) == wanted) }

    @Test func `each line by itself, and other fields not at all`() throws {
        let fields =
            "X-Cookie: gatehouse-a=1\r\ncookie:gatehouse-a=1 \r\nCOOKIE: b=2;gatehouse-a=1 \r\nB: c\r\nCookie: c=3\r\n"
        #expect(
            try request(fields)
                == "GET /a?b=c HTTP/1.1\r\nX-Cookie: gatehouse-a=1\r\nCOOKIE: b=2 \r\nB: c\r\nCookie: c=3\r\nHost: h\r\n\r\n"
        )
    }

    @Test func `of any line nothing of the portal's is left, and everything else is`() throws {
        let pieces = [
            "gatehouse-a=S", "__HOST-gatehouse-b=S", "\"", "\\", ";", ";", ",", " ", "a=1", "b=\"2\"", "$Path=/", "=",
            "gatehouse-", "\t",
        ]
        var seed: UInt64 = 7
        for _ in 0..<20_000 {
            var value = ""
            for _ in 0..<12 {
                seed = seed &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
                value += pieces[Int(seed >> 33) % pieces.count]
            }
            let isOwn = { (cookie: Substring) in
                let cookie = cookie.drop { $0 == " " || $0 == "\t" }.lowercased()
                return ["", "__host-", "__secure-"].contains { cookie.hasPrefix($0 + "gatehouse-") }
            }
            let before = value.split { $0 == ";" || $0 == "," }
            let after = try left(value)
            #expect((after == nil) == !before.contains(where: isOwn), "\(value)")
            guard let after, !after.isEmpty else { continue }
            #expect(!after.split { $0 == ";" || $0 == "," }.contains(where: isOwn), "\(value)")
            #expect(try left(after) == nil, "\(value)")
            // Where nothing is quoted, every other cookie is there, in its place.
            guard !value.contains("\""), !value.contains("$") else { continue }
            let trimmed = { (part: Substring) in part.trimming { $0 == " " || $0 == "\t" } }
            #expect(
                after.split { $0 == ";" || $0 == "," }.map(trimmed).filter { !$0.isEmpty }
                    == before.filter { !isOwn($0) }.map(trimmed).filter { !$0.isEmpty },
                "\(value)"
            )
        }
    }

    @Test func `what is left reads as before`() throws {
        let bytes = ByteBuffer(
            string:
                "POST http://h/a HTTP/1.1\r\nCookie: gatehouse-a=1\r\nHost: h\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n"
        )
        var parser = HeadParser(limits: WireLimits())
        #expect(try bytes.withUnsafeReadableBytes { try parser.parseRequest($0) } == .complete)
        let clean = try #require(PortalCookies.removed(fromRequest: bytes, parser))
        #expect(try clean.withUnsafeReadableBytes { try parser.parseRequest($0) } == .complete)
        #expect(parser.framing == .chunked && !parser.keepsAlive && !parser.hasCookies)
        #expect(parser.length == clean.readableBytes)
    }

    @Test func `no answer sets one`() throws {
        let head = "HTTP/1.1 200 OK\r\nSet-Cookie: a=1; Path=/\r\nset-cookie: gatehouse-session=s\r\nB: c\r\n"
        let bytes = ByteBuffer(
            string: head + "Set-Cookie: __Host-gatehouse-session=s; Secure; Path=/\r\nContent-Length: 2\r\n\r\n"
        )
        var parser = HeadParser(limits: WireLimits())
        #expect(try bytes.withUnsafeReadableBytes { try parser.parseResponse($0, isAnswerToHEAD: false) } == .complete)
        #expect(parser.hasCookies)
        #expect(
            PortalCookies.removed(fromResponse: bytes, parser).map { String(buffer: $0) }
                == "HTTP/1.1 200 OK\r\nSet-Cookie: a=1; Path=/\r\nB: c\r\nContent-Length: 2\r\n\r\n"
        )
    }

    @Test(arguments: [
        ("gatehouse-a=1", true), (" \tGateHouse-a=1", true), ("=gatehouse-a=1", true), ("= =gatehouse-a", true),
        ("__HOST-gatehouse-a=1", true), ("a=gatehouse-a", false), ("gatehouse=1", false), ("", false), ("=", false),
    ])
    func `cookies without a name are told by what they are sent back as`(value: String, isOwn: Bool) {
        #expect(PortalCookies.isSet(by: value.utf8) == isOwn)
    }
}

extension Substring {
    fileprivate func trimming(_ isBlank: (Character) -> Bool) -> Substring {
        var text = drop(while: isBlank)
        while let last = text.last, isBlank(last) { text.removeLast() }
        return text
    }
}
