import HTTPServing
import Hummingbird
import Store

/// Lets deletions use the space that is kept back for them when the disk is full.
struct SpaceMiddleware: RouterMiddleware {
    typealias Context = ServingContext

    func handle(
        _ request: Request,
        context: ServingContext,
        next: @concurrent (Request, ServingContext) async throws -> Response
    ) async throws -> Response {
        guard request.method == .delete else { return try await next(request, context) }
        return try await SpaceUse.$isFreeing.withValue(true) { try await next(request, context) }
    }
}
