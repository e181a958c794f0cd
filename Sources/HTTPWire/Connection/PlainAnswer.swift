import NIOCore

/// Turns a chunked answer into one that ends with its connection: clients of HTTP/1.0 know no chunks (RFC 9112, 6.1).
final class PlainAnswer {
    private enum State {
        case head
        case chunks(ChunkedBody)
        case asItIs
    }

    private var state = State.head
    private let isHEAD: Bool
    private var parser: HeadParser
    /// Whether only the connection's end tells that of the answer.
    private(set) var endsWithConnection = false

    init(isHEAD: Bool, limits: WireLimits) {
        self.isHEAD = isHEAD
        parser = HeadParser(limits: limits)
    }

    /// - Parameter bytes: the next ones of the answer; the first of all hold its whole head.
    func take(_ bytes: ByteBuffer) -> ByteBuffer {
        switch state {
        case .asItIs: return bytes
        case .chunks: return content(bytes)
        case .head: return head(bytes)
        }
    }

    private func head(_ bytes: ByteBuffer) -> ByteBuffer {
        state = .asItIs
        let isWhole = try? bytes.withUnsafeReadableBytes { raw throws(HeadError) in
            try parser.parseResponse(raw, isAnswerToHEAD: isHEAD)
        }
        guard isWhole == .complete else { return bytes }
        var output = ByteBuffer()
        var body = bytes
        body.moveReaderIndex(forwardBy: parser.length)
        bytes.withUnsafeReadableBytes { raw in
            var start = 0
            for field in parser.fields {
                let name = UnsafeRawBufferPointer(rebasing: raw[Int(field.nameStart)..<Int(field.nameEnd)])
                guard Octets.equal(name, "transfer-encoding") || Octets.equal(name, "trailer") else { continue }
                output.writeBytes(UnsafeRawBufferPointer(rebasing: raw[start..<Int(field.nameStart)]))
                start = Int(field.lineEnd)
            }
            output.writeBytes(UnsafeRawBufferPointer(rebasing: raw[start..<parser.length]))
        }
        endsWithConnection = parser.framing == .chunked || parser.framing == .untilClose
        if parser.framing == .chunked {
            state = .chunks(ChunkedBody())
            body = content(body)
        }
        output.writeBuffer(&body)
        return output
    }

    private func content(_ bytes: ByteBuffer) -> ByteBuffer {
        guard case .chunks(var chunks) = state else { return bytes }
        var output = ByteBuffer()
        // The framing was checked where it came from.
        _ = try? bytes.withUnsafeReadableBytes { raw throws(HeadError) in
            try chunks.feed(raw) { range in output.writeBytes(UnsafeRawBufferPointer(rebasing: raw[range])) }
        }
        state = .chunks(chunks)
        return output
    }
}
