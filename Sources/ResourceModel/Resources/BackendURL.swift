/// An address that calls are sent to, as a service URL, a backend's URL or the `base-url` of a policy says it:
/// `scheme://host[:port][/path]`.
package struct BackendURL: Sendable, Equatable {
    /// Why a text is no such address; `words` go on from "The value …".
    package enum Problem: Error, Sendable, Equatable {
        case blank, scheme, query, fragment, user, noHost, host, hostNotASCII, port, pathNotASCII, pathCharacter, dots

        package var words: String {
            switch self {
            case .blank: "must not contain blanks or control characters"
            case .scheme: "must be an absolute URL of http or https"
            case .query: "must not have a query"
            case .fragment: "must not have a fragment"
            case .user: "must not have a user name"
            case .noHost: "must have a host"
            case .host: "has a host that is neither a name nor an address"
            case .hostNotASCII: "must have a host in ASCII: an international name is written as \"xn--…\""
            case .port: "has a port that is not a whole number from 1 to 65535"
            case .pathNotASCII: "must have a path in ASCII: other characters are written as \"%XX\""
            case .pathCharacter:
                "has a character in its path that must be written as \"%XX\", or a \"%\" without two hexadecimal digits"
            case .dots: "must not have a segment \".\" or \"..\" in its path, escaped or not"
            }
        }
    }

    package let isTLS: Bool
    /// Whether the scheme is that of a WebSocket, which begins as one of http.
    package let isWebSocket: Bool
    /// Without the brackets of an IPv6 address.
    package let host: String
    package let port: Int
    /// Empty, or from its first slash on.
    package let path: String

    package init(_ text: String) throws(Problem) {
        guard text.utf8.allSatisfy({ $0 > 0x20 && $0 != 0x7F }) else { throw .blank }
        guard let mark = text.firstRange(of: "://") else { throw .scheme }
        switch text[..<mark.lowerBound].lowercased() {
        case "http": (isTLS, isWebSocket) = (false, false)
        case "https": (isTLS, isWebSocket) = (true, false)
        case "ws": (isTLS, isWebSocket) = (false, true)
        case "wss": (isTLS, isWebSocket) = (true, true)
        default: throw .scheme
        }
        let rest = text[mark.upperBound...].utf8
        guard !rest.contains(0x3F) else { throw .query }
        guard !rest.contains(0x23) else { throw .fragment }
        let pathStart = rest.firstIndex(of: 0x2F) ?? rest.endIndex
        guard rest[pathStart...].allSatisfy({ $0 < 0x80 }) else { throw .pathNotASCII }
        path = String(decoding: rest[pathStart...], as: UTF8.self)
        guard BackendURL.isPath(rest[pathStart...]) else { throw .pathCharacter }
        guard !BackendURL.hasDotSegments(path) else { throw .dots }
        let (host, port) = try BackendURL.split(rest[..<pathStart])
        self.host = String(decoding: host, as: UTF8.self)
        self.port = try port.map { digits throws(Problem) in try BackendURL.number(digits) } ?? (isTLS ? 443 : 80)
    }

    private typealias Bytes = Substring.UTF8View.SubSequence

    /// Host and port of an authority; no port where none is written.
    private static func split(_ authority: Bytes) throws(Problem) -> (host: Bytes, port: Bytes?) {
        guard !authority.contains(0x40) else { throw .user }
        guard authority.allSatisfy({ $0 < 0x80 }) else { throw .hostNotASCII }
        if authority.first == 0x5B {
            // An IPv6 address, which stands in brackets.
            guard let bracket = authority.firstIndex(of: 0x5D) else { throw .host }
            let host = authority[authority.index(after: authority.startIndex)..<bracket]
            guard host.contains(0x3A), host.allSatisfy({ isHexDigit($0) || $0 == 0x3A || $0 == 0x2E }) else {
                throw .host
            }
            let after = authority[authority.index(after: bracket)...]
            guard after.isEmpty || after.first == 0x3A else { throw .host }
            return (host, after.isEmpty ? nil : after.dropFirst())
        }
        let colon = authority.firstIndex(of: 0x3A)
        let host = authority[..<(colon ?? authority.endIndex)]
        guard !host.isEmpty else { throw .noHost }
        guard host.allSatisfy(isNameCharacter) else { throw .host }
        return (host, colon.map { authority[authority.index(after: $0)...] })
    }

    private static func number(_ digits: Bytes) throws(Problem) -> Int {
        guard (1...5).contains(digits.count), digits.allSatisfy({ (0x30...0x39).contains($0) }) else { throw .port }
        let number = digits.reduce(0) { $0 * 10 + Int($1 - 0x30) }
        guard (1...65_535).contains(number) else { throw .port }
        return number
    }

    /// Whether each octet may stand in a path (RFC 3986, 3.3).
    private static func isPath(_ bytes: Bytes) -> Bool {
        var escape = 0
        for byte in bytes {
            if escape > 0 {
                guard isHexDigit(byte) else { return false }
                escape -= 1
                continue
            }
            switch byte {
            case 0x25: escape = 2
            // / : @ and the delimiters of parts: ! $ & ' ( ) * + , ; =
            case 0x2F, 0x3A, 0x40, 0x21, 0x24, 0x26...0x2C, 0x3B, 0x3D: break
            default: guard isNameCharacter(byte) else { return false }
            }
        }
        return escape == 0
    }

    /// Whether a server could read a segment as `.` or `..`: escaped, between slashes that are escaped or lean the other way, or with a
    /// parameter behind it.
    private static func hasDotSegments(_ path: String) -> Bool {
        guard path.utf8.contains(where: { $0 == 0x2E || $0 == 0x25 }) else { return false }
        let text = path.lowercased().replacing("%2e", with: ".").replacing("%2f", with: "/")
            .replacing("%5c", with: "/").replacing("%3b", with: ";")
        return text.split(separator: "/").contains { segment in
            let name = segment.prefix { $0 != ";" }
            return name == "." || name == ".."
        }
    }

    private static func isHexDigit(_ byte: UInt8) -> Bool {
        (0x30...0x39).contains(byte) || (0x41...0x46).contains(byte) || (0x61...0x66).contains(byte)
    }

    /// Letters, digits, `-`, `.`, `_` and `~`.
    private static func isNameCharacter(_ byte: UInt8) -> Bool {
        switch byte {
        case 0x30...0x39, 0x41...0x5A, 0x61...0x7A, 0x2D, 0x2E, 0x5F, 0x7E: true
        default: false
        }
    }
}
