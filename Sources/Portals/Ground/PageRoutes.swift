package import HTTPServing
import HTTPTypes
package import Hummingbird

/// A page: what shows it, and what its forms do.
protocol Page: Sendable {
    /// Says at which addresses the page and its forms are, and whom they are for.
    func addRoutes(to routes: PageRoutes)
}

/// Where pages put their routes.
package struct PageRoutes {
    private let router: Router<ServingContext>
    private let renderer: PageRenderer

    init(router: Router<ServingContext>, renderer: PageRenderer) {
        self.router = router
        self.renderer = renderer
    }

    /// A page to read; HEAD asks the same.
    package func get(
        _ path: RouterPath,
        for access: Access,
        _ handler: @escaping @Sendable (PageVisit) async throws -> PageAnswer
    ) {
        add(.get, path, access, handler)
        add(.head, path, access, handler)
    }

    /// An address whose GET changes something, as a link that signs in once: HEAD does not ask it.
    package func getOnce(
        _ path: RouterPath,
        for access: Access,
        _ handler: @escaping @Sendable (PageVisit) async throws -> PageAnswer
    ) {
        add(.get, path, access, handler)
    }

    /// A form of a page.
    package func post(
        _ path: RouterPath,
        for access: Access,
        _ handler: @escaping @Sendable (PageVisit) async throws -> PageAnswer
    ) {
        add(.post, path, access, handler)
    }

    private func add(
        _ method: HTTPRequest.Method,
        _ path: RouterPath,
        _ access: Access,
        _ handler: @escaping @Sendable (PageVisit) async throws -> PageAnswer
    ) {
        let renderer = renderer
        router.group().add(middleware: AccessMiddleware(access)).on(path, method: method) { request, context in
            let visit = renderer.visit(request, context)
            return try await renderer.response(try await handler(visit), visit)
        }
    }
}
