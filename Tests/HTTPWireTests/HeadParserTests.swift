import HTTPWire
import Testing

@Suite struct HeadParserTests {
    private func parse(_ text: String) throws -> (HeadParser, HeadParser.Outcome) {
        var parser = HeadParser(limits: WireLimits())
        let bytes = Array(text.utf8)
        let outcome = try bytes.withUnsafeBytes { try parser.parseRequest($0) }
        return (parser, outcome)
    }

    @Test func `an ordinary head`() throws {
        let text =
            "POST /a/b?x=1 HTTP/1.1\r\nHost: h\r\nContent-Length: 12\r\nX-Key:  v \r\nConnection: close\r\n\r\nbody"
        let (parser, outcome) = try parse(text)
        #expect(outcome == .complete)
        #expect(parser.framing == .length(12))
        #expect(!parser.keepsAlive)
        #expect(parser.fields.map(\.isHopByHop) == [true, false, false, true])
        Array(text.utf8).withUnsafeBytes { bytes in
            #expect(parser.value("x-key", in: bytes).map { String(decoding: $0, as: UTF8.self) } == "v")
            #expect(String(decoding: bytes[parser.target], as: UTF8.self) == "/a/b?x=1")
            #expect(parser.pathEnd == parser.target.lowerBound + 4)
        }
    }

    @Test func `absolute form names the same host`() throws {
        let text = "GET HTTP://Api.test:81/a/b?c=1 HTTP/1.1\r\nHost: api.TEST:81\r\n\r\n"
        let (parser, outcome) = try parse(text)
        #expect(outcome == .complete)
        let bytes = Array(text.utf8)
        #expect(String(decoding: bytes[parser.target], as: UTF8.self) == "/a/b?c=1")
        #expect(String(decoding: bytes[parser.target.lowerBound..<parser.pathEnd], as: UTF8.self) == "/a/b")
    }

    @Test func `a head may come in any pieces`() throws {
        let text = Array("GET / HTTP/1.1\r\nHost: h\r\n\r\n".utf8)
        var parser = HeadParser(limits: WireLimits())
        for length in 1..<text.count {
            #expect(try text[..<length].withUnsafeBytes { try parser.parseRequest($0) } == .incomplete)
        }
        #expect(try text.withUnsafeBytes { try parser.parseRequest($0) } == .complete)
    }

    @Test(arguments: [
        "GET / HTTP/1.1\r\n\r\n", "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: +1\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: \r\n\r\n",
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999999999999999\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\n folded\r\n\r\n", "GET / HTTP/1.1\r\nHost : a\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\nX: b\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\rX: b\r\n\r\n", "GET / HTTP/1.1\r\nHost: a\u{0}\r\n\r\n",
        "GET /\u{0} HTTP/1.1\r\nHost: a\r\n\r\n",
        "G@T / HTTP/1.1\r\nHost: a\r\n\r\n", "GET  / HTTP/1.1\r\nHost: a\r\n\r\n", "GET / HTTP/1.1 \r\nHost: a\r\n\r\n",
        "GET http://x/ HTTP/1.1\r\nHost: a\r\n\r\n", "GET http://u@a/ HTTP/1.1\r\nHost: u@a\r\n\r\n",
        "GET http://a HTTP/1.1\r\nHost: a\r\n\r\n", "GET / HTTP/1.1\r\nHost: a, b\r\n\r\n",
        "GET /#f HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET / HTTP/2.0\r\nHost: a\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\n: x\r\n\r\n", "GET / HTTP/1.1\r\nHost: a\r\nX\r\n\r\n",
    ])
    func `what could be read in two ways is refused`(_ text: String) {
        #expect(throws: HeadError.self) { try parse(text) }
    }

    private func field(_ name: StaticString, _ text: String) throws -> String? {
        let (parser, _) = try parse(text)
        return Array(text.utf8).withUnsafeBytes { bytes in
            parser.value(name, in: bytes).map { String(decoding: $0, as: UTF8.self) }
        }
    }

    @Test func `a field in several lines is a list, and no single value`() throws {
        let text =
            "GET / HTTP/1.1\r\nHost: a\r\nX-One: a\r\nX-Proto: https, ftp\r\nx-proto:  http ,\tHTTPS , \r\nX-Key: k\r\nx-KEY: k\r\n\r\n"
        #expect(try field("x-one", text) == "a")
        #expect(try field("x-key", text) == ",")
        #expect(try field("x-none", text) == nil)
        let (parser, _) = try parse(text)
        Array(text.utf8).withUnsafeBytes { bytes in
            #expect(parser.lastMember("x-proto", in: bytes).map { String(decoding: $0, as: UTF8.self) } == "HTTPS")
            #expect(parser.lastMember("x-none", in: bytes) == nil)
            #expect(parser.value(lowercased: Array("x-key".utf8), in: bytes).map(Array.init) == [0x2C])
            var seen: [String] = []
            parser.forEachValue("x-proto", in: bytes) { seen.append(String(decoding: $0, as: UTF8.self)) }
            #expect(seen == ["https, ftp", "http ,\tHTTPS ,"])
        }
    }

