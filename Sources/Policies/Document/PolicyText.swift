/// The text of a policy document with its named values put in, which still knows where each byte stood before.
struct PolicyText {
    /// Bytes of a document (contracts/api-management.md 1.1), and of one whose named values were put in.
    static let bytesMax = 256 << 10
    static let expandedBytesMax = 1 << 20

    private struct Piece {
        let start: Int
        let original: Int
        /// Put in for `{{name}}`: all of it stands at the place of the name.
        let isNamedValue: Bool
    }

    let bytes: [UInt8]
    private let original: [UInt8]
    private let pieces: [Piece]

    /// - Parameter namedValue: the value of a named value's display name; nil where there is none.
    init(_ text: String, namedValue: (String) -> String?) throws(PolicyDiagnostic) {
        original = Array(text.utf8)
        guard original.count <= PolicyText.bytesMax else {
            throw PolicyDiagnostic(
                message: "A policy document may have \(PolicyText.bytesMax >> 10) KiB.",
                line: 1,
                column: 1
            )
        }
        var bytes: [UInt8] = []
        bytes.reserveCapacity(original.count)
        var pieces = [Piece(start: 0, original: 0, isNamedValue: false)]
        var place = 0
        while place < original.count {
            guard let name = PolicyText.namedValue(original, place) else {
                bytes.append(original[place])
                place += 1
                continue
            }
            guard let value = namedValue(String(decoding: original[name], as: UTF8.self)) else {
                throw PolicyText.diagnostic(
                    "Cannot find a named value \"\(String(decoding: original[name], as: UTF8.self))\".",
                    original,
                    place
                )
            }
            pieces.append(Piece(start: bytes.count, original: place, isNamedValue: true))
            bytes.append(contentsOf: value.utf8)
            place = name.upperBound + 2
            pieces.append(Piece(start: bytes.count, original: place, isNamedValue: false))
            guard bytes.count <= PolicyText.expandedBytesMax else {
                throw PolicyText.diagnostic("The document is too long with its named values.", original, place)
            }
        }
        self.bytes = bytes
        self.pieces = pieces
    }

    /// The display names that a text refers to, each once.
    static func namedValues(in text: String) -> [String] {
        let bytes = Array(text.utf8)
        var found: [String] = []
        var place = 0
        while place < bytes.count {
            guard let name = namedValue(bytes, place) else {
                place += 1
                continue
            }
            let word = String(decoding: bytes[name], as: UTF8.self)
            if !found.contains(word) { found.append(word) }
            place = name.upperBound + 2
        }
        return found
    }

    /// The name in `{{name}}` at a place; doubled braces that hold no name, as those of interpolated strings, are text.
    private static func namedValue(_ bytes: [UInt8], _ place: Int) -> Range<Int>? {
        guard place + 4 < bytes.count, bytes[place] == 0x7B, bytes[place + 1] == 0x7B else { return nil }
        var end = place + 2
        while end < bytes.count, isNameByte(bytes[end]) { end += 1 }
        guard end > place + 2, end - place - 2 <= 256, end + 1 < bytes.count, bytes[end] == 0x7D, bytes[end + 1] == 0x7D
        else { return nil }
        return (place + 2)..<end
    }

    private static func isNameByte(_ byte: UInt8) -> Bool {
        switch byte {
        case 0x30...0x39, 0x41...0x5A, 0x61...0x7A, 0x2D, 0x2E, 0x5F: true
        default: false
        }
    }

    /// Whether a range holds bytes of a named value, which may be a secret and must not be quoted.
    func holdsNamedValue(_ range: Range<Int>) -> Bool {
        pieces.indices.contains { place in
            let end = place + 1 < pieces.count ? pieces[place + 1].start : bytes.count
            return pieces[place].isNamedValue && pieces[place].start < range.upperBound && end > range.lowerBound
        }
    }

    /// The words as they may be shown.
    func quotable(_ range: Range<Int>) -> String {
        holdsNamedValue(range) ? "…" : String(decoding: bytes[range].prefix(80), as: UTF8.self)
    }

    func diagnostic(_ message: String, at offset: Int) -> PolicyDiagnostic {
        let piece = pieces.last { $0.start <= offset } ?? pieces[0]
        let place = piece.isNamedValue ? piece.original : piece.original + offset - piece.start
        return PolicyText.diagnostic(message, original, min(place, original.count))
    }

    private static func diagnostic(_ message: String, _ bytes: [UInt8], _ place: Int) -> PolicyDiagnostic {
        let before = bytes[..<place]
        let lineStart = before.lastIndex(of: 0x0A).map { $0 + 1 } ?? 0
        return PolicyDiagnostic(
            message: message,
            line: before.count { $0 == 0x0A } + 1,
            column: String(decoding: before[lineStart...], as: UTF8.self).count + 1
        )
    }
}
