package import Hummingbird
package import ResourceModel

/// Whom routes are for.
///
/// Administrators and the management token may do whatever anybody may.
package enum Access: String, Sendable, CaseIterable {
    case everyone
    /// Whoever is signed in.
    case person
    /// Members of the workspace, and its tokens.
    case workspace
    /// Owners of the workspace.
    case workspaceOwner
    case administrator

    package func admits(_ caller: Caller) -> Bool {
        if caller.proof == .managementToken { return self != .person }
        if caller.roles.contains(.administrator) { return true }
        switch self {
        case .everyone: return true
        case .person: return caller.isPerson
        case .workspace:
            return caller.proof == .workspaceToken || caller.roles.contains(.workspaceUser)
                || caller.roles.contains(.workspaceOwner)
        case .workspaceOwner: return caller.roles.contains(.workspaceOwner)
        case .administrator: return false
        }
    }

    /// How the contract of a door words what it refuses.
    package enum Contract: Sendable {
        case management
        /// Of the Studio and of its web services.
        case studio
    }

    /// What a caller hears that is not admitted: 401 for whoever did not show who it is, 403 for whoever may not.
    package func refusal(of caller: Caller, as contract: Contract = .management) -> APIError {
        switch caller.proof {
        case .session:
            return APIError(status: 403, code: "AuthorizationFailed", message: "You need to be \(need) to do this.")
        case _ where contract == .studio:
            return APIError(status: 401, code: "Unauthorized", message: "Request is unauthorized to access resource.")
        case .none:
            return APIError(
                status: 401,
                code: "AuthenticationFailed",
                message: "Authentication failed. The 'Authorization' header is missing."
            )
        case .unknownToken, .workspaceToken, .managementToken:
            return APIError(status: 401, code: "InvalidAuthenticationToken", message: "The access token is invalid.")
        }
    }

    private var need: String {
        switch self {
        case .everyone, .person: "signed in"
        case .workspace: "a member of the workspace; its owners can invite you"
        case .workspaceOwner: "an owner of the workspace; another owner can make you one"
        case .administrator: "a member of the group Administrators; an administrator can add you"
        }
    }
}

extension APIError {
    /// The code of a form's refusal that came without its token, or from another site's page.
    package static let formRefusedCode = "FormRefused"
}

/// Lets callers through to a group's routes whom its access admits; the routes themselves ask nothing.
package struct AccessMiddleware: RouterMiddleware {
    package typealias Context = ServingContext

    private let access: Access
    private let contract: Access.Contract

    package init(_ access: Access, as contract: Access.Contract = .management) {
        self.access = access
        self.contract = contract
    }

    package func handle(
        _ request: Request,
        context: ServingContext,
        next: @concurrent (Request, ServingContext) async throws -> Response
    ) async throws -> Response {
        guard access.admits(context.caller) else { throw access.refusal(of: context.caller, as: contract) }
        return try await next(request, context)
    }
}
