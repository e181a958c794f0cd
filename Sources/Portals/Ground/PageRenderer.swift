import HTTPServing
import HTTPTypes
import Hummingbird
import Management
import NIOCore
import People
import ResourceModel

/// Makes pages of what their handlers show.
package struct PageRenderer: Sendable {
    /// Scripts and styles come from this door alone, and stand in files: what somebody writes into a name never runs.
    static let contentSecurityPolicy = [
        "default-src 'none'", "script-src 'self'", "style-src 'self'", "img-src 'self'", "connect-src 'self'",
        "font-src 'self'", "form-action 'self'", "frame-ancestors 'none'", "base-uri 'none'",
    ].joined(separator: "; ")

    private let templates: PageTemplates
    private let words: WordCatalogue
    private let frame: Frame
    /// Answers with what a page's template would be given, so that tests can compare it with the page's example.
    private let showsModels: Bool

    init(templates: PageTemplates, words: WordCatalogue, frame: Frame, showsModels: Bool) {
        self.templates = templates
        self.words = words
        self.frame = frame
        self.showsModels = showsModels
    }

    func visit(_ request: Request, _ context: ServingContext) -> PageVisit {
        PageVisit(request: request, context: context, words: words[Language(request)])
    }

    /// The address of whoever is signed in.
    func email(of visit: PageVisit) async throws -> String? { try await frame.reader(visit)?.email }

    func response(_ answer: PageAnswer, _ visit: PageVisit) async throws -> Response {
        switch answer {
        case .view(let view): return try await response(view, visit)
        case .seeOther(let path, var fields):
            fields[.location] = path
            fields[.cacheControl] = "no-store"
            fields[.contentLength] = "0"
            Self.harden(&fields)
            return Response(status: .seeOther, headers: fields)
        }
    }

    func response(_ view: PageView, _ visit: PageVisit) async throws -> Response {
        let model = try await frame.model(view, visit)
        if showsModels { return .json(["template": .string(view.page), "model": model], status: view.status) }
        let text = try templates.render(view.page, model)
        var fields = view.fields
        fields[.contentType] = "text/html; charset=utf-8"
        fields[.contentLanguage] = visit.words.language.rawValue
        fields[.contentLength] = String(text.utf8.count)
        // Every page holds a token of its reader's forms.
        fields[.cacheControl] = "no-store"
        fields[.vary] = "Accept-Language, Cookie"
        Self.harden(&fields)
        return Response(
            status: HTTPResponse.Status(code: view.status),
            headers: fields,
            body: ResponseBody(byteBuffer: ByteBuffer(string: text))
        )
    }

    private static func harden(_ fields: inout HTTPFields) {
        fields[.contentSecurityPolicy] = contentSecurityPolicy
        fields[.xContentTypeOptions] = "nosniff"
        fields[.referrerPolicy] = "same-origin"
        fields[.crossOriginOpenerPolicy] = "same-origin"
    }
}

extension HTTPField.Name {
    fileprivate static var referrerPolicy: HTTPField.Name { HTTPField.Name("Referrer-Policy") ?? .via }
    fileprivate static var crossOriginOpenerPolicy: HTTPField.Name {
        HTTPField.Name("Cross-Origin-Opener-Policy") ?? .via
    }
}
