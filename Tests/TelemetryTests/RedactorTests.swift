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
}
