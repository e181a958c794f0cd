import HTTPServing
import HTTPTypes
import Hummingbird
import Logging
import NIOCore
import People
import Testing

/// Whose request it is, and which writes no page of ours sent.
@Suite struct IdentityTests {
    private static let own = "http://portal:8081"

    private struct Asker {
        let responder: RouterResponder<ServingContext>
        let logger = Logger(label: "people") { _ in SwiftLogNoOpLogHandler() }

        init(_ people: PeopleFixture) {
            let router = Router(context: ServingContext.self)
            router.add(middleware: ErrorMiddleware())
            router.add(
                middleware: TokenMiddleware(
                    management: TokenGuard(tokens: ["secret"]),
                    workspace: WorkspaceTokens(primary: "one", secondary: "two", make: { "" }, save: { _, _ in })
                )
            )
            router.add(middleware: IdentityMiddleware(sessions: people.engine.sessions))
            router.add(
                middleware: ForgeryMiddleware(
                    ownOrigins: { ["https://portal.example"] },
                    isCall: { $0.hasPrefix("/api/") }
                )
            )
            let answer = { @Sendable (request: Request, context: ServingContext) async throws -> Response in
                let body = try await request.body.collect(upTo: 1 << 20)
                var response = Response.empty(status: 200)
                response.headers[.server] = context.formToken
                response.headers[.from] = context.caller.user
                response.headers[.contentLocation] = String(buffer: body)
                return response
            }
            for path: RouterPath in ["/page", "/api/call"] {
                router.get(path, use: answer)
                router.post(path, use: answer)
            }
            responder = router.buildResponder()
        }

        func ask(
            _ method: HTTPRequest.Method,
            _ path: String = "/page",
            cookie: String? = nil,
            _ fields: HTTPFields = [:],
            form: String? = nil,
            isSecure: Bool = false
        ) async throws -> Response {
            var (fields, context) = (fields, ServingContext(source: ServingSource(logger: logger)))
            context.isSecure = isSecure
            if let cookie { fields[.cookie] = cookie }
            if form != nil { fields[.contentType] = "application/x-www-form-urlencoded; charset=UTF-8" }
            let head = HTTPRequest(
                method: method,
                scheme: "http",
                authority: "portal:8081",
                path: path,
                headerFields: fields
            )
            let body = RequestBody(buffer: ByteBuffer(string: form ?? ""))
            return try await responder.respond(to: Request(head: head, body: body), context: context)
        }
    }

