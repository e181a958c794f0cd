import Foundation
package import HTTPServing
import HTTPTypes
package import Hummingbird
import People
import ResourceModel

/// A request for a page: who asks, and in which language.
package struct PageVisit: Sendable {
    package let request: Request
    package let context: ServingContext
    package let words: Words

    /// Where somebody signs in from.
    var visitor: Visitor { Visitor(request, context) }

    /// Whether a browser fetches ahead what nobody has opened yet.
    var isPrefetch: Bool {
        ["Sec-Purpose", "Purpose"].contains { name in
            HTTPField.Name(name).flatMap { request.headers[$0] }?.lowercased().contains("prefetch") ?? false
        }
    }

    package var caller: Caller { context.caller }
    package var locale: LocaleText { LocaleText(words.language) }

    /// The form that was sent.
    ///
    /// - Throws: `APIError` 413, 415 or 400 that says what about it is wrong.
    package func form() async throws -> FormFields { try await FormFields(request) }

    /// A word of the query, decoded; nil where it is absent or cannot be decoded.
    package func query(_ name: String) -> String? { queries(name).first }

    /// A word of the query that may stand several times, as a box that is ticked.
    package func queries(_ name: String) -> [String] {
        let pairs = request.uri.query.flatMap { try? FormFields.pairs(Array($0.utf8)) } ?? []
        return pairs.filter { $0.name == name }.map(\.value)
    }

    /// A part of the path that the route names, decoded.
    package func parameter(_ name: String) throws -> String {
        let text = try context.parameters.require(name)
        guard let decoded = PercentEncoding.decoded(text) else {
            throw APIError.notFound("The path is not known.")
        }
        return decoded
    }

    /// The page's own address, with its query: for a form that is answered in its place, that of the page that it stands on.
    package var path: String {
        guard request.method == .get || request.method == .head else { return formPath ?? "/welcome" }
        return request.uri.query.map { "\(request.uri.path)?\($0)" } ?? request.uri.path
    }

    /// The address of the page that a form was sent from, as the browser says it.
    private var formPath: String? {
        guard let referer = request.headers[.referer], let authority = request.head.authority,
            let start = referer.range(of: "://\(authority)/")
        else { return nil }
        return Self.ownPath(String(referer[referer.index(before: start.upperBound)...]))
    }

    /// An address of ours to go on to; nil for anybody else's.
    ///
    /// Browsers take `\` for `/` and drop tabs and line ends, so that `/\host` and `/<tab>/host` would lead to another host.
    package static func ownPath(_ text: String?) -> String? {
        guard let text, text.utf8.count <= 2000, text.hasPrefix("/"), !text.hasPrefix("//"),
            text.utf8.allSatisfy({ $0 > 0x20 && $0 != 0x7F && $0 != UInt8(ascii: "\\") && $0 < 0x80 })
        else { return nil }
        return text
    }
}
