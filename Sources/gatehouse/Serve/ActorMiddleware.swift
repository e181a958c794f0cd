import HTTPServing
import Hummingbird
import Store

/// Notes by which token a request changes what it changes, for the record of changes; which token a door admits is the door's own rule.
struct ActorMiddleware: RouterMiddleware {
    typealias Context = ServingContext

    let management: TokenGuard
    /// Of the workspace and of management.
    let everyday: TokenGuard

    func handle(
        _ request: Request,
        context: ServingContext,
        next: @concurrent (Request, ServingContext) async throws -> Response
    ) async throws -> Response {
        let token = request.bearerToken
        guard everyday.admits(token) else { return try await next(request, context) }
        let actor = management.admits(token) ? "management token" : "workspace token"
        return try await ChangeActor.$current.withValue(actor) { try await next(request, context) }
    }
}
