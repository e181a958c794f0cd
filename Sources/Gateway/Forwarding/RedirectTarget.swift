package import HTTPWire
import Policies

/// Where a `Location` points.
package struct RedirectTarget {
    /// Scheme and authority.
    package let base: String
    package let path: String
    package let query: String
    /// Whether it is another host than the one that answered.
    package let isElsewhere: Bool

    /// What an answer's `Location` says; nil where it says none, or says it in several lines, which point nowhere together.
    static func location(_ source: WireResponseSource) -> String? {
        let lines = source.values("location")
        return lines.count == 1 ? lines[0] : nil
    }

    /// - Parameters:
    ///   - from: whose answer it was.
    ///   - path: of the request that it answered.
    /// - Returns: nil for a place that is not gone to.
    package init?(_ location: String, from: UpstreamAddress, path: String) {
        let origin = (from.isTLS ? "https://" : "http://") + from.authority
        var absolute = String(location.prefix { $0 != "#" })
        if absolute.hasPrefix("//") {
            absolute = (from.isTLS ? "https:" : "http:") + absolute
        } else if absolute.hasPrefix("/") {
            absolute = origin + absolute
        } else if absolute.firstRange(of: "://") == nil {
            let folder = path.lastIndex(of: "/").map { path[...$0] } ?? "/"
            absolute = origin + folder + absolute
        }
        let mark = absolute.firstIndex(of: "?")
        let bare = RedirectTarget.resolved(String(absolute[..<(mark ?? absolute.endIndex)]))
        query = mark.map { String(absolute[absolute.index(after: $0)...]) } ?? ""
        guard query.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F }),
            case .http(let address, let prefix)? = try? APIRoute.Backend(url: bare), !from.isTLS || address.isTLS
        else { return nil }
        base = (address.isTLS ? "https://" : "http://") + address.authority
        self.path = prefix.isEmpty ? "/" : bare.hasSuffix("/") ? prefix + "/" : prefix
        isElsewhere =
            (address.host.lowercased(), address.port, address.isTLS)
            != (from.host.lowercased(), from.port, from.isTLS)
    }

    /// An absolute URL whose path has no segments of dots (RFC 3986, 5.2.4) and no delimiters that must be escaped; blanks, control characters
    /// and what is not ASCII stay, so that it is refused.
    private static func resolved(_ text: String) -> String {
        guard text.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F }), let mark = text.firstRange(of: "://"),
            let start = text[mark.upperBound...].firstIndex(of: "/")
        else { return text }
        let segments = text[start...].dropFirst().split(separator: "/", omittingEmptySubsequences: false)
        var kept: [Substring] = []
        for (index, segment) in segments.enumerated() {
            guard segment == "." || segment == ".." else {
                kept.append(segment)
                continue
            }
            if segment == ".." { _ = kept.popLast() }
            if index == segments.count - 1 { kept.append("") }
        }
        return text[..<start] + "/" + PercentText.finished(Array(kept.joined(separator: "/").utf8), isQuery: false)
    }
}
