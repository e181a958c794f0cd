import Foundation
package import Store

/// Where a page of names goes on, as text that clients hand back.
///
/// A marker says what was shown last, so that it holds whatever is written between two pages.
package struct ListMarker: Sendable, Equatable {
    package let start: BlobQuery.Start

    init(_ start: BlobQuery.Start) { self.start = start }

    /// - Returns: nil for what this store did not make.
    package init?(_ marker: String) {
        guard let bytes = Data(base64Encoded: marker), String(validating: bytes, as: UTF8.self) != nil else {
            return nil
        }
        // No name holds a zero.
        let parts = bytes.split(separator: 0, omittingEmptySubsequences: false).map {
            String(decoding: $0, as: UTF8.self)
        }
        switch parts.count {
        case 2: start = .after(parts[0], snapshot: parts[1].isEmpty ? nil : parts[1])
        case 3 where parts[1].isEmpty && parts[2] == Self.group: start = .past(prefix: parts[0])
        default: return nil
        }
    }

    private static let group = "group"

    package var text: String {
        let text =
            switch start {
            case .beginning: "\u{0}"
            case .after(let name, let snapshot): "\(name)\u{0}\(snapshot ?? "")"
            case .past(let prefix): "\(prefix)\u{0}\u{0}\(Self.group)"
            }
        return Data(text.utf8).base64EncodedString()
    }
}
