/// Where a header field stands in the bytes of its head, as offsets from the head's first byte.
package struct HeadField: Sendable {
    package var nameStart: Int32
    package var nameEnd: Int32
    package var valueStart: Int32
    package var valueEnd: Int32
    /// After the line's CRLF.
    package var lineEnd: Int32
    /// Whether the field belongs to this hop only, and is not forwarded.
    package var isHopByHop: Bool
}

/// How a message's body is framed.
package enum BodyFraming: Sendable, Equatable {
    case none
    case length(Int)
    case chunked
    /// Responses only: the body ends with the connection.
    case untilClose
}

/// Why a head was refused.
package enum HeadError: Error, Equatable {
    case malformed
    case tooLarge
    case targetTooLong
    case unsupportedVersion

    package var status: Int {
        switch self {
        case .malformed: 400
        case .tooLarge: 431
        case .targetTooLong: 414
        case .unsupportedVersion: 505
        }
    }
}
