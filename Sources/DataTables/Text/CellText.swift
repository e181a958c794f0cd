import Foundation

/// Cells as text: what .NET's invariant culture writes and reads.
package enum CellText {
    package static func write(_ value: Int64, to output: inout [UInt8]) {
        if (0...9).contains(value) { return output.append(0x30 + UInt8(value)) }
        output.append(contentsOf: String(value).utf8)
    }

    /// .NET's general format: at most 15 significant digits, an exponent from 1E-05 down and from 1E+15 up.
    package static func write(_ value: Double, to output: inout [UInt8]) {
        if value.isNaN { return output.append(contentsOf: "NaN".utf8) }
        if value.isInfinite { return output.append(contentsOf: (value < 0 ? "-Infinity" : "Infinity").utf8) }
        if value == value.rounded(.towardZero), abs(value) < 1e15 { return write(Int64(value), to: &output) }
        // d.dddddddddddddde±xx: fifteen significant digits and the decimal exponent.
        let scientific = String(format: "%.14e", abs(value))
        let parts = scientific.split(separator: "e")
        guard let exponent = parts.last.flatMap({ Int($0) }), let mantissa = parts.first else { return }
        var digits = mantissa.utf8.filter { $0 != 0x2E }
        while digits.count > 1, digits.last == 0x30 { digits.removeLast() }
        if value < 0 { output.append(0x2D) }
        if exponent <= -5 || exponent >= 15 {
            output.append(digits[0])
            if digits.count > 1 {
                output.append(0x2E)
                output.append(contentsOf: digits[1...])
            }
            let size = abs(exponent)
            output.append(contentsOf: "E\(exponent < 0 ? "-" : "+")\(size < 10 ? "0" : "")\(size)".utf8)
        } else if exponent < 0 {
            output.append(contentsOf: "0.".utf8)
            output.append(contentsOf: repeatElement(0x30, count: -exponent - 1))
            output.append(contentsOf: digits)
        } else {
            let whole = exponent + 1
            output.append(contentsOf: digits.prefix(whole))
            output.append(contentsOf: repeatElement(0x30, count: max(0, whole - digits.count)))
            if digits.count > whole {
                output.append(0x2E)
                output.append(contentsOf: digits[whole...])
            }
        }
    }

    /// A whole number with optional sign; spaces around it are allowed, as .NET does.
    package static func integer(_ text: ArraySlice<UInt8>) -> Int64? {
        let text = trimmed(text)
        guard let first = text.first else { return nil }
        let isSigned = first == 0x2D || first == 0x2B
        let digits = isSigned ? text.dropFirst() : text
        guard !digits.isEmpty, digits.count <= 19, digits.allSatisfy({ $0 &- 0x30 < 10 }) else { return nil }
        // Nineteen digits fit into 64 bits without a sign.
        let size = digits.reduce(UInt64(0)) { $0 * 10 + UInt64($1 - 0x30) }
        return first == 0x2D ? Int64(exactly: -Int128(size)) : Int64(exactly: size)
    }

    /// A decimal number; `NaN` and infinities by .NET's words.
    package static func double(_ text: ArraySlice<UInt8>) -> Double? {
        let text = trimmed(text)
        guard let first = text.first, text.count <= 400 else { return nil }
        if let value = shortDecimal(text) { return value }
        let string = String(decoding: text, as: UTF8.self)
        switch string.lowercased() {
        case "nan": return .nan
        case "infinity", "+infinity": return .infinity
        case "-infinity": return -.infinity
        default: break
        }
        let isNumber = first == 0x2D || first == 0x2B || first == 0x2E || first &- 0x30 < 10
        guard isNumber, text.allSatisfy({ $0 &- 0x30 < 10 || [0x2B, 0x2D, 0x2E, 0x45, 0x65].contains($0) }) else {
            return nil
        }
        return Double(string.last == "." ? String(string.dropLast()) : string)
    }

    /// A decimal of at most 15 digits without exponent, exactly as the library reads it: digits and power of ten are both exact
    /// in binary then, so that one division rounds once.
    private static func shortDecimal(_ text: ArraySlice<UInt8>) -> Double? {
        var digits = 0
        var fraction: Int?
        var count = 0
        for (place, byte) in text.enumerated() {
            if byte &- 0x30 < 10 {
                digits = digits * 10 + Int(byte - 0x30)
                count += 1
                fraction = fraction.map { $0 + 1 }
                guard count <= 15 else { return nil }
            } else if byte == 0x2E, fraction == nil {
                fraction = 0
            } else if place > 0 || byte != 0x2D && byte != 0x2B {
                return nil
            }
        }
        guard count > 0 else { return nil }
        let value = Double(digits) / powers[fraction ?? 0]
        return text.first == 0x2D ? -value : value
    }

    private static let powers: [Double] = [
        1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
    ]

    package static func boolean(_ text: ArraySlice<UInt8>) -> Bool? {
        switch String(decoding: trimmed(text), as: UTF8.self).lowercased() {
        case "true": true
        case "false": false
        default: nil
        }
    }

    private static func trimmed(_ text: ArraySlice<UInt8>) -> ArraySlice<UInt8> {
        var text = text
        while let first = text.first, first == 0x20 || first == 0x09 { text.removeFirst() }
        while let last = text.last, last == 0x20 || last == 0x09 { text.removeLast() }
        return text
    }
}
