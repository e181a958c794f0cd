import Foundation
import Telemetry

/// The request line of a call as it may be written down.
enum RequestText {
    /// Bytes of a URL that are kept: what comes after tells little and would fill the store.
    private static let urlBytesMax = 2048

    /// Method and URL; values of query parameters that are secrets, by their names, are replaced.
    static func words(_ event: RequestEvent) -> (method: String, url: String) {
        let blank = event.line.firstIndex(of: 0x20) ?? event.line.endIndex
        let method = String(decoding: event.line[..<blank], as: UTF8.self)
        let target = event.line[min(blank + 1, event.line.endIndex)...]
        guard let mark = target.firstIndex(of: 0x3F) else { return (method, text(target)) }
        var items: [String] = []
        for item in target[(mark + 1)...].split(separator: 0x26, omittingEmptySubsequences: false) {
            let equals = item.firstIndex(of: 0x3D) ?? item.endIndex
            let name = String(decoding: item[..<equals], as: UTF8.self)
            let word = (name.removingPercentEncoding ?? name).lowercased()
            let value = String(decoding: item[min(equals + 1, item.endIndex)...], as: UTF8.self)
            let isKey = word.utf8.elementsEqual(event.keyParameter)
            // What an OAuth server hands a browser on its way back is a secret too.
            let kept = isKey || word == "code" ? Redactor.mark : Redactor.redact(key: word, value: value)
            items.append(equals == item.endIndex ? name : "\(name)=\(kept)")
        }
        return (method, text(target[...mark]) + text(Array(items.joined(separator: "&").utf8)[...]))
    }

    private static func text(_ bytes: ArraySlice<UInt8>) -> String {
        String(decoding: bytes.prefix(urlBytesMax), as: UTF8.self)
    }
}
