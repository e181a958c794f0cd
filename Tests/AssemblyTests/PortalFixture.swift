import Assembly
import Foundation
import HTTPServing
import HTTPTypes
import Hummingbird
import Logging
import NIOCore
import ResourceModel

/// The portal's routes on an installation of their own in a temporary folder: no port is opened.
struct PortalFixture {
    let opened: OpenInstallation
    let router: Router<ServingContext>
    /// Those of the router's routes that are pages'.
    let pageRoutes: Set<String>
    private let responder: RouterResponder<ServingContext>
    private let logger: Logger

    /// Makes the installation, does the work, and takes everything away again.
    ///
    /// - Parameters:
    ///   - words: of the command line of `serve`.
    ///   - showsModels: whether pages answer with their models as JSON.
    ///   - addRoutes: puts more routes behind the same middleware.
    static func with(
        _ words: [String] = [],
        showsModels: Bool = false,
        adding addRoutes: @Sendable (Router<ServingContext>) -> Void = { _ in },
        _ work: @Sendable (PortalFixture) async throws -> Void
    ) async throws {
        let path = FileManager.default.temporaryDirectory.path + "/portal-\(Identifier.hex32())"
        defer { try? FileManager.default.removeItem(atPath: path) }
        let logger = Logger(label: "portal") { _ in SwiftLogNoOpLogHandler() }
        let settings = try await ServeSettings(words: words)
        try await ClosingList.closing(logger) { closing in
            let opened = try await OpenInstallation.open(try DataFolder(path: path), form: .init(), closing)
            let premises = Premises(opened, settings, logger)
            let workings = try await Workings.open(premises, closing)
            let routes = try PortalRouter(
                premises,
                workings,
                ControlPlane(premises, workings),
                showsModels: showsModels
            )
            let pages = Router(context: ServingContext.self)
            routes.addPages(to: pages)
            let router = routes.make()
            addRoutes(router)
            try await work(
                PortalFixture(
                    opened: opened,
                    router: router,
                    pageRoutes: Set(pages.routes.map(\.description)),
                    responder: router.buildResponder(),
                    logger: logger
                )
            )
        }
    }

    /// Asks a route.
    ///
    /// - Parameter caller: whom the door's middleware is to have found already; a token goes with the fields.
    func ask(
        _ method: HTTPRequest.Method,
        _ path: String,
        as caller: Caller = .nobody,
        _ fields: HTTPFields = [:],
        body: String = ""
    ) async throws -> Response {
        var context = ServingContext(source: ServingSource(logger: logger))
        context.caller = caller
        context.mayCarryPasswords = true
        let head = HTTPRequest(method: method, scheme: "http", authority: "portal", path: path, headerFields: fields)
        let request = Request(head: head, body: RequestBody(buffer: ByteBuffer(string: body)))
        return try await responder.respond(to: request, context: context)
    }

    /// A person with a role and a session.
    static func person(_ roles: Set<Caller.Role>) -> Caller {
        Caller(proof: .session(id: "1"), user: "ada", roles: roles)
    }

    /// The installation's own administrator, who is there from the beginning.
    static let administrator = Caller(proof: .session(id: "1"), user: "1", roles: [.administrator, .developer])

    static func bearer(_ token: String) -> HTTPFields { [.authorization: "Bearer \(token)"] }
}

extension Response {
    var bytes: [UInt8] {
        get async throws {
            let collected = CollectedBody()
            try await body.write(collected)
            return Array(await collected.bytes.value.readableBytesView)
        }
    }

    /// The body as JSON.
    var json: JSONValue {
        get async throws { try JSONValue(parsing: try await bytes) }
    }
}

/// Takes an answer's body.
private struct CollectedBody: ResponseBodyWriter {
    actor Bytes {
        var value = ByteBuffer()
        func add(_ buffer: ByteBuffer) { value.writeImmutableBuffer(buffer) }
    }

    let bytes = Bytes()

    func write(_ buffer: ByteBuffer) async throws { await bytes.add(buffer) }
    consuming func finish(_ trailingHeaders: HTTPFields?) async throws {}
}
