package import HTTPServing
import HTTPTypes
package import Hummingbird
import ResourceModel
import Store

/// Finds the person who calls by the session cookie, and the token that forms of this browser carry.
///
/// A request with a token is its token's: no cookie is read beside it.
package struct IdentityMiddleware: RouterMiddleware {
    package typealias Context = ServingContext

    private let sessions: Sessions

    package init(sessions: Sessions) { self.sessions = sessions }

    package func handle(
        _ request: Request,
        context: ServingContext,
        next: @concurrent (Request, ServingContext) async throws -> Response
    ) async throws -> Response {
        guard context.caller.proof == .none, !request.carriesToken else { return try await next(request, context) }
        var context = context
        guard let token = SessionCookies.session(request, context),
            let session = try await sessions.find(token: token)
        else { return try await guest(request, context, next) }
        context.caller = Caller(
            proof: .session(id: session.stored.id),
            user: session.person.name,
            roles: session.person.roles
        )
        context.formToken = RequestForgery.token(for: token)
        return try await next(request, context)
    }

    /// Whoever is given a page is given a cookie that the tokens of its forms are made of.
    private func guest(
        _ request: Request,
        _ given: ServingContext,
        _ next: @concurrent (Request, ServingContext) async throws -> Response
    ) async throws -> Response {
        var context = given
        let known = SessionCookies.guest(request, context)
        guard let secret = known ?? (!request.isWrite && request.asksForHTML ? SessionCookies.newGuest() : nil) else {
            return try await next(request, context)
        }
        context.formToken = RequestForgery.token(for: secret)
        var response = try await next(request, context)
        if known == nil, !response.setsGuest {
            response.headers.append(SessionCookies.guestField(secret, context))
        }
        return response
    }
}

extension Response {
    fileprivate var setsGuest: Bool { headers[values: .setCookie].contains { $0.contains("gatehouse-guest=") } }
}
