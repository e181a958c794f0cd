import HTTPWire
import NIOCore
import Policies

/// Takes the body of an answer on its way past, for the cache.
final class AnswerCapture {
    let place: ResponseCache.Place
    let seconds: Int
    private let source: WireResponseSource
    private let isChunked: Bool
    private var chunks = ChunkedBody()
    private var body: [UInt8] = []
    private var isLost = false
    /// Whether all of the body has passed: one that broke off is not kept.
    var isWhole = false

    /// - Parameters:
    ///   - head: of the answer as it is kept, with its empty line.
    ///   - isChunked: whether the pieces come with the framing of chunks.
    /// - Returns: nil where the head could not have come over the wire.
    init?(
        _ head: ByteBuffer,
        place: ResponseCache.Place,
        seconds: Int,
        isChunked: Bool,
        _ limits: WireLimits
    ) {
        var parser = HeadParser(limits: limits)
        let outcome = try? head.withUnsafeReadableBytes { raw throws(HeadError) in
            try parser.parseResponse(raw, isAnswerToHEAD: false)
        }
        guard outcome == .complete else { return nil }
        source = WireResponseSource(head: head, parser: parser)
        self.place = place
        self.seconds = seconds
        self.isChunked = isChunked
    }

    func take(_ piece: ByteBuffer) {
        guard !isLost else { return }
        piece.withUnsafeReadableBytes { raw in
            guard isChunked else {
                body.append(contentsOf: raw)
                return
            }
            _ = try? chunks.feed(raw) { range in body.append(contentsOf: raw[range]) }
        }
        guard body.count > ResponseCache.answerBytesMax else { return }
        isLost = true
        body = []
    }

    /// The whole answer; nil where it was too long or broke off.
    var answer: ResponseCache.Answer? { isLost || !isWhole ? nil : ResponseCache.Answer(source: source, body: body) }
}
