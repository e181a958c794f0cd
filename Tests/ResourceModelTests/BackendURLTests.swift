import ResourceModel
import Testing

@Suite struct BackendURLTests {
    @Test(arguments: [
        ("http://a", false, "a", 80, ""), ("https://a.b-c_d~e/x/y/", true, "a.b-c_d~e", 443, "/x/y/"),
        ("HTTP://127.0.0.1:65535/", false, "127.0.0.1", 65_535, "/"), ("wss://a:1/x%20y", true, "a", 1, "/x%20y"),
        ("http://a/...//x.y/..z;a=b,c/%252e%252e", false, "a", 80, "/...//x.y/..z;a=b,c/%252e%252e"),
        ("http://[::1]", false, "::1", 80, ""),
        ("https://[fe80::1.2.3.4]:8443/a:b", true, "fe80::1.2.3.4", 8443, "/a:b"),
        ("http://xn--bcher-kva.example:080/", false, "xn--bcher-kva.example", 80, "/"),
    ])
    func `addresses are read`(_ text: String, _ isTLS: Bool, _ host: String, _ port: Int, _ path: String) throws {
        let url = try BackendURL(text)
        #expect((url.isTLS, url.host, url.port, url.path) == (isTLS, host, port, path))
        #expect(url.isWebSocket == text.hasPrefix("ws"))
    }

    @Test(
        arguments: [
            ("", .scheme), ("a", .scheme), ("/a", .scheme), ("ftp://a", .scheme), ("http:/a", .scheme),
            ("://a", .scheme),
            ("http://", .noHost), ("http:///a", .noHost), ("http://:80", .noHost), ("http://a b/", .blank),
            ("http://a/x y", .blank),
            (" http://a", .blank), ("http://a ", .blank), ("http://a/\u{9}", .blank), ("http://a\n", .blank),
            ("http://a\u{7F}", .blank),
            ("http://a?x=1", .query), ("http://a/?", .query), ("http://a/b?c", .query), ("http://a#b", .fragment),
            ("http://a/#", .fragment),
            ("http://u@a", .user), ("http://u:p@a/", .user), ("http://bücher.example", .hostNotASCII),
            ("http://点.example/", .hostNotASCII),
            ("http://a/ü", .pathNotASCII), ("http://a:", .port), ("http://a:0", .port), ("http://a:65536", .port),
            ("http://a:-1", .port),
            ("http://a:+80", .port), ("http://a:8o", .port), ("http://a:80:80", .port), ("http://a:999999", .port),
            ("http://[::1]:x", .port),
            ("http://[::1]:", .port), ("http://[::1", .host), ("http://[::1]a", .host), ("http://[a]", .host),
            ("http://[fe80::1%25eth0]", .host),
            ("http://a,b", .host), ("http://a\\b", .host), ("http://a%20b", .host), ("http://{host}/", .host),
            ("http://::1/", .noHost),
            ("http://a/x\"", .pathCharacter), ("http://a/<x>", .pathCharacter), ("http://a/{x}", .pathCharacter),
            ("http://a/[x", .pathCharacter), ("http://a/x^", .pathCharacter), ("http://a/`", .pathCharacter),
            ("http://a/x|y", .pathCharacter), ("http://a/x\\y", .pathCharacter), ("http://a/%", .pathCharacter),
            ("http://a/%2", .pathCharacter), ("http://a/%g0", .pathCharacter), ("http://a/.", .dots),
            ("http://a/x/..", .dots), ("http://a/../x", .dots), ("http://a/%2e%2E/x", .dots),
            ("http://a/x%2F..", .dots), ("http://a/x/.%5cy", .dots), ("http://a/..;x/y", .dots),
            ("http://a/..%3bx", .dots),
        ] as [(String, BackendURL.Problem)]
    )
    func `what is no address is refused by name`(_ text: String, _ problem: BackendURL.Problem) {
        #expect(throws: problem) { try BackendURL(text) }
    }
}
