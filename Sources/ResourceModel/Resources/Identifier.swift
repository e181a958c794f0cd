/// Random identifiers in the forms that the contracts name.
package enum Identifier {
    /// 32 lower-case hexadecimal digits: workspaces, services, endpoints, jobs.
    package static func hex32() -> String {
        var generator = SystemRandomNumberGenerator()
        return hex(generator.next() as UInt64) + hex(generator.next() as UInt64)
    }

    /// 24 lower-case hexadecimal digits: default names of API Management resources.
    package static func hex24() -> String { String(hex32().prefix(24)) }

    /// A random GUID of version 4 in its usual form.
    package static func guid() -> String {
        var digits = Array(hex32())
        digits[12] = "4"
        digits[16] = "a"
        return [0..<8, 8..<12, 12..<16, 16..<20, 20..<32].map { String(digits[$0]) }.joined(separator: "-")
    }

    /// Random bytes of the system's generator.
    package static func randomBytes(_ count: Int) -> [UInt8] {
        var generator = SystemRandomNumberGenerator()
        return (0..<count).map { _ in generator.next() }
    }

    /// Sixteen lower-case hexadecimal digits, leading zeros kept.
    package static func hex(_ value: UInt64) -> String {
        let text = String(value, radix: 16)
        return String(repeating: "0", count: 16 - text.count) + text
    }

    package static func hex(_ bytes: some Sequence<UInt8>) -> String {
        var text = ""
        for byte in bytes {
            if byte < 16 { text += "0" }
            text += String(byte, radix: 16)
        }
        return text
    }

    package static func isHex32(_ text: String) -> Bool {
        text.utf8.count == 32 && text.utf8.allSatisfy { (0x30...0x39).contains($0) || (0x61...0x66).contains($0) }
    }
}
