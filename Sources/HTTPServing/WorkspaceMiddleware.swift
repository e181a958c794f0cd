package import Hummingbird
import ResourceModel

/// Lets calls through to a group's routes whose path names the installation's workspace.
package struct WorkspaceMiddleware: RouterMiddleware {
    package typealias Context = ServingContext

    private let workspace: String

    /// - Parameter workspace: the id that the path's `:workspace` must be, whatever its case.
    package init(_ workspace: String) { self.workspace = workspace.lowercased() }

    package func handle(
        _ request: Request,
        context: ServingContext,
        next: @concurrent (Request, ServingContext) async throws -> Response
    ) async throws -> Response {
        let word = try context.parameters.require("workspace")
        guard (PercentEncoding.decoded(word) ?? word).lowercased() == workspace else {
            throw APIError.notFound("The workspace was not found.")
        }
        return try await next(request, context)
    }
}
