import Assembly
import HTTPServing
import HTTPTypes
import Hummingbird
import Portals
import ResourceModel
import Testing

/// What all pages have in common, asked of the portal's router.
@Suite struct PagesTests {
    private static let browser: HTTPFields = [.accept: "text/html,application/xhtml+xml,*/*;q=0.8"]

    @Test func `addresses of pages and of APIs are apart`() async throws {
        try await PortalFixture.with { portal async throws in
            var pages: Set<String> = []
            var apis: Set<String> = []
            for route in portal.router.routes {
                let word = route.path.description.split(separator: "/").first.map(String.init) ?? ""
                if portal.pageRoutes.contains(route.description) { pages.insert(word) } else { apis.insert(word) }
            }
            #expect(pages.intersection(apis) == [])
            #expect(pages.allSatisfy { !$0.hasPrefix("{") && !$0.contains("*") }, "a page never takes any path")
        }
    }

    @Test func `errors are pages for browsers and documents for programs`() async throws {
        try await PortalFixture.with { portal async throws in
            let page = try await portal.ask(.get, "/nothing", Self.browser)
            #expect(page.status == .notFound)
            #expect(page.headers[.contentType] == "text/html; charset=utf-8")
            #expect(page.headers[.contentSecurityPolicy]?.contains("unsafe") == false)
            #expect(page.headers[HTTPField.Name("x-ms-request-id") ?? .via] != nil)
            let json = "application/json; charset=utf-8"
            let token = PortalFixture.bearer(portal.opened.managementToken)
            let asked: [(String, HTTPFields)] = [
                ("/nothing", [:]), ("/nothing", [.accept: "*/*"]), ("/nothing", [.accept: "text/html;q=0"]),
                ("/nothing", Self.browser.merging(token)), ("/api/nothing", Self.browser),
                ("/API/nothing", Self.browser), ("/%61pi/nothing", Self.browser),
                ("/subscriptions/none", Self.browser), ("/direct/none", Self.browser),
                ("/workspaces/none", Self.browser), ("/health/none", Self.browser), ("/traces/none", Self.browser),
            ]
            for (path, fields) in asked {
                let answer = try await portal.ask(.get, path, fields)
                #expect(answer.headers[.contentType] == json, "\(path)")
            }
        }
    }

    @Test(arguments: [
        ("", "", "en"), ("es-MX,es;q=0.9,en;q=0.8", "", "es"), ("fr,en;q=0.5,es;q=0.7", "", "es"),
        ("es;q=0,en", "", "en"), ("de", "", "en"), ("en", "es", "es"), ("es", "xx", "es"),
        ("es;q=x,en;q=0.1", "", "en"),
    ])
    func `the language is the one that was chosen, else the browser's`(
        accepted: String,
        chosen: String,
        language: String
    ) async throws {
        try await PortalFixture.with { portal async throws in
            var fields = Self.browser
            if !accepted.isEmpty { fields[.acceptLanguage] = accepted }
            if !chosen.isEmpty { fields[.cookie] = "a=b; gatehouse-language=\(chosen)" }
            let answer = try await portal.ask(.get, "/", fields)
            #expect(answer.headers[.contentLanguage] == language)
            #expect(answer.headers[.vary] == "Accept-Language, Cookie")
        }
    }

    @Test func `programs that try the bare address hear what they always heard`() async throws {
        try await PortalFixture.with { portal async throws in
            let answer = try await portal.ask(.get, "/", [.accept: "*/*"])
            #expect(answer.status == .notFound)
            #expect(try await answer.json["error"]?["message"]?.string == "The path is not known.")
        }
    }

    @Test func `a bug of ours is told as one, by page and by document, and nothing of it`() async throws {
        struct Secret: Error { let text = "swordfish" }
        try await PortalFixture.with { router in
            router.get("/broken") { _, _ -> Response in throw Secret() }
        } _: { portal async throws in
            let page = try await portal.ask(.get, "/broken", Self.browser)
            #expect(page.status == .internalServerError)
            let html = String(decoding: try await page.bytes, as: UTF8.self)
            #expect(html.contains("The server failed to answer"))
            #expect(html.contains(page.headers[HTTPField.Name("x-ms-request-id") ?? .via] ?? "none"))
            #expect(!html.contains("swordfish") && !html.contains("Secret"))
            let document = try await portal.ask(.get, "/broken").json
            #expect(document["error"]?["code"]?.string == "InternalServerError")
        }
    }

