import Synchronization

/// Tells by its name whether a parameter or a field holds a secret.
///
/// People write the same name in many ways: `user_pwd`, `userPwd`, `user[pwd]`, `USERPWD`, `%70wd`. So names are decoded, cut into words at
/// letters' case and at everything that is no letter, and compared without case.
package enum SecretNames {
    /// Words that say it by themselves, whatever stands beside them.
    private static let words: Set<String> = [
        "key", "keys", "sig", "auth", "authentication", "pass", "pw", "pin", "otp", "totp", "mac", "hmac", "cookie",
        "cookies", "cred", "creds", "ticket", "sid", "nonce", "verifier", "sas", "wresult", "bearer", "csrf", "xsrf",
    ]
    /// Parts of words that stand in hardly any other word, so that they are found in names that are written together.
    private static let parts = [
        "password", "passwd", "passphrase", "passcode", "pwd", "secret", "token", "credential", "signature",
        "assertion", "apikey", "session", "sessid", "saml", "jwt", "oauth", "authorization", "connectionstring",
        "privatekey",
    ]
    /// Ends of words that say it where two are written together (`userpass`, `accountkey`).
    private static let ends = ["key", "pass", "pw", "auth"]
    /// Words that end so and open nothing.
    private static let harmless: Set<String> = [
        "monkey", "donkey", "turkey", "hockey", "jockey", "whiskey", "hotkey", "lackey", "smokey", "compass", "bypass",
        "trespass", "surpass", "overpass", "underpass", "encompass",
    ]
    /// What makes a code a secret: codes of countries and products are none.
    private static let companionsOfCode: Set<String> = [
        "auth", "authorization", "access", "device", "user", "verification", "verify", "verifier", "confirmation",
        "confirm", "login", "reset", "activation", "invite", "invitation", "security", "secret", "one", "time", "pin",
        "otp", "recovery", "backup", "sms", "mfa", "challenge", "grant",
    ]

    /// Whether the value of a parameter of that name must not be written down.
    ///
    /// - Parameter name: as it came, escaped or not.
    package static func isSecret(_ name: String) -> Bool {
        if let known = judged.withLock({ $0[name] }) { return known }
        let isSecret = judge(PercentEscapes.decoded(name))
        judged.withLock { judged in
            if judged.count >= judgedMax { judged.removeAll(keepingCapacity: true) }
            if name.utf8.count <= judgedNameMax { judged[name] = isSecret }
        }
        return isSecret
    }

    /// Names that were judged: the same ones come in every address.
    ///
    /// Callers choose them, so they are bounded, and forgotten together.
    private static let judged = Mutex<[String: Bool]>([:])
    private static let judgedMax = 1024
    private static let judgedNameMax = 64

    private static func judge(_ name: String) -> Bool {
        // `userPwd` is two words; in `pWd` the case says nothing.
        [words(of: name), words(of: name.lowercased())].contains { hasSecretWord($0) || isSecretCode($0) }
    }

    /// The same for names that programs give: `code` is no secret among them.
    static func isSecret(key: String) -> Bool {
        [words(of: key), words(of: key.lowercased())].contains(where: hasSecretWord)
    }

    private static func hasSecretWord(_ names: [String]) -> Bool {
        names.contains { name in
            words.contains(name) || parts.contains(where: name.contains)
                || ends.contains(where: name.hasSuffix) && !harmless.contains(name)
        }
    }

    private static func isSecretCode(_ words: [String]) -> Bool {
        guard words.contains("code") || words.contains("authcode") else { return false }
        return words.count == 1 || words.contains { companionsOfCode.contains($0) || $0 == "authcode" }
    }

    /// In lower case.
    static func words(of name: String) -> [String] {
        var words: [String] = []
        var word = ""
        let letters = Array(name)
        for (index, letter) in letters.enumerated() {
            guard letter.isLetter else {
                if !word.isEmpty { words.append(word) }
                word = ""
                continue
            }
            let isAfterLower = index > 0 && letters[index - 1].isLowercase
            let isBeforeLower = index + 1 < letters.count && letters[index + 1].isLowercase
            // `userPwd` has two words, `SAMLResponse` too.
            let begins = letter.isUppercase && (isAfterLower || isBeforeLower && word.count > 1)
            if begins, !word.isEmpty {
                words.append(word)
                word = ""
            }
            word += letter.lowercased()
        }
        return word.isEmpty ? words : words + [word]
    }
}

/// Reads percent escapes as whoever is behind the gateway might: what is no escape stays, and what was escaped twice is read twice.
enum PercentEscapes {
    /// Escaped more often than this, nobody reads it.
    private static let roundsMax = 4

    static func decoded(_ text: String) -> String {
        var bytes = Array(text.utf8)
        for _ in 0..<roundsMax {
            let next = once(bytes)
            if next == bytes { break }
            bytes = next
        }
        return String(decoding: bytes, as: UTF8.self)
    }

    private static func once(_ bytes: [UInt8]) -> [UInt8] {
        guard bytes.contains(0x25) else { return bytes }
        var result: [UInt8] = []
        result.reserveCapacity(bytes.count)
        var index = 0
        while index < bytes.count {
            if bytes[index] == 0x25, index + 2 < bytes.count, let high = digit(bytes[index + 1]),
                let low = digit(bytes[index + 2])
            {
                result.append(high << 4 | low)
                index += 3
            } else {
                result.append(bytes[index])
                index += 1
            }
        }
        return result
    }

    private static func digit(_ byte: UInt8) -> UInt8? {
        switch byte {
        case 0x30...0x39: byte - 0x30
        case 0x41...0x46: byte - 0x37
        case 0x61...0x66: byte - 0x57
        default: nil
        }
    }
}
