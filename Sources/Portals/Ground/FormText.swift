import ResourceModel

/// Writes words for queries and forms.
package enum FormText {
    private static let plain = Set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~/".utf8)

    /// Percent-encoded for a value of a query; slashes stay, so that a path can be read.
    package static func encoded(_ text: String) -> String {
        var result = ""
        for byte in text.utf8 {
            if plain.contains(byte) {
                result.unicodeScalars.append(Unicode.Scalar(byte))
            } else {
                result += "%" + Identifier.hex([byte]).uppercased()
            }
        }
        return result
    }
}
