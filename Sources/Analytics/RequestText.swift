import Telemetry

/// The request line of a call as it may be written down.
enum RequestText {
    /// Bytes of a URL that are kept: what comes after tells little and would fill the store.
    private static let urlBytesMax = 2048

    /// Method and URL; values of parameters that are secrets, by their names, are replaced.
    static func words(_ event: RequestEvent) -> (method: String, url: String) {
        let blank = event.line.firstIndex(of: 0x20) ?? event.line.endIndex
        let method = String(decoding: event.line[..<blank], as: UTF8.self)
        let target = String(decoding: event.line[min(blank + 1, event.line.endIndex)...], as: UTF8.self)
        let shown = Redactor.address(target) { $0.utf8.elementsEqual(event.keyParameter) }
        return (method, text(Array(shown.utf8)[...]))
    }

    private static func text(_ bytes: ArraySlice<UInt8>) -> String {
        String(decoding: bytes.prefix(urlBytesMax), as: UTF8.self)
    }
}
