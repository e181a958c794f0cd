import HTTPWire
import NIOCore
import Testing

@Suite struct RefusedHeadTests {
    private func read(_ text: String, bytesMax: Int = 1000) -> RefusedHead {
        RefusedHead(ByteBuffer(string: text), bytesMax: bytesMax)
    }

    @Test(arguments: [
        ("GET /a/b?c=d HTTP/1.1\r\n", "GET", "/a/b?c=d"), ("PUT HTTP://h:1/a HTTP/1.1\r\n", "PUT", "/a"),
        ("GET /a b HTTP/9\n", "GET", "/a"),
        ("GET http://h\r\n", "", ""), ("G@T /a HTTP/1.1\r\n", "", ""), (" /a\r\n", "", ""), ("GET\r\n", "", ""),
        ("GET /a HTTP/1.1", "", ""),
        ("GET * HTTP/1.1\r\n", "", ""), ("GET ftp://h:1/a HTTP/1.1\r\n", "", ""), ("", "", ""), ("\r\n", "", ""),
    ])
    func `a request line is read as far as it can be`(text: String, method: String, target: String) {
        let head = read(text)
        #expect(head.method == method && head.target == target)
    }

    @Test func `lines of plain text are fields`() {
        let head = read(
            "GET / HTTP/1.1\r\nA: 1\r\nB\u{1}: 2\r\nC: \u{1}\r\nD :3\r\nE:\t4 \r\nF:\r\n: g\r\nH: 5\r\n\r\nI: 6\r\n"
        )
        #expect(head.fields.map { "\($0.name)=\($0.value)" } == ["A=1", "E=4", "F=", "H=5"])
        #expect(read("GET / HTTP/1.1\r\nA: 1\r\nB: 22", bytesMax: 25).fields.map(\.name) == ["A"])
    }
}
