package import NIOCore

/// The cookies of the portal, which browsers send to every port of its host: at the other doors they are nobody's.
///
/// Whoever reads one of them acts as the person who is signed in, and whoever sets one signs others in as himself (RFC 6265, 8.5: cookies
/// know no ports). So the other doors take them out of what comes before anybody sees it, and out of what backends and policies answer.
package enum PortalCookies {
    /// What the names of all of them begin with, without case.
    package static let namePrefix = "gatehouse-"
    /// What browsers give a meaning to when it stands before a name.
    package static let markers = ["__host-", "__secure-"]

    private static let prefixes: [[UInt8]] = ([""] + markers).map { Array(($0 + namePrefix).utf8) }

    /// A request's head without them.
    ///
    /// - Returns: nil where it holds none, and goes on as it came.
    package static func removed(fromRequest head: ByteBuffer, _ parser: HeadParser) -> ByteBuffer? {
        rewritten(head, parser, "cookie") { value in
            CookieList.without(value).map { $0.isEmpty ? .drop : .replace($0) } ?? .keep
        }
    }

    /// The head of an answer without those that it sets.
    ///
    /// - Returns: nil where it sets none, and goes on as it came.
    package static func removed(fromResponse head: ByteBuffer, _ parser: HeadParser) -> ByteBuffer? {
        rewritten(head, parser, "set-cookie") { isSet(by: $0) ? .drop : .keep }
    }

    /// Whether a value of Set-Cookie sets one of them.
    ///
    /// A cookie without a name is sent back as its value alone, and so reads as one that has a name.
    package static func isSet(by value: some Collection<UInt8>) -> Bool {
        isOwn(value.drop { $0 == 0x20 || $0 == 0x09 || $0 == 0x3D })
    }

    /// Whether a cookie of that name, or one that begins with it, is one of them.
    fileprivate static func isOwn(_ name: some Collection<UInt8>) -> Bool {
        prefixes.contains { prefix in
            name.prefix(prefix.count).lazy.map { $0 &- 0x41 < 26 ? $0 | 0x20 : $0 }.elementsEqual(prefix)
        }
    }

    private enum Verdict {
        case keep
        case drop
        case replace([UInt8])
    }

    /// Judges each line of that name; what stays is copied in stretches.
    private static func rewritten(
        _ head: ByteBuffer,
        _ parser: HeadParser,
        _ name: StaticString,
        _ judge: (UnsafeRawBufferPointer) -> Verdict
    ) -> ByteBuffer? {
        head.withUnsafeReadableBytes { raw in
            var output = ByteBuffer()
            var start = 0
            for field in parser.fields {
                let range = { (from: Int32, to: Int32) in UnsafeRawBufferPointer(rebasing: raw[Int(from)..<Int(to)]) }
                guard Octets.equal(range(field.nameStart, field.nameEnd), name) else { continue }
                switch judge(range(field.valueStart, field.valueEnd)) {
                case .keep: continue
                case .drop:
                    output.writeBytes(raw[start..<Int(field.nameStart)])
                    start = Int(field.lineEnd)
                case .replace(let value):
                    output.writeBytes(raw[start..<Int(field.valueStart)])
                    output.writeBytes(value)
                    start = Int(field.valueEnd)
                }
            }
            guard start > 0 else { return nil }
            output.writeBytes(raw[start...])
            return output
        }
    }
}

/// The cookies of one line of a request.
enum CookieList {
    /// The line's value without the portal's cookies.
    ///
    /// It is read as the most careless of readers would: cookies end at `;` and at `,`, also between quotes, and what else stands between
    /// the quotes of one that goes, goes with it, as do its `$Path`, `$Domain` and `$Port`.
    /// - Returns: nil where it holds none of them; empty where it holds nothing else.
    static func without(_ value: UnsafeRawBufferPointer) -> [UInt8]? {
        var kept: [UInt8] = []
        var hasCookie = false
        var hasDropped = false
        var isDropping = false
        var offset = 0
        while offset < value.count {
            let separator = offset > 0 ? value[offset - 1] : nil
            var end = endOfPiece(value, from: offset)
            let piece = trimmed(value, offset..<end)
            let isAttribute = value[piece].first == 0x24
            if PortalCookies.isOwn(value[piece]) {
                isDropping = true
                hasDropped = true
                end = endOfQuotes(value, piece, end)
            } else if !(isAttribute && isDropping && !isVersion(value[piece])) {
                isDropping = false
                if !piece.isEmpty, !isAttribute { hasCookie = true }
                if kept.isEmpty {
                    kept += value[piece]
                } else {
                    if let separator { kept.append(separator) }
                    kept += value[offset..<end]
                }
            }
            offset = end + 1
        }
        guard hasDropped else { return nil }
        return hasCookie ? kept : []
    }

    private static func endOfPiece(_ value: UnsafeRawBufferPointer, from start: Int) -> Int {
        value[start...].firstIndex { $0 == 0x3B || $0 == 0x2C } ?? value.count
    }

    private static func trimmed(_ value: UnsafeRawBufferPointer, _ range: Range<Int>) -> Range<Int> {
        var (start, end) = (range.lowerBound, range.upperBound)
        while start < end, value[start] == 0x20 || value[start] == 0x09 { start += 1 }
        while end > start, value[end - 1] == 0x20 || value[end - 1] == 0x09 { end -= 1 }
        return start..<end
    }

    /// `$Version` is that of the whole list, the other attributes are those of the cookie before them.
    private static func isVersion(_ piece: Slice<UnsafeRawBufferPointer>) -> Bool {
        Octets.equal(UnsafeRawBufferPointer(rebasing: piece.prefix(8)), "$version")
    }

    /// Where a piece ends whose value may be quoted: quotes that are never closed are none.
    private static func endOfQuotes(_ value: UnsafeRawBufferPointer, _ piece: Range<Int>, _ end: Int) -> Int {
        guard let equals = value[piece].firstIndex(of: 0x3D) else { return end }
        var offset = equals + 1
        while offset < end, value[offset] == 0x20 || value[offset] == 0x09 { offset += 1 }
        guard offset < end, value[offset] == 0x22 else { return end }
        offset += 1
        while offset < value.count, value[offset] != 0x22 { offset += value[offset] == 0x5C ? 2 : 1 }
        return offset < value.count ? endOfPiece(value, from: offset) : end
    }
}

extension DownstreamConnection {
    /// Takes the portal's cookies out of the head that has come, before anybody has seen it.
    ///
    /// - Returns: false where nothing is left that could have come.
    func dropPortalCookies() -> Bool {
        guard let head = PortalCookies.removed(fromRequest: head, parser) else { return true }
        return replaceHead(head)
    }
}
