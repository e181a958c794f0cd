import Logging
import Synchronization
import Telemetry
import Testing

@Suite struct RedactorTests {
    @Test(arguments: [
        "Authorization: Bearer abc123", "bearer abc123 and more", "x?sig=abc123&se=1", "AccountKey=abc123;Next=1",
        "GET /a?subscription-key=abc123", "Ocp-Apim-Subscription-Key: abc123",
    ])
    func `secrets in texts are replaced`(_ text: String) {
        #expect(!Redactor.redact(text).contains("abc123"))
    }

    @Test func `values under the name of a secret are replaced whole`() {
        let lines = Mutex<[String]>([])
        var logger = Logger(label: "test") { label in
            RedactingLogHandler(label: label) { line in lines.withLock { $0.append(line) } }
        }
        logger[metadataKey: "subscription.key"] = "abc123"
        logger.info("called", metadata: ["request.id": "visible", "api.token": "abc123"])
        let line = lines.withLock { $0.first ?? "" }
        #expect(line.contains("visible") && !line.contains("abc123"))
    }

    private static let secretNames = [
        "pwd", "PWD", "pWd", "user_pwd", "userPwd", "USERPWD", "user%5Bpwd%5D", "%70wd", "%2570wd", "p%77d%zz",
        "new-password", "passwd",
        "assertion", "client_assertion", "auth", "x-auth", "authToken", "jwt", "id_token_hint", "idToken",
        "accesstoken", "refresh_token",
        "session", "sessionid", "JSESSIONID", "PHPSESSID", "session_state", "SAMLResponse", "SAMLRequest", "samlart",
        "code", "auth_code",
        "authcode", "device_code", "user_code", "code_verifier", "client_secret", "sig", "Signature", "X-Amz-Signature",
        "X-Amz-Credential",
        "api_key", "apikey", "API-Key", "subscription-key", "accountkey", "userpass", "sv_sas", "otp", "ticket",
        "my+pwd", "key1", "pwd2",
        "Authorization", "cookie", "hmac",
    ]
    private static let harmlessNames = [
        "page", "keyword", "monkey", "author", "authority", "design", "signal", "country_code", "zipCode", "statuscode",
        "codec", "encoding",
        "compass", "passenger", "assess", "pinned", "sort", "lang", "top", "$filter", "macro", "cook",
        "idtype", "ticketing",
    ]

    @Test(arguments: secretNames) func `parameters that are secrets by their names stand in no address`(_ name: String)
    {
        for text in [
            "/a?\(name)=abc123", "/a?x=1&\(name)=abc/1;2=3&y=2", "/a;\(name)=abc123/b", "/a?x#\(name)=abc123",
            "/a/\(name)=abc123/b",
            "https://h/a?\(name)=abc123", "/a?next=%2Fb%3F\(name)%3Dabc123", "/a?x=1;\(name)=abc123",
            "/a?\(name)%3Dabc123",
            "/a?state=%7B%22\(name)%22%3A%22abc123%22%7D",
        ] {
            let shown = Redactor.address(text)
            #expect(!shown.contains("abc") && shown.contains(Redactor.mark), "\(text) → \(shown)")
        }
        #expect(!Redactor.redact("called GET /a?x=1&\(name)=abc123 in 3 ms").contains("abc123"))
    }

    @Test(arguments: harmlessNames) func `other parameters stay`(_ name: String) {
        for text in [
            "/a?\(name)=abc123&y=2", "/a;\(name)=abc123/b", "/a?next=%2Fb%3F\(name)%3Dabc123",
            "/a?t=12:30:00&u=http://h:80/x",
        ] {
            #expect(Redactor.address(text) == text)
        }
    }

    @Test func `a password before the host is no part of an address that is shown`() {
        #expect(Redactor.address("https://me:abc123@host/a?b=c") == "https://[redacted]@host/a?b=c")
    }

    @Test func `names of programs are no names of parameters`() {
        #expect(Redactor.redact(key: "error.code", value: "abc123") == "abc123")
        #expect(Redactor.redact(key: "user.pwd", value: "abc123") == Redactor.mark)
        #expect(
            Redactor.redact("Error Domain=NSCocoaErrorDomain Code=260") == "Error Domain=NSCocoaErrorDomain Code=260"
        )
        #expect(!Redactor.redact("back at /signed-in?code=abc123").contains("abc123"))
    }
}
