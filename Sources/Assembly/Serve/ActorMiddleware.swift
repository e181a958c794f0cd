import HTTPServing
import Hummingbird
import Store

/// Notes who changes what a request changes, for the record of changes, once a door's middleware has found the caller.
struct ActorMiddleware: RouterMiddleware {
    typealias Context = ServingContext

    func handle(
        _ request: Request,
        context: ServingContext,
        next: @concurrent (Request, ServingContext) async throws -> Response
    ) async throws -> Response {
        switch context.caller.proof {
        case .none, .unknownToken: return try await next(request, context)
        case .managementToken, .workspaceToken, .session:
            return try await ChangeActor.$current.withValue(context.caller.actor) { try await next(request, context) }
        }
    }
}
