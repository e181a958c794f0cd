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
