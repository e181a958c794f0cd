import HTTPTypes
package import Hummingbird
import Logging
import ResourceModel

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
        } catch let error as APIError {
            response = .json(error.document, status: error.status)
        } catch let error as HTTPError {
            let status = Int(error.status.code)
            let code = status == 404 ? "ResourceNotFound" : status == 413 ? "RequestEntityTooLarge" : "BadRequest"
            let message = status == 404 ? "The path is not known." : error.body ?? error.status.reasonPhrase
            response = .json(APIError(status: status, code: code, message: message).document, status: status)
        } catch {
            context.logger.error(
                "request failed",
                metadata: [
                    "request.id": "\(context.requestID)", "error.code": "\(String(describing: type(of: error)))",
                ]
            )
            context.logger.debug("request failure detail", metadata: ["error": "\(error)"])
            let failure = APIError(
                status: 500,
                code: "InternalServerError",
                message: "The request failed inside Gatehouse."
            )
            response = .json(failure.document, status: 500)
        }
        response.headers[.requestID] = context.requestID
        // Bytes after the head of an answer to HEAD would be taken for the next answer.
        if request.method == .head { response.body = ResponseBody() }
        return response
    }
}

extension HTTPField.Name {
    package static var requestID: HTTPField.Name { HTTPField.Name("x-ms-request-id") ?? .via }
}