    @Test(arguments: [
        ("1.1", "", true), ("1.1", "Connection: keep-alive\r\nConnection: close\r\n", false),
        ("1.1", "Connection: close\r\nConnection: keep-alive\r\n", false),
        ("1.1", "Connection: X-A, CLOSE\r\n", false), ("1.1", "Connection: X-A\r\nConnection: X-B , close,\r\n", false),
        ("1.0", "", false), ("1.0", "Connection: Keep-Alive\r\n", true),
        ("1.0", "Connection: X-A, keep-alive\r\n", true),
        ("1.0", "Connection: close\r\nConnection: keep-alive\r\n", false),
    ])
    func `all lines of Connection are one list`(_ version: String, _ lines: String, _ keepsAlive: Bool) throws {
        let (parser, _) = try parse("GET / HTTP/\(version)\r\nHost: a\r\nX-A: 1\r\nX-B: 2\r\n\(lines)\r\n")
        #expect(parser.keepsAlive == keepsAlive)
        let names = lines.contains("X-B") ? [true, true] : lines.contains("X-A") ? [true, false] : [false, false]
        #expect(parser.fields[1...2].map(\.isHopByHop) == names)
    }

    @Test(arguments: [
        "Upgrade: websocket\r\nConnection: upgrade\r\n",
        "Upgrade: h2c, WebSocket\r\nConnection: keep-alive, Upgrade\r\n",
        "Upgrade: h2c\r\nUpgrade: websocket\r\nConnection: keep-alive\r\nConnection: upgrade\r\n",
    ])
    func `a list that holds the WebSocket asks for it`(_ lines: String) throws {
        #expect(try parse("GET / HTTP/1.1\r\nHost: a\r\n\(lines)\r\n").0.upgradesToWebSocket)
        #expect(
            try !parse("GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websockets, h2c\r\nConnection: upgrade\r\n\r\n").0
                .upgradesToWebSocket
        )
    }

    @Test(
        arguments: [
            // Status, its fields, those that stay, whether the connection may be used again.
            (204, "Transfer-Encoding: chunked\r\n", [], false), (204, "Content-Length: 0\r\n", [], true),
            (204, "Content-Length: 5\r\n", [], false), (304, "Transfer-Encoding: chunked\r\n", [], false),
            (304, "Content-Length: 5\r\n", ["Content-Length"], true),
            (101, "Transfer-Encoding: chunked\r\n", [], false),
            (204, "Transfer-Encoding: gzip, chunked\r\n", [], false),
            (304, "Transfer-Encoding: identity\r\nContent-Length: 0\r\n", [], false),
            (103, "Transfer-Encoding: gzip\r\n", [], false), (204, "Content-Length: x\r\n", [], false),
            (304, "Content-Length: 1\r\nContent-Length: 2\r\n", [], false),
            (200, "Transfer-Encoding: chunked\r\n", ["Transfer-Encoding"], true), (204, "", [], true),
        ] as [(Int, String, [String], Bool)]
    )
    func `a status without a body says nothing of one`(
        _ status: Int,
        _ lines: String,
        _ names: [String],
        _ isKept: Bool
    ) throws {
        var parser = HeadParser(limits: WireLimits())
        let bytes = Array("HTTP/1.1 \(status) X\r\n\(lines)ETag: x\r\n\r\n".utf8)
        #expect(try bytes.withUnsafeBytes { try parser.parseResponse($0, isAnswerToHEAD: false) } == .complete)
        let kept = parser.fields.filter { !$0.isHopByHop }.map {
            String(decoding: bytes[Int($0.nameStart)..<Int($0.nameEnd)], as: UTF8.self)
        }
        #expect(kept == names + ["ETag"])
        #expect(parser.keepsAlive == isKept)
        #expect((parser.framing == .none) == (status != 200))
    }

    @Test func `sizes are bounded`() {
        let long = "GET /\(String(repeating: "a", count: 17 << 10)) HTTP/1.1\r\nHost: a\r\n\r\n"
        #expect(throws: HeadError.targetTooLong) { try parse(long) }
        let endless = "GET / HTTP/1.1\r\nHost: a\r\nX: \(String(repeating: "a", count: 33 << 10))"
        #expect(throws: HeadError.tooLarge) { try parse(endless) }
        let many = "GET / HTTP/1.1\r\nHost: a\r\n" + String(repeating: "X: 1\r\n", count: 200) + "\r\n"
        #expect(throws: HeadError.tooLarge) { try parse(many) }
    }

    @Test func `random bytes never break it`() {
        var generator = SystemRandomNumberGenerator()
        let pieces = [
            "GET ", "/", " HTTP/1.1", "\r\n", "Host: a", ":", " ", "\n", "\r", "Content-Length: 5", "\u{0}", "chunked",
            "\t",
        ]
        for _ in 0..<5000 {
            var text = ""
            for _ in 0..<Int.random(in: 0..<20, using: &generator) {
                text += pieces.randomElement(using: &generator) ?? ""
            }
            _ = try? parse(text)
            _ = try? parse(text + "\r\n\r\n")
        }
    }
}