    @Test func `a session's writes need its own token and come from our own pages`() async throws {
        try await PeopleFixture.with { people async throws in
            let asker = Asker(people)
            try await people.users.put("ada")
            let (session, other) = (try await people.session(of: "1"), try await people.session(of: "ada"))
            let cookie = "a=b; gatehouse-session=\(session.token)"
            let page = try await asker.ask(.get, cookie: cookie)
            let token = try #require(page.headers[.server])
            #expect(page.headers[.from] == "1" && page.headers[.setCookie] == nil)
            let foreign = try #require(
                try await asker.ask(.get, cookie: "gatehouse-session=\(other.token)").headers[.server]
            )
            let header = { (token: String) -> HTTPFields in
                guard let name = HTTPField.Name("X-CSRF-Token") else { return [:] }
                return [name: token]
            }
            let good = try await asker.ask(.post, cookie: cookie, form: "a=1&csrf=\(token)&b=%20")
            #expect(good.status == .ok && good.headers[.contentLocation] == "a=1&csrf=\(token)&b=%20")
            #expect(try await asker.ask(.post, "/api/call", cookie: cookie, header(token)).status == .ok)
            for origin in [Self.own, "https://portal.example", "HTTPS://PORTAL.example"] {
                let fields: HTTPFields = [.origin: origin]
                #expect(try await asker.ask(.post, cookie: cookie, fields, form: "csrf=\(token)").status == .ok)
            }
            let refused: [(String, HTTPFields, String?)] = [
                ("no token", [:], "a=1"), ("an empty one", [:], "csrf="), ("another's", [:], "csrf=\(foreign)"),
                ("another's by script", header(foreign), nil), ("no form", [.contentType: "text/plain"], nil),
                ("a foreign page", [.origin: "http://evil.example"], "csrf=\(token)"),
                ("another port", [.origin: "http://portal:9090"], "csrf=\(token)"),
                ("a page of none", [.origin: "null"], "csrf=\(token)"),
                ("a site beside", HTTPField.Name("Sec-Fetch-Site").map { [$0: "same-site"] } ?? [:], "csrf=\(token)"),
            ]
            for path in ["/page", "/api/call"] {
                for (what, fields, form) in refused {
                    let answer = try await asker.ask(.post, path, cookie: cookie, fields, form: form)
                    #expect(answer.status == .forbidden, "\(what) at \(path)")
                }
            }
            #expect(
                try await asker.ask(.post, cookie: cookie, form: String(repeating: "a", count: 70_000)).status.code
                    == 413
            )
        }
    }

    @Test func `tokens need no form's token, and no cookie is read beside them`() async throws {
        try await PeopleFixture.with { people async throws in
            let asker = Asker(people)
            let cookie = "gatehouse-session=\(try await people.session(of: "1").token)"
            for token in ["secret", "wrong"] {
                let fields: HTTPFields = [.authorization: "Bearer \(token)", .origin: "http://evil.example"]
                let answer = try await asker.ask(.post, "/api/call", cookie: cookie, fields)
                #expect(answer.status == .ok && answer.headers[.from] == nil)
            }
            // Whoever calls an API without anything is answered by it, as ever.
            #expect(try await asker.ask(.post, "/api/call", form: "a=1").status == .ok)
        }
    }

    @Test func `guests are given a cookie with their first page, and their forms need its token`() async throws {
        try await PeopleFixture.with { people async throws in
            let asker = Asker(people)
            #expect(try await asker.ask(.get).headers[.setCookie] == nil)
            let page = try await asker.ask(.get, cookie: nil, [.accept: "text/html,*/*"])
            let set = try #require(page.headers[.setCookie])
            #expect(set.hasSuffix("; Path=/; HttpOnly; SameSite=Lax") && set.hasPrefix("gatehouse-guest="))
            let cookie = String(set.prefix { $0 != ";" })
            let token = try #require(page.headers[.server])
            #expect(try await asker.ask(.get, cookie: cookie, [.accept: "text/html"]).headers[.setCookie] == nil)
            #expect(try await asker.ask(.post, cookie: cookie, form: "csrf=\(token)").status == .ok)
            #expect(try await asker.ask(.post, form: "csrf=\(token)").status == .forbidden)
            #expect(try await asker.ask(.post, cookie: cookie, form: "x=1").status == .forbidden)
            let foreign: HTTPFields = [.origin: "http://evil.example"]
            #expect(try await asker.ask(.post, cookie: cookie, foreign, form: "csrf=\(token)").status == .forbidden)
            // Two of one name: one was set by somebody else.
            let two = "\(cookie); gatehouse-guest=\(String(repeating: "0", count: 64))"
            #expect(try await asker.ask(.post, cookie: two, form: "csrf=\(token)").status == .forbidden)
        }
    }

    @Test func `over TLS only cookies count that no other host can set`() async throws {
        try await PeopleFixture.with { people async throws in
            let asker = Asker(people)
            let token = try await people.session(of: "1").token
            let plain = try await asker.ask(.get, cookie: "gatehouse-session=\(token)", isSecure: true)
            #expect(plain.headers[.from] == nil)
            let secure = try await asker.ask(.get, cookie: "__Host-gatehouse-session=\(token)", isSecure: true)
            #expect(secure.headers[.from] == "1")
            let page = try await asker.ask(.get, cookie: nil, [.accept: "text/html"], isSecure: true)
            let set = try #require(page.headers[.setCookie])
            #expect(
                set.hasPrefix("__Host-gatehouse-guest=") && set.hasSuffix("; Path=/; HttpOnly; SameSite=Lax; Secure")
            )
        }
    }
}
