import Gateway
import NIOCore
import Policies
import Testing

@Suite struct EditedHeadTests {
    @Test func `policies set no cookie of the portal`() {
        var headers = HeaderEdits()
        headers.set("SET-Cookie", ["a=1", "gatehouse-session=s", " __Host-Gatehouse-x=1", "b=2; Path=/"])
        headers.set("X-A", ["gatehouse-session=s"])
        headers.set("X-Gone", [])
        var output = ByteBuffer()
        EditedHead.write(headers.edits, &output)
        #expect(String(buffer: output) == "SET-Cookie: a=1\r\nSET-Cookie: b=2; Path=/\r\nX-A: gatehouse-session=s\r\n")
    }
}
