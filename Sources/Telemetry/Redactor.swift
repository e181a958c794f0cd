import Foundation

/// Finds secrets in text that is about to be written or kept.
package enum Redactor {
    /// What stands in the place of a secret.
    package static let mark = "[redacted]"

    /// A value whose name says that it is a secret is replaced whole.
    package static func redact(key: String, value: String) -> String {
        SecretNames.isSecret(key: key) ? mark : redact(value)
    }

    // MARK: - Addresses

    private static let slash = UInt8(0x2F)
    private static let question = UInt8(0x3F)
    private static let ampersand = UInt8(0x26)
    private static let semicolon = UInt8(0x3B)
    private static let hash = UInt8(0x23)

    /// An address, or its path and query, without the values of parameters that are secrets by their names.
    ///
    /// Wherever a parameter stands: in the query, behind a `;` of the path, in a fragment; and in addresses and documents that are themselves
    /// a parameter's value. What stands between the scheme and an `@` is taken out too.
    ///
    /// - Parameter isSecret: names that are secrets beside the known ones; asked with the decoded name in lower case.
    package static func address(_ text: String, isSecret: (String) -> Bool = { _ in false }) -> String {
        var result = ""
        result.reserveCapacity(text.utf8.count)
        var part: [UInt8] = []
        var isInPath = true
        for byte in text.utf8 {
            // Behind the path, slashes and semicolons may be part of a value, as of base64.
            let isSeparator =
                byte == question && isInPath || byte == hash
                || (isInPath ? byte == slash || byte == semicolon : byte == ampersand)
            guard isSeparator else {
                part.append(byte)
                continue
            }
            if byte == question || byte == hash { isInPath = false }
            result += item(part, isSecret)
            result.unicodeScalars.append(Unicode.Scalar(byte))
            part = []
        }
        return result + item(part, isSecret)
    }

    /// One `name=value`, or whatever else stands between two separators.
    private static func item(_ bytes: [UInt8], _ isSecret: (String) -> Bool) -> String {
        let text = String(decoding: bytes, as: UTF8.self)
        guard let equals = bytes.firstIndex(of: 0x3D) else {
            // `user:password@host`, and an equals sign that was escaped to be overlooked.
            if let at = bytes.lastIndex(of: 0x40), bytes[..<at].contains(0x3A) {
                return mark + String(decoding: bytes[at...], as: UTF8.self)
            }
            return hidesSecret(text, isSecret) ? mark : redact(words: text)
        }
        let name = String(decoding: bytes[..<equals], as: UTF8.self)
        let value = String(decoding: bytes[(equals + 1)...], as: UTF8.self)
        if isSecretName(name, isSecret) || hidesSecret(value, isSecret) { return "\(name)=\(mark)" }
        return hidesSecret(name, isSecret) ? "\(mark)=\(mark)" : "\(name)=\(redact(words: value))"
    }

    private static func isSecretName(_ name: String, _ isSecret: (String) -> Bool) -> Bool {
        // Blanks, as which `+` is read too, are no letters: the words of the name are the same.
        isSecret(PercentEscapes.decoded(name).lowercased()) || SecretNames.isSecret(name)
    }

    /// What stands before a name in an address or a document that is a parameter's value.
    private static let beforeNames: Set<UInt8> = Set("/?&;# ,{".utf8)

    /// Whether escaped text holds a secret with its name: an address or a document as a parameter's value, or an equals sign that is escaped.
    private static func hidesSecret(_ text: String, _ isSecret: (String) -> Bool) -> Bool {
        // Whatever is hidden has a sign of its own, or an escaped one.
        guard text.utf8.contains(where: { $0 == 0x25 || $0 == 0x3D || $0 == 0x3A }) else { return false }
        let decoded = Array(PercentEscapes.decoded(text).utf8)
        guard decoded.contains(0x3D) || decoded.contains(0x3A) else { return false }
        return decoded.split(whereSeparator: { beforeNames.contains($0) }).contains { part in
            guard let end = part.firstIndex(where: { $0 == 0x3D || $0 == 0x3A }), end + 1 < part.endIndex else {
                return false
            }
            let name = String(decoding: part[..<end], as: UTF8.self)
            // A colon without quotes before it is that of an address or of a time.
            guard part[end] == 0x3D || name.contains("\"") else { return false }
            return isSecretName(name, isSecret)
        }
    }

    // MARK: - Texts

    /// Bytes that a name in a text is made of; `%` and brackets stand in names of addresses.
    private static func isNameByte(_ byte: UInt8) -> Bool {
        switch byte {
        case 0x30...0x39, 0x41...0x5A, 0x61...0x7A: true
        case 0x5F, 0x2D, 0x2E, 0x25, 0x24, 0x5B, 0x5D, 0x7E, 0x2B: true
        default: byte >= 0x80
        }
    }

    /// What stands before the name of a parameter.
    private static let inAddresses: Set<UInt8> = Set("?&;#/".utf8)
    private static let ends: Set<UInt8> = Set(" ;&\"'\n\r\t<>,)#".utf8)

    /// Values behind names of secrets inside a text, as `name=value`; bearer tokens and keys of subscriptions too.
    package static func redact(_ text: String) -> String {
        guard text.utf8.contains(0x3D) else { return redact(words: text) }
        let bytes = Array(text.utf8)
        var result: [UInt8] = []
        result.reserveCapacity(bytes.count)
        var index = 0
        var nameStart = 0
        while index < bytes.count {
            let byte = bytes[index]
            result.append(byte)
            index += 1
            guard byte == 0x3D else {
                if !isNameByte(byte) { nameStart = index }
                continue
            }
            let name = String(decoding: bytes[nameStart..<(index - 1)], as: UTF8.self)
            let isInAddress = nameStart > 0 && inAddresses.contains(bytes[nameStart - 1])
            nameStart = index
            // Errors have codes too.
            guard isSecretName(name, { _ in false }),
                isInAddress || SecretNames.isSecret(key: PercentEscapes.decoded(name))
            else { continue }
            let end = bytes[index...].firstIndex { ends.contains($0) } ?? bytes.endIndex
            guard end > index else { continue }
            result += Array(mark.utf8)
            index = end
            nameStart = end
        }
        return redact(words: String(decoding: result, as: UTF8.self))
    }

    /// Secrets that stand behind a word, not behind an equals sign.
    private static let markers = [
        "bearer ", "authorization: basic ", "sharedaccesssignature ", "sharedkey ", "sharedkeylite ",
        "ocp-apim-subscription-key: ",
    ]

    private static func redact(words text: String) -> String {
        // All of them have a blank.
        guard text.utf8.contains(0x20) else { return text }
        var result = text
        for marker in markers {
            var from = result.startIndex
            while let found = result.range(of: marker, options: .caseInsensitive, range: from..<result.endIndex) {
                let end = result[found.upperBound...].firstIndex { " ;&\"'\n\r\t".contains($0) } ?? result.endIndex
                result.replaceSubrange(found.upperBound..<end, with: mark)
                from = result.index(found.lowerBound, offsetBy: marker.count + mark.count)
            }
        }
        return result
    }
}
