package import HTTPServing
import HTTPTypes
package import Hummingbird
import ResourceModel

/// Shows a page for what goes wrong, to whoever asked for a page; all others hear what their contract says.
package struct PageErrorMiddleware: RouterMiddleware {
    package typealias Context = ServingContext

    private let renderer: PageRenderer
    private let apis: APIPaths

    /// - Parameter apis: nobody hears a page from them.
    package init(_ renderer: PageRenderer, apis: APIPaths) {
        self.renderer = renderer
        self.apis = apis
    }

    package func handle(
        _ request: Request,
        context: ServingContext,
        next: @concurrent (Request, ServingContext) async throws -> Response
    ) async throws -> Response {
        guard asksForPage(request) else { return try await next(request, context) }
        do { return try await next(request, context) } catch {
            let failure = ErrorMiddleware.wireError(error, context)
            let visit = renderer.visit(request, context)
            if failure.status == 401 {
                return try await renderer.response(.seeOther(Self.signIn(visit)), visit)
            }
            return try await renderer.response(
                ErrorPage.view(failure, visit, email: try await renderer.email(of: visit)),
                visit
            )
        }
    }

    private func asksForPage(_ request: Request) -> Bool {
        request.headers[.authorization] == nil && request.asksForHTML && !apis.contains(request.uri.path)
    }

    /// Where guests are led, to come back to what they asked for; a form that was sent is not sent again.
    private static func signIn(_ visit: PageVisit) -> String {
        guard visit.request.method == .get else { return "/signin" }
        return "/signin?next=\(FormText.encoded(visit.path))"
    }
}
