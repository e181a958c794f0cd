package import HTTPServing
import HTTPTypes
package import Hummingbird
import NIOCore
import ResourceModel
import Store

/// Finds the person who calls by the session cookie, and refuses writes that another site made a browser send.
///
/// A request with a token is its token's: no cookie is read beside it, and no form's token is asked for, since no browser sends tokens by itself.
package struct IdentityMiddleware: RouterMiddleware {
    package typealias Context = ServingContext

    private let sessions: Sessions
    private let ownOrigins: @Sendable () -> [String]
    private let isCall: @Sendable (_ path: String) -> Bool

    /// - Parameters:
    ///   - ownOrigins: under which the door is reached beside the host that a request names, as `https://portal.example`.
    ///   - isCall: whether a path belongs to the APIs; all others are pages, whose forms nobody may post without a token either.
    package init(
        sessions: Sessions,
        ownOrigins: @escaping @Sendable () -> [String],
        isCall: @escaping @Sendable (_ path: String) -> Bool
    ) {
        self.sessions = sessions
        self.ownOrigins = ownOrigins
        self.isCall = isCall
    }

    package func handle(
        _ request: Request,
        context: ServingContext,
        next: @concurrent (Request, ServingContext) async throws -> Response
    ) async throws -> Response {
        guard context.caller.proof == .none, !request.carriesToken else { return try await next(request, context) }
        var (request, context) = (request, context)
        if let token = SessionCookies.session(request, context), let session = try await sessions.find(token: token) {
            context.caller = Caller(
                proof: .session(id: session.stored.id),
                user: session.person.name,
                roles: session.person.roles
            )
            context.formToken = RequestForgery.token(for: token)
            if request.isWrite { try await check(&request, context, secret: token) }
            return try await next(request, context)
        }
        return try await guest(&request, context, next)
    }

    private func guest(
        _ request: inout Request,
        _ given: ServingContext,
        _ next: @concurrent (Request, ServingContext) async throws -> Response
    ) async throws -> Response {
        var context = given
        let known = SessionCookies.guest(request, context)
        if request.isWrite {
            if !isCall(request.uri.path), request.isForm || known != nil {
                // Without the cookie no token is any good.
                try await check(&request, context, secret: known)
            }
            context.formToken = known.map { RequestForgery.token(for: $0) } ?? ""
            return try await next(request, context)
        }
        guard request.wantsHTML else { return try await next(request, context) }
        let secret = known ?? SessionCookies.newGuest()
        context.formToken = RequestForgery.token(for: secret)
        var response = try await next(request, context)
        if known == nil, !response.setsCookies { SessionCookies.setGuest(secret, on: &response, context) }
        return response
    }

    // MARK: - Forgery

    /// - Throws: `APIError` 403 for a write that no page of ours sent.
    private func check(_ request: inout Request, _ context: ServingContext, secret: String?) async throws {
        guard
            RequestForgery.isOwn(
                origin: request.headers[.origin],
                fetchSite: request.headers[.fetchSite],
                own: origins(request, context)
            )
        else {
            throw APIError(
                status: 403,
                code: "ForeignOrigin",
                message: "The request comes from a page of another site; use the pages of this portal."
            )
        }
        guard let secret, RequestForgery.isGood(try await token(&request), for: secret) else {
            throw APIError(
                status: 403,
                code: "FormTokenInvalid",
                message: "The form is out of date or not of this session: load the page again and send it once more."
            )
        }
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

extension Request {
    /// Whether the method asks for a change.
    fileprivate var isWrite: Bool { ![.get, .head, .options].contains(method) }

    fileprivate var carriesToken: Bool { headers[.authorization] != nil }
}

extension Response {
    fileprivate var setsCookies: Bool { headers[values: .setCookie].contains { $0.contains("gatehouse-guest=") } }
}

extension HTTPField.Name {
    fileprivate static let fetchSite = HTTPField.Name("Sec-Fetch-Site") ?? .origin
    fileprivate static let formToken = HTTPField.Name("X-CSRF-Token") ?? .origin
}
