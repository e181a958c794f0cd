import Foundation
import HTTPServing
import HTTPTypes
import Hummingbird
import ResourceModel
import Store

/// Lets calls of the direct API through that a key of `tenant/access` has signed (contracts/api-management.md 4.2).
struct SignatureMiddleware: RouterMiddleware {
    typealias Context = ServingContext

    let service: ResourceService

    func handle(
        _ request: Request,
        context: ServingContext,
        next: @concurrent (Request, ServingContext) async throws -> Response
    ) async throws -> Response {
        let principal = try await signer(request)
        return try await ChangeActor.$current.withValue("direct API: \(principal)") {
            try await next(request, context)
        }
    }

    /// Who signed the request.
    ///
    /// - Throws: `APIError` 401 for everything that is not a good signature while the door is open.
    private func signer(_ request: Request) async throws -> String {
        let refused = APIError(
            status: 401,
            code: "AuthorizationFailed",
            message:
                "The direct API needs Authorization: SharedAccessSignature, signed by a key of tenant/access, which must be enabled."
        )
        let scheme = "sharedaccesssignature "
        guard let field = request.headers[.authorization], field.lowercased().hasPrefix(scheme) else { throw refused }
        let access = ResourceID(["tenant", "access"])
        let properties = try await service.get(access).properties
        guard properties["enabled"]?.bool == true, let principal = properties["principalId"]?.string else {
            throw refused
        }
        let token = field.dropFirst(scheme.count).trimmingCharacters(in: .whitespaces)
        for slot in ["primaryKey", "secondaryKey"] {
            guard let key = try await service.secret(access, slot) else { continue }
            let id = SharedAccessToken.judge(token, now: Date()) { $0 == principal ? key : nil }
            if let id { return id }
        }
        throw refused
    }
}
