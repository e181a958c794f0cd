/// Follows chunked framing, strictly: where the message ends, and which bytes are content.
package struct ChunkedBody: Sendable {
    private enum State {
        case size, sizeLF, extensionStart, extensionName, valueStart, valueToken, valueQuoted, quotedPair, valueEnd,
            blankBeforeExtension, blankBehindName, data, dataCR, dataLF, trailerStart, trailerName, trailer, trailerLF,
            endLF,
            done
    }

    private var state = State.size
    private var left = 0
    private var digits = 0
    private var trailerBytes = 0
    /// The name of the current trailer in lower case, as far as it could be one that is refused.
    private var trailerName: [UInt8] = []
    /// Lives as long as the process and is only read.
    private nonisolated(unsafe) let tokens = Octets.tokens

    /// Trailers and chunk extensions together: they are read and passed on, never kept.
    private static let extrasMax = 8 << 10

    /// Fields that are no trailers (RFC 9110, 6.5.1): whoever acts by a message's head has acted by then, and whoever merges the two
    /// would act by what nobody judged.
    private static let refusedTrailers: Set<[UInt8]> = Set(
        [
            // They frame or route the message.
            "transfer-encoding", "content-length", "host", "connection", "keep-alive", "proxy-connection", "te",
            "upgrade",
            // They say who asks.
            "authorization", "proxy-authorization", "www-authenticate", "proxy-authenticate", "cookie", "set-cookie",
            // They change what is asked, or what becomes of the answer.
            "expect", "max-forwards", "range", "if-match", "if-none-match", "if-modified-since", "if-unmodified-since",
            "if-range", "cache-control", "pragma", "location", "retry-after", "vary",
            // They say how the content is read.
            "content-encoding", "content-type", "content-range",
        ].map { Array($0.utf8) }
    )
    private static let refusedLengthMax = refusedTrailers.map(\.count).max() ?? 0

    package init() {}

    package var isDone: Bool { state == .done }

    /// Takes bytes up to the message's end.
    ///
    /// - Parameter content: called with each range of content bytes.
    /// - Returns: how many bytes belong to the message.
    package mutating func feed(
        _ bytes: UnsafeRawBufferPointer,
        content: (Range<Int>) -> Void
    ) throws(HeadError) -> Int {
        var place = 0
        while place < bytes.count, state != .done {
            if state == .data {
                let count = min(left, bytes.count - place)
                content(place..<(place + count))
                place += count
                left -= count
                if left == 0 { state = .dataCR }
                continue
            }
            try step(bytes[place])
            place += 1
        }
        return place
    }

    private mutating func step(_ byte: UInt8) throws(HeadError) {
        switch state {
        case .size:
            if byte == 0x0D || byte == 0x3B {
                guard digits > 0 else { throw .malformed }
                state = byte == 0x0D ? .sizeLF : .extensionStart
                return
            }
            if byte == 0x20 || byte == 0x09 {
                guard digits > 0 else { throw .malformed }
                state = .blankBeforeExtension
                return try countExtra(byte)
            }
            let digit: UInt8
            switch byte {
            case 0x30...0x39: digit = byte - 0x30
            case 0x41...0x46: digit = byte - 0x37
            case 0x61...0x66: digit = byte - 0x57
            default: throw .malformed
            }
            digits += 1
            guard digits <= 15 else { throw .malformed }
            left = left << 4 | Int(digit)
        case .extensionStart, .extensionName, .valueStart, .valueToken, .valueQuoted, .quotedPair, .valueEnd,
            .blankBeforeExtension, .blankBehindName:
            try stepExtension(byte)
        case .sizeLF:
            guard byte == 0x0A else { throw .malformed }
            digits = 0
            state = left == 0 ? .trailerStart : .data
        case .dataCR:
            guard byte == 0x0D else { throw .malformed }
            state = .dataLF
        case .dataLF:
            guard byte == 0x0A else { throw .malformed }
            state = .size
        case .trailerStart:
            if byte == 0x0D {
                state = .endLF
            } else {
                // A trailer is a field: a name, a colon, a text.
                guard tokens[Int(byte)] else { throw .malformed }
                try countExtra(byte)
                trailerName.removeAll(keepingCapacity: true)
                trailerName.append(byte | 0x20)
                state = .trailerName
            }
        case .trailerName:
            guard byte == 0x3A || tokens[Int(byte)] else { throw .malformed }
            try countExtra(byte)
            if byte == 0x3A {
                guard !ChunkedBody.refusedTrailers.contains(trailerName) else { throw .malformed }
                state = .trailer
            } else if trailerName.count <= ChunkedBody.refusedLengthMax {
                trailerName.append(byte | 0x20)
            }
        case .trailer:
            if byte == 0x0D { state = .trailerLF } else { try countExtra(byte) }
        case .trailerLF:
            guard byte == 0x0A else { throw .malformed }
            state = .trailerStart
        case .endLF:
            guard byte == 0x0A else { throw .malformed }
            state = .done
        case .data, .done: break
        }
    }

    /// Extensions mean nothing here, and are held to their grammar all the same, so that a reader behind us finds the line's end where we do.
    ///
    /// They are `;name`, `;name=token` or `;name="text"` (RFC 9112, 7.1.1). Blanks may stand before and behind `;` and `=`, and nowhere
    /// else: none is left over before the line's end.
    private mutating func stepExtension(_ byte: UInt8) throws(HeadError) {
        let isToken = tokens[Int(byte)]
        switch (state, byte) {
        case (.extensionName, 0x0D), (.valueToken, 0x0D), (.valueEnd, 0x0D):
            state = .sizeLF
            return
        case (.extensionName, 0x3B), (.valueToken, 0x3B), (.valueEnd, 0x3B), (.blankBeforeExtension, 0x3B),
            (.blankBehindName, 0x3B):
            state = .extensionStart
        case (.extensionName, 0x3D), (.blankBehindName, 0x3D): state = .valueStart
        case (.extensionStart, 0x20), (.extensionStart, 0x09), (.valueStart, 0x20), (.valueStart, 0x09),
            (.blankBeforeExtension, 0x20), (.blankBeforeExtension, 0x09), (.blankBehindName, 0x20),
            (.blankBehindName, 0x09):
            break
        case (.extensionName, 0x20), (.extensionName, 0x09): state = .blankBehindName
        case (.valueToken, 0x20), (.valueToken, 0x09), (.valueEnd, 0x20), (.valueEnd, 0x09):
            state = .blankBeforeExtension
        case (.extensionStart, _) where isToken: state = .extensionName
        case (.extensionName, _) where isToken: break
        case (.valueStart, 0x22): state = .valueQuoted
        case (.valueStart, _) where isToken: state = .valueToken
        case (.valueToken, _) where isToken: break
        case (.valueQuoted, 0x22): state = .valueEnd
        case (.valueQuoted, 0x5C): state = .quotedPair
        case (.valueQuoted, _) where byte < 0x80: break
        case (.quotedPair, _) where byte < 0x80: state = .valueQuoted
        default: throw .malformed
        }
        try countExtra(byte)
    }

    private mutating func countExtra(_ byte: UInt8) throws(HeadError) {
        guard byte >= 0x20 && byte != 0x7F || byte == 0x09 else { throw .malformed }
        trailerBytes += 1
        guard trailerBytes <= ChunkedBody.extrasMax else { throw .tooLarge }
    }
}
