/// Finds where a piece of C# ends inside other text: brackets are counted, strings, characters and comments stepped over.
package enum BalancedText {
    /// Brackets inside one another; deeper is nobody's expression.
    private static let depthMax = 256
    /// Interpolated strings inside holes of interpolated strings.
    private static let nestingMax = 8

    /// - Parameters:
    ///   - start: the first byte after the opening bracket.
    ///   - closing: the byte that ends it: `)` or `}`.
    /// - Returns: the place of the closing bracket, or nil where there is none.
    package static func end(_ bytes: [UInt8], from start: Int, closing: UInt8) -> Int? {
        end(bytes, start, closing, nesting: 0)
    }

    private static func end(_ bytes: [UInt8], _ start: Int, _ closing: UInt8, nesting: Int) -> Int? {
        var open = [closing]
        var place = start
        while place < bytes.count {
            let byte = bytes[place]
            switch byte {
            case 0x28: open.append(0x29)
            case 0x5B: open.append(0x5D)
            case 0x7B: open.append(0x7D)
            case 0x29, 0x5D, 0x7D:
                guard open.popLast() == byte else { return nil }
                if open.isEmpty { return place }
            case 0x22, 0x27:
                guard let end = endOfString(bytes, place, nesting) else { return nil }
                place = end
                continue
            case 0x2F where place + 1 < bytes.count && bytes[place + 1] == 0x2F:
                while place < bytes.count, bytes[place] != 0x0A { place += 1 }
                continue
            case 0x2F where place + 1 < bytes.count && bytes[place + 1] == 0x2A:
                place += 2
                while place + 1 < bytes.count, !(bytes[place] == 0x2A && bytes[place + 1] == 0x2F) { place += 1 }
                place += 1
            default: break
            }
            guard open.count <= depthMax else { return nil }
            place += 1
        }
        return nil
    }

    /// - Parameter quote: the place of the opening quote.
    /// - Returns: the first place after the closing one.
    private static func endOfString(_ bytes: [UInt8], _ quote: Int, _ nesting: Int) -> Int? {
        let mark = bytes[quote]
        let marks = bytes[max(0, quote - 2)..<quote]
        let isVerbatim = mark == 0x22 && (marks.last == 0x40 || (marks.last == 0x24 && marks.first == 0x40))
        let isInterpolated = mark == 0x22 && (marks.last == 0x24 || (marks.last == 0x40 && marks.first == 0x24))
        var place = quote + 1
        while place < bytes.count {
            let byte = bytes[place]
            if byte == mark {
                guard isVerbatim, place + 1 < bytes.count, bytes[place + 1] == mark else { return place + 1 }
                place += 2
            } else if byte == 0x5C, !isVerbatim {
                place += 2
            } else if isInterpolated, byte == 0x7B {
                if place + 1 < bytes.count, bytes[place + 1] == 0x7B {
                    place += 2
                } else {
                    guard nesting < nestingMax, let end = end(bytes, place + 1, 0x7D, nesting: nesting + 1) else {
                        return nil
                    }
                    place = end + 1
                }
            } else {
                place += 1
            }
        }
        return nil
    }
}
