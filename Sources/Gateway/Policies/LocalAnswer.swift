import HTTPWire
import NIOCore
import Policies

/// A local service's whole answer as policies see it; its head is read only where one of them asks.
final class LocalAnswer: HeaderSource {
    let status: Int
    private let bytes: ByteBuffer
    private let limits: WireLimits
    /// Bytes of the head with its empty line; 0 where there is none.
    private let headCount: Int
    /// nil where the head could not have come over the wire.
    private(set) lazy var parsed: WireResponseSource? = {
        var parser = HeadParser(limits: limits)
        let outcome = try? bytes.withUnsafeReadableBytes { raw throws(HeadError) in
            try parser.parseResponse(raw, isAnswerToHEAD: false)
        }
        guard outcome == .complete, let head = bytes.getSlice(at: bytes.readerIndex, length: parser.length) else {
            return nil
        }
        return WireResponseSource(head: head, parser: parser)
    }()

    init(_ bytes: ByteBuffer, status: Int, limits: WireLimits) {
        self.bytes = bytes
        self.status = status
        self.limits = limits
        headCount = bytes.withUnsafeReadableBytes { raw in
            var start = 0
            while let feed = Octets.lineFeed(raw, from: start) {
                // A line of nothing but its end.
                if feed == start + 1 { return feed + 1 }
                start = feed + 1
            }
            return 0
        }
    }

    var body: ByteBuffer {
        bytes.getSlice(at: bytes.readerIndex + headCount, length: bytes.readableBytes - headCount) ?? ByteBuffer()
    }

    func values(_ lowercasedName: String) -> [String] { parsed?.values(lowercasedName) ?? [] }

    /// The whole answer with fields added to its head.
    ///
    /// - Returns: nil where one of them stands in the head already, or takes something out of it.
    func adding(_ edits: [HeaderEdits.Edit], closes: Bool) -> ByteBuffer? {
        bytes.withUnsafeReadableBytes { raw in
            guard headCount > 2, edits.allSatisfy({ $0.first != nil }), !hasField(raw, of: edits) else { return nil }
            var output = ByteBuffer()
            output.reserveCapacity(raw.count + edits.count * 64 + 32)
            output.writeBytes(UnsafeRawBufferPointer(rebasing: raw[..<(headCount - 2)]))
            EditedHead.write(edits, &output)
            if closes { output.writeStaticString("Connection: close\r\n") }
            output.writeBytes(UnsafeRawBufferPointer(rebasing: raw[(headCount - 2)...]))
            return output
        }
    }

    /// Whether one of the names begins a line of the head.
    private func hasField(_ raw: UnsafeRawBufferPointer, of edits: [HeaderEdits.Edit]) -> Bool {
        var start = 0
        while start < headCount {
            for edit in edits {
                let name = edit.name.lowercasedBytes
                let end = start + name.count
                if end < headCount, raw[end] == 0x3A,
                    Octets.equal(UnsafeRawBufferPointer(rebasing: raw[start..<end]), lowercased: name)
                {
                    return true
                }
            }
            guard let feed = Octets.lineFeed(raw, from: start) else { return false }
            start = feed + 1
        }
        return false
    }
}
