import HTTPTypes
package import Hummingbird

/// Finds who calls by the token that a request carries: of management or of the workspace.
///
/// A request without one keeps the caller that it has. Who may call what is not its business: groups of routes say that by
/// `AccessMiddleware`.
package struct TokenMiddleware: RouterMiddleware {
    package typealias Context = ServingContext

    private let management: TokenGuard
    private let workspace: WorkspaceTokens

    package init(management: TokenGuard, workspace: WorkspaceTokens) {
        self.management = management
        self.workspace = workspace
    }

    package func handle(
        _ request: Request,
        context: ServingContext,
        next: @concurrent (Request, ServingContext) async throws -> Response
    ) async throws -> Response {
        var context = context
        let bearer = request.bearerToken
        if let proof = proof(bearer) ?? proof(request.workspaceToken) {
            context.caller = Caller(proof: proof)
        } else if bearer != nil {
            context.caller = Caller(proof: .unknownToken)
        }
        return try await next(request, context)
    }

    private func proof(_ token: String?) -> Caller.Proof? {
        if management.admits(token) { return .managementToken }
        return workspace.admits(token) ? .workspaceToken : nil
    }
}

extension Request {
    /// The field in which clients of the Studio send a workspace's token.
    fileprivate var workspaceToken: String? {
        HTTPField.Name("x-ms-metaanalytics-authorizationtoken").flatMap { headers[$0] }
    }
}
