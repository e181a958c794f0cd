package import HTTPServing
import HTTPTypes
package import Hummingbird
import NIOCore
import ResourceModel

/// Refuses writes that another site made a browser send: all writes of a session, and the forms that guests post to pages.
///
/// Requests with a token are asked for nothing, since no browser sends tokens by itself; nor are calls of APIs that show nothing.
package struct ForgeryMiddleware: RouterMiddleware {
    package typealias Context = ServingContext

    private let ownOrigins: @Sendable () -> [String]
    private let isCall: @Sendable (_ path: String) -> Bool

    /// - Parameters:
    ///   - ownOrigins: under which the door is reached beside the host that a request names, as `https://portal.example`.
    ///   - isCall: whether a path belongs to the APIs; all others are pages.
    package init(
        ownOrigins: @escaping @Sendable () -> [String],
        isCall: @escaping @Sendable (_ path: String) -> Bool
    ) {
        self.ownOrigins = ownOrigins
        self.isCall = isCall
    }

    package func handle(
        _ request: Request,
        context: ServingContext,
        next: @concurrent (Request, ServingContext) async throws -> Response
    ) async throws -> Response {
        guard request.isWrite, !request.carriesToken, isAsked(request, context) else {
            return try await next(request, context)
        }
        guard
            RequestForgery.isOwn(
                origin: request.headers[.origin],
                fetchSite: request.headers[.fetchSite],
                own: origins(request, context)
            )
        else { throw Self.refusal("The form comes from a page of another site; use the pages of this portal.") }
        var request = request
        guard let token = try await token(&request), RequestForgery.isSame(token, context.formToken) else {
            throw Self.refusal(
                "The form is out of date or not of this session: load the page again and send it once more."
            )
        }
        return try await next(request, context)
    }

    private func isAsked(_ request: Request, _ context: ServingContext) -> Bool {
        // Whoever the door's middleware found without a cookie has no token of forms.
        if context.caller.isPerson { return !context.formToken.isEmpty }
        return !isCall(request.uri.path) && (request.isForm || !context.formToken.isEmpty)
    }

    private static func refusal(_ message: String) -> APIError {
        APIError(status: 403, code: APIError.formRefusedCode, message: message)
    }

    private func origins(_ request: Request, _ context: ServingContext) -> [String] {
        let own = request.head.authority.map { ["\(context.isSecure ? "https" : "http")://\($0)"] } ?? []
        return own + ownOrigins()
    }

    /// The token that scripts send in a field of the head, and forms among their fields; a form's body is put back for its route.
    private func token(_ request: inout Request) async throws -> String? {
        if let token = request.headers[.formToken] { return token }
        guard request.isForm else { return nil }
        let bytes = try await request.bodyBytes(max: FormBody.bytesMax)
        request.body = RequestBody(buffer: ByteBuffer(bytes: bytes))
        return FormBody.value(of: "csrf", in: bytes)
    }
}

extension HTTPField.Name {
    fileprivate static let fetchSite = HTTPField.Name("Sec-Fetch-Site") ?? .origin
    fileprivate static let formToken = HTTPField.Name("X-CSRF-Token") ?? .origin
}
