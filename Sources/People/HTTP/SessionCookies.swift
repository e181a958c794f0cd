package import HTTPServing
import HTTPTypes
package import Hummingbird
import ResourceModel
import Store

/// The portal's cookies: of the session, and before sign-in of whoever is given a form.
///
/// Over TLS their names begin with `__Host-`, which no other host and no door in the clear can set.
package enum SessionCookies {
    private static let sessionName = "gatehouse-session"
    private static let guestName = "gatehouse-guest"

    /// The token of the session that a request shows; nil where it shows none.
    static func session(_ request: Request, _ context: ServingContext) -> String? {
        request.cookie(name(sessionName, context))
    }

    static func guest(_ request: Request, _ context: ServingContext) -> String? {
        // Only what we set can have been made a form's token from.
        request.cookie(name(guestName, context)).flatMap { $0.utf8.count == guestBytes * 2 ? $0 : nil }
    }

    private static let guestBytes = 32

    static func newGuest() -> String { Identifier.hex(Identifier.randomBytes(guestBytes)) }

    /// Begins a session in the browser.
    package static func set(_ session: Session, on response: inout Response, _ context: ServingContext) {
        // Without an age it ends with the browser.
        let age = session.stored.isRemembered ? Int(Sessions.Lifetime.remembered.absolute) : nil
        add(name(sessionName, context), session.token, age, to: &response, context)
        add(name(guestName, context), "", 0, to: &response, context)
    }

    /// Ends the session in the browser.
    package static func clear(on response: inout Response, _ context: ServingContext) {
        add(name(sessionName, context), "", 0, to: &response, context)
    }

    static func setGuest(_ value: String, on response: inout Response, _ context: ServingContext) {
        add(name(guestName, context), value, nil, to: &response, context)
    }

    private static func name(_ name: String, _ context: ServingContext) -> String {
        context.isSecure ? "__Host-\(name)" : name
    }

    private static func add(
        _ name: String,
        _ value: String,
        _ age: Int?,
        to response: inout Response,
        _ context: ServingContext
    ) {
        var text = "\(name)=\(value); Path=/; HttpOnly; SameSite=Lax"
        if let age { text += "; Max-Age=\(age)" }
        if context.isSecure { text += "; Secure" }
        response.headers.append(HTTPField(name: .setCookie, value: text))
    }
}
