import HTTPServing
import Hummingbird

/// A language of the pages.
package enum Language: String, Sendable, CaseIterable {
    case english = "en"
    case spanish = "es"

    package static let cookie = "gatehouse-language"

    /// The language that a reader chose, else the one that the browser asks for, else English.
    init(_ request: Request) {
        if let chosen = request.cookies[Self.cookie].flatMap({ Language(rawValue: $0.value) }) {
            self = chosen
            return
        }
        let wanted = QualityList(request.headers[.acceptLanguage] ?? "").inOrder
        // `es-MX` is Spanish too.
        self = wanted.lazy.compactMap { Language(rawValue: String($0.prefix { $0 != "-" })) }.first ?? .english
    }
}

/// Light or dark.
package enum Theme: String, Sendable, CaseIterable {
    /// As the reader's machine is set.
    case system, light, dark

    package static let cookie = "gatehouse-theme"

    init(_ request: Request) {
        self = request.cookies[Self.cookie].flatMap { Theme(rawValue: $0.value) } ?? .system
    }
}
