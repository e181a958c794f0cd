/// Writes bytes one after another into room that was taken ahead for all of them.
///
/// A head of many pieces costs one question for room by it, and not one a piece. Writing beyond the room traps: whoever takes the room knows how
/// long the pieces are.
package struct RoomWriter {
    private let room: UnsafeMutableRawBufferPointer
    /// Bytes written so far.
    package private(set) var count = 0

    package init(_ room: UnsafeMutableRawBufferPointer) { self.room = room }

    @inline(__always)
    package mutating func write(_ bytes: UnsafeRawBufferPointer) {
        UnsafeMutableRawBufferPointer(rebasing: room[count..<(count + bytes.count)]).copyMemory(from: bytes)
        count += bytes.count
    }

    package mutating func write(_ bytes: [UInt8]) { bytes.withUnsafeBytes { write($0) } }

    package mutating func write(_ text: StaticString) {
        write(UnsafeRawBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount))
    }

    package mutating func write(_ text: String) {
        var text = text
        text.withUTF8 { write(UnsafeRawBufferPointer($0)) }
    }

    /// A number that is not negative.
    package mutating func writeDecimal(_ value: Int) {
        var digits = 1
        var above = 10
        while value >= above, digits < 19 {
            digits += 1
            above = digits < 19 ? above &* 10 : .max
        }
        var left = value
        for place in (count..<(count + digits)).reversed() {
            room[place] = UInt8(truncatingIfNeeded: 0x30 &+ left % 10)
            left /= 10
        }
        count += digits
    }

    /// Sixteen hexadecimal digits, the lowest ones first.
    package mutating func writeHex(_ value: UInt64) {
        for shift in stride(from: UInt64(0), to: 64, by: 32) {
            // A byte for each half byte, and letters where they are above nine.
            var digits = value >> shift & 0xFFFF_FFFF
            digits = (digits << 16 | digits) & 0x0000_FFFF_0000_FFFF
            digits = (digits << 8 | digits) & 0x00FF_00FF_00FF_00FF
            digits = (digits << 4 | digits) & 0x0F0F_0F0F_0F0F_0F0F
            let letters = (digits &+ 0x0606_0606_0606_0606) >> 4 & 0x0101_0101_0101_0101
            let text = (digits &+ 0x3030_3030_3030_3030 &+ letters &* 0x27).littleEndian
            withUnsafeBytes(of: text) { write($0) }
        }
    }
}
