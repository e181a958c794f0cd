import HTTPWire

/// Heads and chunked bodies: no bytes end the process, and bytes that come in pieces mean what they mean as a whole.
enum CodecFuzz {
    private enum Outcome: Equatable {
        case incomplete, refused
        case complete(length: Int, fields: Int, framing: BodyFraming, target: Range<Int>, keepsAlive: Bool)
    }

    static func run(_ bytes: UnsafeRawBufferPointer) throws {
        guard bytes.count > 1 else { return }
        let message = UnsafeRawBufferPointer(rebasing: bytes[1...])
        // Some thirty pieces at most: each is read from the beginning.
        let step = max(Int(bytes[0] & 0x3F) + 1, message.count / 30)
        try heads(message, step) { parser, raw throws(HeadError) in try parser.parseRequest(raw) }
        try heads(message, step) { parser, raw throws(HeadError) in
            try parser.parseResponse(raw, isAnswerToHEAD: step & 1 == 1)
        }
        try chunks(message, step)
    }

    private static func heads(
        _ bytes: UnsafeRawBufferPointer,
        _ step: Int,
        _ parse: (inout HeadParser, UnsafeRawBufferPointer) throws(HeadError) -> HeadParser.Outcome
    ) throws {
        func outcome(_ parser: inout HeadParser, _ raw: UnsafeRawBufferPointer) -> Outcome {
            do throws(HeadError) {
                guard try parse(&parser, raw) == .complete else { return .incomplete }
                return .complete(
                    length: parser.length,
                    fields: parser.fields.count,
                    framing: parser.framing,
                    target: parser.target,
                    keepsAlive: parser.keepsAlive
                )
            } catch { return .refused }
        }
        var whole = HeadParser(limits: WireLimits())
        let expected = outcome(&whole, bytes)
        if case .complete(let length, _, _, _, _) = expected, length > bytes.count {
            throw Finding("a head is longer than its bytes", bytes)
        }
        for field in whole.fields where expected != .refused && expected != .incomplete {
            guard field.nameStart < field.nameEnd,
                field.nameEnd < field.valueStart || field.valueStart == field.valueEnd,
                field.valueEnd <= field.lineEnd, Int(field.lineEnd) <= whole.length
            else { throw Finding("a field stands outside of its head", bytes) }
        }
        var parser = HeadParser(limits: WireLimits())
        var count = 0
        while count < bytes.count {
            count = min(bytes.count, count + step)
            let got = outcome(&parser, UnsafeRawBufferPointer(rebasing: bytes[..<count]))
            if got == .incomplete { continue }
            if got != expected, !(got == .refused && expected == .incomplete) {
                throw Finding("\(expected) as a whole, \(got) in pieces of \(step)", bytes)
            }
            return
        }
        if expected != .incomplete { throw Finding("\(expected) as a whole, incomplete in pieces of \(step)", bytes) }
    }

    private static func chunks(_ bytes: UnsafeRawBufferPointer, _ step: Int) throws {
        func read(_ step: Int) -> (content: [UInt8], taken: Int, isDone: Bool)? {
            var body = ChunkedBody()
            var content: [UInt8] = []
            var taken = 0
            while taken < bytes.count, !body.isDone {
                let piece = UnsafeRawBufferPointer(rebasing: bytes[taken..<min(bytes.count, taken + step)])
                guard let count = try? body.feed(piece, content: { content.append(contentsOf: piece[$0]) }) else {
                    return nil
                }
                taken += count
            }
            return (content, taken, body.isDone)
        }
        switch (read(.max / 2), read(step)) {
        case (nil, nil): break
        case (let whole?, let pieces?) where whole == pieces: break
        default: throw Finding("a chunked body means something else in pieces of \(step)", bytes)
        }
    }
}
