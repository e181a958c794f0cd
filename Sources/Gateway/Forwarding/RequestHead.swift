import HTTPWire
import NIOCore
import Telemetry

/// Heads on their way through: byte edits, no copies of single fields.
enum RequestHead {
    private static let forwardedFor: StaticString = "x-forwarded-for"
    private static let traceParent: StaticString = "traceparent"
    private static let traceState: StaticString = "tracestate"

    /// The head for the upstream: a Host of its own, no fields of this hop, the client's address and this call's place in its
    /// trace added.
    ///
    /// - Parameters:
    ///   - targetOffset: how much of the target is the API's path.
    ///   - isTraced: whether the caller is part of a trace; without one that can be read, its state means nothing.
    static func forwarded(
        _ head: UnsafeRawBufferPointer,
        _ parser: HeadParser,
        host: String,
        prefix: String,
        targetOffset: Int,
        clientAddress: [UInt8],
        wantsWebSocket: Bool,
        trace: TraceContext,
        isTraced: Bool
    ) -> ByteBuffer {
        var output = ByteBuffer()
        output.reserveCapacity(head.count + 256)
        output.writeBytes(UnsafeRawBufferPointer(rebasing: head[parser.method]))
        output.writeInteger(UInt8(0x20))
        if !prefix.isEmpty { output.writeString(prefix) }
        let target = UnsafeRawBufferPointer(
            rebasing: head[(parser.target.lowerBound + targetOffset)..<parser.target.upperBound]
        )
        if prefix.isEmpty, target.first != 0x2F { output.writeInteger(UInt8(0x2F)) }
        output.writeBytes(target)
        // An old client cannot read chunks, so its upstream must not send them.
        output.writeStaticString(parser.isHTTP10 ? " HTTP/1.0\r\nHost: " : " HTTP/1.1\r\nHost: ")
        output.writeString(host)
        output.writeStaticString("\r\n")
        copyFields(head, parser, from: parser.statusLineEnd, to: &output) { field in
            isNamed(forwardedFor, head, field) || isNamed(traceParent, head, field)
                || !isTraced && isNamed(traceState, head, field)
        }
        output.writeStaticString("traceparent: ")
        output.writeWithUnsafeMutableBytes(minimumWritableBytes: TraceContext.length) { raw in
            trace.write(to: raw.assumingMemoryBound(to: UInt8.self))
            return TraceContext.length
        }
        output.writeStaticString("\r\n")
        output.writeStaticString("X-Forwarded-For: ")
        // Each line goes on: the last ones are those of proxies, the first ones whatever the client wrote.
        parser.forEachValue(forwardedFor, in: head) { before in
            guard !before.isEmpty else { return }
            output.writeBytes(before)
            output.writeStaticString(", ")
        }
        output.writeBytes(clientAddress)
        output.writeStaticString("\r\n")
        if wantsWebSocket { writeUpgrade(to: &output) }
        output.writeStaticString("\r\n")
        return output
    }

    /// The fields of this hop that say how both sides go on.
    static func writeUpgrade(to output: inout ByteBuffer) {
        output.writeStaticString("Connection: Upgrade\r\nUpgrade: websocket\r\n")
    }

    /// Copies from an offset to the last field, leaving out what belongs to this hop.
    ///
    /// - Parameter isOwn: whether a field is one that the gateway writes itself.
    @inline(__always)
    static func copyFields(
        _ head: UnsafeRawBufferPointer,
        _ parser: HeadParser,
        from start: Int,
        to output: inout ByteBuffer,
        isOwn: (HeadField) -> Bool = { _ in false }
    ) {
        var place = start
        for field in parser.fields where field.isHopByHop || isOwn(field) {
            let lineStart = Int(field.nameStart)
            if lineStart > place { output.writeBytes(UnsafeRawBufferPointer(rebasing: head[place..<lineStart])) }
            place = Int(field.lineEnd)
        }
        let end = parser.length - 2
        if end > place { output.writeBytes(UnsafeRawBufferPointer(rebasing: head[place..<end])) }
    }

    @inline(__always)
    private static func isNamed(_ name: StaticString, _ head: UnsafeRawBufferPointer, _ field: HeadField) -> Bool {
        guard Int(field.nameEnd - field.nameStart) == name.utf8CodeUnitCount else { return false }
        return Octets.equal(UnsafeRawBufferPointer(rebasing: head[Int(field.nameStart)..<Int(field.nameEnd)]), name)
    }
}
