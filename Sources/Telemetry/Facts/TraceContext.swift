/// The 16 bytes that name a call, and the trace that it is part of.
package struct TraceID: Sendable, Hashable {
    package let high: UInt64
    package let low: UInt64

    package init(high: UInt64, low: UInt64) {
        self.high = high
        self.low = low
    }

    /// As 8-4-4-4-12 hexadecimal digits.
    package var guid: String {
        let digits = hex
        var text = ""
        text.reserveCapacity(36)
        for (place, digit) in digits.enumerated() {
            if [8, 12, 16, 20].contains(place) { text.append("-") }
            text.append(digit)
        }
        return text
    }

    package var hex: String {
        String(unsafeUninitializedCapacity: 32) { buffer in
            TraceContext.write(high, to: buffer, at: 0)
            TraceContext.write(low, to: buffer, at: 16)
            return 32
        }
    }
}

/// W3C trace context, version 00: which trace a request is part of, and by what its next hop names the caller.
package struct TraceContext: Sendable, Equatable {
    /// Bytes of the field's value.
    package static let length = 55

    package var trace: TraceID
    package var span: UInt64
    package var flags: UInt8

    package init(trace: TraceID, span: UInt64, flags: UInt8) {
        self.trace = trace
        self.span = span
        self.flags = flags
    }

    /// Reads the value of `traceparent`; a later version is read as far as this one goes, as the recommendation says.
    ///
    /// - Returns: nil where it is not valid: then a new trace begins.
    package init?(_ value: UnsafeRawBufferPointer) {
        guard value.count >= TraceContext.length, let version = TraceContext.number(value, 0, 2), version != 0xFF,
            version != 0 || value.count == TraceContext.length,
            value.count == TraceContext.length || value[TraceContext.length] == 0x2D,
            value[2] == 0x2D, value[35] == 0x2D, value[52] == 0x2D,
            let high = TraceContext.number(value, 3, 16), let low = TraceContext.number(value, 19, 16),
            let span = TraceContext.number(value, 36, 16), let flags = TraceContext.number(value, 53, 2),
            high | low != 0, span != 0
        else { return nil }
        self.init(trace: TraceID(high: high, low: low), span: span, flags: UInt8(truncatingIfNeeded: flags))
    }

    /// Writes the value, 55 bytes, to the buffer's beginning.
    package func write(to buffer: UnsafeMutableBufferPointer<UInt8>) {
        buffer[0] = 0x30
        buffer[1] = 0x30
        buffer[2] = 0x2D
        TraceContext.write(trace.high, to: buffer, at: 3)
        TraceContext.write(trace.low, to: buffer, at: 19)
        buffer[35] = 0x2D
        TraceContext.write(span, to: buffer, at: 36)
        buffer[52] = 0x2D
        buffer[53] = TraceContext.digit(flags >> 4)
        buffer[54] = TraceContext.digit(flags & 15)
    }

    /// Lower-case digits only, as the recommendation asks.
    private static func number(_ bytes: UnsafeRawBufferPointer, _ start: Int, _ count: Int) -> UInt64? {
        var number: UInt64 = 0
        for place in start..<(start + count) {
            switch bytes[place] {
            case let byte where byte &- 0x30 < 10: number = number << 4 | UInt64(byte &- 0x30)
            case let byte where byte &- 0x61 < 6: number = number << 4 | UInt64(byte &- 0x57)
            default: return nil
            }
        }
        return number
    }

    @inline(__always)
    private static func digit(_ value: UInt8) -> UInt8 { value < 10 ? 0x30 &+ value : 0x57 &+ value }

    fileprivate static func write(_ number: UInt64, to buffer: UnsafeMutableBufferPointer<UInt8>, at start: Int) {
        var left = number
        for place in stride(from: 15, through: 0, by: -1) {
            buffer[start &+ place] = digit(UInt8(truncatingIfNeeded: left & 15))
            left >>= 4
        }
    }
}
