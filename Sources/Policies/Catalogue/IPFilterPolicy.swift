/// `ip-filter`: lets addresses through, or keeps them out; the address is the peer's, whatever fields say.
struct IPFilterPolicy: PolicyStep {
    static let definition = PolicyDefinition("ip-filter", sections: [.inbound]) {
        element,
        compiler,
        steps throws(PolicyDiagnostic) in
        try compiler.only(element, attributes: ["action"], children: ["address", "address-range"])
        let action: Action = try compiler.choice(element, "action", default: nil)
        var ranges: [ClosedRange<IPAddress>] = []
        for child in element.children {
            func address(_ text: String?) throws(PolicyDiagnostic) -> IPAddress {
                guard let address = text.flatMap({ IPAddress($0.trimmingBlanks) }) else {
                    throw compiler.problem("An IP address of version 4 or 6 is expected here.", at: child.offset)
                }
                return address
            }
            if child.name == "address" {
                try compiler.only(child, attributes: [], text: true)
                let one = try address(child.text?.kind == .literal ? child.text?.text : nil)
                ranges.append(one...one)
            } else {
                try compiler.only(child, attributes: ["from", "to"])
                let from = try address(try compiler.needLiteral(child, "from"))
                let to = try address(try compiler.needLiteral(child, "to"))
                guard from.isV4 == to.isV4, from <= to else {
                    throw compiler.problem("\"from\" must not be after \"to\".", at: child.offset)
                }
                ranges.append(from...to)
            }
        }
        guard !ranges.isEmpty else {
            throw compiler.problem("<ip-filter> needs an <address> or an <address-range>.", at: element.offset)
        }
        steps.add(IPFilterPolicy(isAllowing: action == .allow, ranges: ranges))
    }

    private enum Action: String, CaseIterable {
        case allow, forbid
    }

    let isAllowing: Bool
    let ranges: [ClosedRange<IPAddress>]

    func run(_ call: PolicyCall) throws(PolicyFailure) -> PolicyFlow {
        let text = call.request.source.clientAddress
        guard let address = IPAddress(text) else {
            throw PolicyFailure(
                status: 403,
                message: "Forbidden",
                reason: "FailedToParseCallerIP",
                detail: "Failed to establish IP address for the caller. Access denied."
            )
        }
        let isListed = ranges.contains { $0.contains(address) }
        guard isListed != isAllowing else { return .next }
        throw PolicyFailure(
            status: 403,
            message: "Forbidden",
            reason: isAllowing ? "CallerIpNotAllowed" : "CallerIpBlocked",
            detail: isAllowing
                ? "Caller IP address \(text) is not allowed. Access denied."
                : "Caller IP address is blocked. Access denied."
        )
    }
}

/// An address of version 4 or 6; one of version 4 inside version 6 counts as what it is inside.
struct IPAddress: Sendable, Comparable {
    let isV4: Bool
    private let high: UInt64
    private let low: UInt64

    init?(_ text: String) {
        if let v4 = IPAddress.v4(text[...]) {
            isV4 = true
            high = 0
            low = UInt64(v4)
            return
        }
        guard let words = IPAddress.words(text) else { return nil }
        let high = words[..<4].reduce(UInt64(0)) { $0 << 16 | UInt64($1) }
        let low = words[4...].reduce(UInt64(0)) { $0 << 16 | UInt64($1) }
        if high == 0, low >> 32 == 0xFFFF {
            isV4 = true
            self.high = 0
            self.low = low & 0xFFFF_FFFF
        } else {
            isV4 = false
            self.high = high
            self.low = low
        }
    }

    private static func v4(_ text: Substring) -> UInt32? {
        let parts = text.split(separator: ".", omittingEmptySubsequences: false)
        guard parts.count == 4 else { return nil }
        var value: UInt32 = 0
        for part in parts {
            guard (1...3).contains(part.utf8.count), part.utf8.allSatisfy({ (0x30...0x39).contains($0) }),
                let byte = UInt8(part)
            else { return nil }
            value = value << 8 | UInt32(byte)
        }
        return value
    }

    private static func words(_ text: String) -> [UInt16]? {
        let halves = text.split(separator: "%", maxSplits: 1)
        guard let bare = halves.first, bare.utf8.count <= 45 else { return nil }
        let sides = bare.components(separatedBy: "::")
        guard sides.count <= 2 else { return nil }
        var found: [[UInt16]] = []
        for side in sides {
            var words: [UInt16] = []
            let parts = side.isEmpty ? [] : side.split(separator: ":", omittingEmptySubsequences: false)
            for (place, part) in parts.enumerated() {
                if place == parts.count - 1, part.contains("."), let tail = v4(part) {
                    words += [UInt16(tail >> 16), UInt16(tail & 0xFFFF)]
                } else {
                    guard (1...4).contains(part.utf8.count), part.allSatisfy(\.isHexDigit),
                        let word = UInt16(part, radix: 16)
                    else { return nil }
                    words.append(word)
                }
            }
            found.append(words)
        }
        let count = found.reduce(0) { $0 + $1.count }
        if sides.count == 1 { return count == 8 ? found[0] : nil }
        guard count < 8 else { return nil }
        return found[0] + Array(repeating: 0, count: 8 - count) + found[1]
    }

    static func < (left: IPAddress, right: IPAddress) -> Bool {
        if left.isV4 != right.isV4 { return left.isV4 }
        return left.high == right.high ? left.low < right.low : left.high < right.high
    }
}

extension Substring {
    /// The pieces between a separator of several characters.
    fileprivate func components(separatedBy separator: String) -> [Substring] {
        var result: [Substring] = []
        var rest = self
        while let range = rest.firstRange(of: separator) {
            result.append(rest[..<range.lowerBound])
            rest = rest[range.upperBound...]
        }
        return result + [rest]
    }
}
