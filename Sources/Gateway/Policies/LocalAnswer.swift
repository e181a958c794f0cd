import HTTPWire
import NIOCore
import Policies

/// A local service's whole answer as policies see it; its head is read only where one of them asks.
final class LocalAnswer: HeaderSource {
    let status: Int
    private let bytes: ByteBuffer
    private let limits: WireLimits
    /// Bytes of the head with its empty line.
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

    init(_ answer: WholeAnswer, limits: WireLimits) {
        bytes = answer.bytes
        status = answer.status
        headCount = answer.headCount
        self.limits = limits
    }

    var body: ByteBuffer {
        bytes.getSlice(at: bytes.readerIndex + headCount, length: bytes.readableBytes - headCount) ?? ByteBuffer()
    }

    func values(_ lowercasedName: String) -> [String] { parsed?.values(lowercasedName) ?? [] }

    private static let closeLine: StaticString = "Connection: close\r\n"

    /// The whole answer with fields added to its head.
    ///
    /// - Returns: nil where one of them stands in the head already, or takes something out of it.
    func adding(_ edits: [HeaderEdits.Edit], closes: Bool) -> ByteBuffer? {
        bytes.withUnsafeReadableBytes { raw in
            guard headCount > 2, edits.allSatisfy({ $0.first != nil }), !hasField(raw, of: edits) else { return nil }
            let added = edits.reduce(LocalAnswer.closeLine.utf8CodeUnitCount) { $0 + EditedHead.count($1) }
            var output = ByteBuffer()
            output.writeWithUnsafeMutableBytes(minimumWritableBytes: raw.count + added) { room in
                var writer = RoomWriter(room)
                writer.write(UnsafeRawBufferPointer(rebasing: raw[..<(headCount - 2)]))
                for edit in edits { EditedHead.write(edit, to: &writer) }
                if closes { writer.write(LocalAnswer.closeLine) }
                writer.write(UnsafeRawBufferPointer(rebasing: raw[(headCount - 2)...]))
                return writer.count
            }
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
