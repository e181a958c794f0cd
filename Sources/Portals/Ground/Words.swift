package import ResourceModel

/// What pages say, in one language.
package struct Words: Sendable {
    package let language: Language
    /// All words, as templates name them: `{{t.signin.title}}`.
    package let tree: JSONValue

    package init(language: Language, tree: JSONValue) {
        self.language = language
        self.tree = tree
    }

    /// The text of a key, as `studio.saved`, with its parts in place.
    ///
    /// - Returns: the key itself where there is no such text, which a unit test finds for the keys that pages name.
    package func text(_ key: String, _ parts: [String: String] = [:]) -> String {
        guard let text = find(key)?.string else { return key }
        return Self.filled(text, parts)
    }

    /// The text for a number of things: the key's member `one` or `other`, in which `{count}` is the number.
    package func text(_ key: String, count: Int, _ parts: [String: String] = [:]) -> String {
        var parts = parts
        parts["count"] = LocaleText(language).number(count)
        return text("\(key).\(count == 1 ? "one" : "other")", parts)
    }

    package func has(_ key: String) -> Bool { find(key)?.string != nil }

    private func find(_ key: String) -> JSONValue? {
        var value: JSONValue? = tree
        for name in key.split(separator: ".") { value = value?[String(name)] }
        return value
    }

    /// A text with its parts in place, each looked for once: what stands in a part is never taken for another's name.
    static func filled(_ text: String, _ parts: [String: String]) -> String {
        guard text.utf8.contains(UInt8(ascii: "{")) else { return text }
        var result = ""
        var rest = Substring(text)
        while let open = rest.firstIndex(of: "{") {
            result += rest[..<open]
            rest = rest[rest.index(after: open)...]
            guard let close = rest.firstIndex(of: "}"), let part = parts[String(rest[..<close])] else {
                result += "{"
                continue
            }
            result += part
            rest = rest[rest.index(after: close)...]
        }
        return result + rest
    }
}

/// The words of all languages.
package struct WordCatalogue: Sendable {
    private let english: Words
    private let spanish: Words

    package init(_ assets: Assets = .compiled) throws(PageGroundError) {
        english = try Self.read(.english, assets)
        spanish = try Self.read(.spanish, assets)
    }

    package subscript(language: Language) -> Words {
        switch language {
        case .english: english
        case .spanish: spanish
        }
    }

    private static func read(_ language: Language, _ assets: Assets) throws(PageGroundError) -> Words {
        let name = "words/\(language.rawValue).json"
        guard let asset = assets[name] else { throw PageGroundError("The words \(name) are missing.") }
        do { return Words(language: language, tree: try JSONValue(parsing: asset.plainBytes)) } catch {
            throw PageGroundError("The words \(name) cannot be read: \(error)")
        }
    }
}