    @Test func `whoever lacks a right is told so, by the address that they are signed in with`() async throws {
        try await PortalFixture.with { portal async throws in
            let caller = Caller(proof: .session(id: "1"), user: "1", roles: [.developer])
            let page = try await portal.ask(.get, "/publisher", as: caller, Self.browser)
            #expect(page.status == .forbidden)
            #expect(String(decoding: try await page.bytes, as: UTF8.self).contains("admin@gatehouse.local"))
        }
    }

    @Test func `guests are led to the sign-in and back`() async throws {
        try await PortalFixture.with { portal async throws in
            let answer = try await portal.ask(.get, "/welcome?a=b&c=%20", Self.browser)
            #expect(answer.status == .seeOther)
            #expect(answer.headers[.location] == "/signin?next=/welcome%3Fa%3Db%26c%3D%2520")
        }
    }

    @Test func `assets are packed, immutable and of their type`() async throws {
        try await PortalFixture.with { portal async throws in
            let asset = try #require(Assets.compiled["app.css"])
            let packed = try await portal.ask(.get, asset.address, [.acceptEncoding: "gzip, br"])
            #expect(packed.headers[.contentEncoding] == "gzip")
            #expect(packed.headers[.contentType] == "text/css; charset=utf-8")
            #expect(packed.headers[.cacheControl] == "public, max-age=31536000, immutable")
            #expect(try await packed.bytes == asset.bytes)
            let plain = try await portal.ask(.get, asset.address, [.acceptEncoding: "gzip;q=0"])
            #expect(plain.headers[.contentEncoding] == nil)
            #expect(String(decoding: try await plain.bytes, as: UTF8.self).contains(":root"))
            let tag = try #require(packed.headers[.eTag])
            let known = try await portal.ask(.get, asset.address, [.acceptEncoding: "gzip", .ifNoneMatch: tag])
            #expect(known.status == .notModified)
            for path in ["/assets/0000000000000000/app.css", "/assets/\(asset.hash)/none.css", "/assets/\(asset.hash)"]
            {
                #expect(try await portal.ask(.get, path).status == .notFound)
            }
            let words = try #require(Assets.compiled.all(under: "words/").first)
            #expect(try await portal.ask(.get, words.address).status == .notFound)
        }
    }

    @Test func `preferences are cookies, and lead back only to an address of ours`() async throws {
        try await PortalFixture.with { portal async throws in
            let form: HTTPFields = [.contentType: "application/x-www-form-urlencoded"]
            let reader = PortalFixture.person([.developer])
            let body = "language=es&theme=dark&back=%2Fstudio%3Fa%3D1"
            let answer = try await portal.ask(.post, "/preferences", as: reader, form, body: body)
            #expect(answer.status == .seeOther)
            #expect(answer.headers[.location] == "/studio?a=1")
            let cookies = answer.headers[values: .setCookie]
            #expect(cookies.contains("gatehouse-language=es; Path=/; Max-Age=31536000; SameSite=Lax"))
            #expect(cookies.contains("gatehouse-theme=dark; Path=/; Max-Age=31536000; SameSite=Lax"))
            let away = try await portal.ask(
                .post,
                "/preferences",
                as: reader,
                form,
                body: "theme=light&back=%2F%2Fevil.example"
            )
            #expect(away.headers[.location] == "/")
            let wrong = try await portal.ask(.post, "/preferences", as: reader, form, body: "theme=pink")
            #expect(wrong.status == .badRequest)
            #expect(try await portal.ask(.post, "/preferences", as: reader, body: body).status == .unsupportedMediaType)
        }
    }
}

extension HTTPFields {
    fileprivate func merging(_ more: HTTPFields) -> HTTPFields {
        var all = self
        all.append(contentsOf: more)
        return all
    }

    @Test func `a form that is answered in its place leads back to the page that it stands on`() async throws {
        try await PortalFixture.with(showsModels: true) { portal async throws in
            for (referer, path) in [
                ("http://portal/studio/settings?a=1", "/studio/settings?a=1"),
                ("http://elsewhere/studio/settings", "/welcome"), ("http://portal//elsewhere", "/welcome"),
                ("", "/welcome"),
            ] {
                let fields: HTTPFields = [
                    .accept: "text/html", .contentType: "application/x-www-form-urlencoded", .referer: referer,
                ]
                let caller = PortalFixture.administrator
                let refused = try await portal.ask(.post, "/studio/settings/name", as: caller, fields, body: "name=")
                #expect(refused.status == .unprocessableContent)
                #expect(try await refused.json["model"]?["path"]?.string == path)
            }
        }
    }
}
