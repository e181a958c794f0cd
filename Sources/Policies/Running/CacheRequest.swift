/// What tells answers of the response cache apart, its parts one after another.
///
/// Each part stands behind its length, and a list behind its count, so that no two requests have the same key, whatever they hold.
package struct CacheKey: Sendable, Hashable {
    package private(set) var text = ""

    package init() {}

    package mutating func add(_ part: String?) {
        guard let part else {
            text += "-"
            return
        }
        text += "\(part.utf8.count):\(part)"
    }

    package mutating func add(_ name: String, _ values: [String]) {
        add(name)
        text += "\(values.count)*"
        for value in values { add(value) }
    }

    /// What bytes that are no text were read as: two such texts may have been different bytes.
    var holdsReplacements: Bool { text.unicodeScalars.contains("\u{FFFD}") }
}

/// A request that `cache-lookup` asked the response cache about.
package struct CacheRequest {
    package let key: CacheKey
    private let source: any HeaderSource
    /// As they were then: what policies change later is not what the answer is asked for by.
    private let headers: HeaderEdits

    /// - Parameters:
    ///   - source: the fields that the request came with.
    ///   - headers: what policies have made of them by now.
    /// - Returns: nil where answers to it could not be told from those to others.
    package init?(key: CacheKey, source: any HeaderSource, headers: HeaderEdits = HeaderEdits()) {
        guard !key.holdsReplacements else { return nil }
        self.key = key
        self.source = source
        self.headers = headers
    }

    /// The key of an answer that is for requests with the same values of these fields alone.
    ///
    /// - Returns: nil where they could not be told from others.
    package func key(varyingBy names: [String]) -> CacheKey? {
        var key = key
        for name in names { key.add(name, headers.edit(name)?.values ?? source.values(name)) }
        return key.holdsReplacements ? nil : key
    }
}

/// An answer that the response cache kept.
package struct CachedAnswer {
    package let response: PolicyResponse
    /// Whole seconds since it was kept, and those that it may still be used.
    package let secondsKept: Int
    package let secondsLeft: Int

    package init(response: PolicyResponse, secondsKept: Int, secondsLeft: Int) {
        self.response = response
        self.secondsKept = secondsKept
        self.secondsLeft = secondsLeft
    }
}

/// What an answer says of being kept (RFC 9111).
///
/// How long it is good for is the policy's own matter (`duration`), and so `max-age` and `no-cache` are not looked at.
enum CacheRules {
    /// Fields that an answer may be told apart by: more than any backend names.
    private static let varyingMax = 32

    /// Whether the answer may not be kept for others.
    static func forbids(_ response: PolicyResponse) -> Bool {
        words(response.values("cache-control")).contains { word in
            let name = word.prefix { $0 != "=" }
            // One that names fields alone is taken for all of the answer, as the standard lets caches do.
            return name == "no-store" || name == "private"
        }
    }

    /// The fields that `Vary` names, in lower case and sorted, each once.
    ///
    /// - Returns: nil for an answer that no other request is like.
    static func varyingNames(_ response: PolicyResponse) -> [String]? {
        let names = Set(words(response.values("vary"))).sorted()
        return names.contains("*") || names.count > varyingMax ? nil : names
    }

    /// The answer's `Age`; nil where it has none that is a number.
    static func age(_ response: PolicyResponse) -> Int? {
        guard let text = response.values("age").first, let age = Int(text), (0...Int(Int32.max)).contains(age) else {
            return nil
        }
        return age
    }

    /// The members of a list of tokens, in lower case; commas inside quotes are text.
    private static func words(_ values: [String]) -> [String] {
        values.flatMap(words).map { $0.trimmingBlanks.lowercased() }.filter { !$0.isEmpty }
    }

    private static func words(_ value: String) -> [String] {
        var isQuoted = false
        var isEscaped = false
        let words = value.split { character in
            if isEscaped {
                isEscaped = false
            } else if isQuoted, character == "\\" {
                isEscaped = true
            } else if character == "\"" {
                isQuoted.toggle()
            }
            return character == "," && !isQuoted
        }
        // What a quote without its end hides is looked at all the same.
        return (isQuoted ? value.split(separator: ",") : words).map(String.init)
    }
}
