import HTTPTypes
package import Hummingbird
import Logging
package import ResourceModel

/// Turns errors into the ARM error document, gives each answer its request id, and tells bugs to the log only.
package struct ErrorMiddleware: RouterMiddleware {
    package typealias Context = ServingContext

    package init() {}

    package func handle(
        _ request: Request,
        context: ServingContext,
        next: @concurrent (Request, ServingContext) async throws -> Response
    ) async throws -> Response {
        var response: Response
        do {
            response = try await next(request, context)
        } catch {
            let failure = Self.wireError(error, context)
            response = .json(failure.document, status: failure.status)
        }
        response.headers[.requestID] = context.requestID
        Self.harden(&response.headers)
        // Bytes after the head of an answer to HEAD would be taken for the next answer.
        if request.method == .head { response.body = ResponseBody() }
        return response
    }

    /// What holds for answers that say nothing else: nobody keeps them, and a browser that opens one runs nothing of it.
    ///
    /// People call the APIs by their session, too, so that what somebody else wrote would act in their name.
    private static func harden(_ fields: inout HTTPFields) {
        if fields[.cacheControl] == nil { fields[.cacheControl] = "no-store" }
        if fields[.xContentTypeOptions] == nil { fields[.xContentTypeOptions] = "nosniff" }
        if fields[.contentSecurityPolicy] == nil {
            fields[.contentSecurityPolicy] = "default-src 'none'; form-action 'none'; frame-ancestors 'none'"
        }
    }

    /// What a caller is told of an error; what is a bug of ours goes to the log only.
    package static func wireError(_ error: any Error, _ context: ServingContext) -> APIError {
        switch error {
        case let error as APIError: return error
        case let error as any CallersError where error.toldError != nil: return error.toldError ?? .inside
        case let error as HTTPError:
            let status = Int(error.status.code)
            let code = status == 404 ? "ResourceNotFound" : status == 413 ? "RequestEntityTooLarge" : "BadRequest"
            let message = status == 404 ? "The path is not known." : error.body ?? error.status.reasonPhrase
            return APIError(status: status, code: code, message: message)
        default:
            context.logger.error(
                "request failed",
                metadata: [
                    "request.id": "\(context.requestID)", "error.code": "\(String(describing: type(of: error)))",
                ]
            )
            context.logger.debug("request failure detail", metadata: ["error": "\(error)"])
            return .inside
        }
    }
}

extension HTTPField.Name {
    package static var requestID: HTTPField.Name { HTTPField.Name("x-ms-request-id") ?? .via }
}