@Suite struct ChunkedBodyTests {
    private func read(_ text: String, pieces: Int = .max) throws -> (String, Int, Bool) {
        var body = ChunkedBody()
        var content: [UInt8] = []
        var taken = 0
        let bytes = Array(text.utf8)
        for start in stride(from: 0, to: bytes.count, by: min(pieces, max(1, bytes.count))) where !body.isDone {
            let piece = Array(bytes[start..<min(bytes.count, start + min(pieces, bytes.count))])
            taken += try piece.withUnsafeBytes { raw in
                try body.feed(raw) { content += Array(raw[$0]) }
            }
        }
        return (String(decoding: content, as: UTF8.self), taken, body.isDone)
    }

    @Test(arguments: [1, 2, 3, 1000])
    func `content is found in any pieces`(_ pieces: Int) throws {
        let text = "5\r\nhello\r\nA;x=y\r\n0123456789\r\n0\r\nTrailer: 1\r\n\r\nGET"
        let (content, taken, isDone) = try read(text, pieces: pieces)
        #expect(content == "hello0123456789")
        #expect(isDone && taken == text.utf8.count - 3)
    }

    @Test(arguments: [
        "5;a=b", "5 ;a", "5\t;a", "5; a", "5;a ;b", "5;a =b", "5;a= b", "5 \t; \ta \t= \tb \t; c", "5;a=\"x y\" ;b",
        "5 ; a = \" ;=\\\" \" ; b",
    ])
    func `blanks stand around the semicolon and the sign of an extension`(_ line: String) throws {
        for pieces in [1, 1000] {
            let (content, _, isDone) = try read("\(line)\r\nhello\r\n0 ; last\r\n\r\n", pieces: pieces)
            #expect(content == "hello" && isDone)
        }
    }

    @Test(arguments: [
        "5 ", "5\t", " 5", "5 5;a", "5 a", "5;", "5; ", "5;a ", "5;a\t", "5;a= ", "5;a=b ", "5;a=\"b\" ", "5;a b",
        "5;a=b c", "5;a=\"b\"c",
        "5 ;;a", "5;a==b", "5 =a", "5;a=b=c", ";a", " ;a",
    ])
    func `a blank elsewhere in a chunk's line is refused`(_ line: String) {
        #expect(throws: HeadError.self) { try read("\(line)\r\nhello\r\n0\r\n\r\n") }
    }

    @Test func `blanks of extensions are bounded`() {
        let blanks = String(repeating: " ", count: 9 << 10)
        #expect(throws: HeadError.tooLarge) { try read("5;a\(blanks)=b\r\nhello\r\n0\r\n\r\n") }
    }

    @Test(arguments: [
        "\r\n", "x\r\n", "5\r\nhelloX", "5\nhello", "FFFFFFFFFFFFFFFFF\r\n", "0\r\nA\nB\r\n\r\n", "0\r\nA\r\n\r\n",
        "0\r\n: b\r\n\r\n",
    ])
    func `broken framing is refused`(_ text: String) {
        #expect(throws: HeadError.self) { try read(text) }
    }

    @Test func `bytes are the same where each of them is`() {
        for count in [0, 1, 7, 8, 9, 31, 32, 33, 64, 100] {
            let one = (0..<count).map { UInt8($0) }
            #expect(one.withUnsafeBytes { left in Array(one).withUnsafeBytes { Octets.areSame(left, $0) } })
            for place in 0..<count {
                var other = one
                other[place] ^= 0x80
                #expect(!one.withUnsafeBytes { left in other.withUnsafeBytes { Octets.areSame(left, $0) } })
            }
        }
        #expect(
            ![UInt8](repeating: 0, count: 8).withUnsafeBytes { left in
                [UInt8](repeating: 0, count: 9).withUnsafeBytes { Octets.areSame(left, $0) }
            }
        )
    }

    @Test func `numbers and ids are written into room that was taken ahead`() {
        let room = UnsafeMutableRawBufferPointer.allocate(byteCount: 64, alignment: 1)
        defer { room.deallocate() }
        for number in [0, 9, 10, 99, 100, 12345, 1_000_000_000_000_000_000, Int.max] {
            var writer = RoomWriter(room)
            writer.writeDecimal(number)
            #expect(String(decoding: room[..<writer.count], as: UTF8.self) == String(number))
        }
        for id in [0, 1, 0x0123_4567_89AB_CDEF, UInt64.max, 0x9F0A_A0F9_0000_000A] {
            var writer = RoomWriter(room)
            writer.writeHex(id)
            let digits = String(id, radix: 16)
            let padded = String(repeating: "0", count: 16 - digits.count) + digits
            #expect(String(decoding: room[..<writer.count], as: UTF8.self) == String(padded.reversed()))
        }
    }
}
