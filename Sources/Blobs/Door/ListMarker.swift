import Foundation

/// Where a page of blobs goes on: after a name, and after one of its snapshots.
///
/// A marker says what was shown last, so that it holds whatever is written between two pages.
struct ListMarker {
    var name: String
    var snapshot: String?

    init(name: String, snapshot: String?) {
        self.name = name
        self.snapshot = snapshot
    }

    init?(_ marker: String) {
        guard let data = Data(base64Encoded: marker), let text = String(data: data, encoding: .utf8) else { return nil }
        let parts = text.split(separator: "\u{0}", omittingEmptySubsequences: false).map(String.init)
        guard parts.count == 2 else { return nil }
        self.init(name: parts[0], snapshot: parts[1].isEmpty ? nil : parts[1])
    }

    var text: String { Data("\(name)\u{0}\(snapshot ?? "")".utf8).base64EncodedString() }
}
