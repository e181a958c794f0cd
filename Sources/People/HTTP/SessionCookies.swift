package import HTTPServing
package import HTTPTypes
import Hummingbird
import ResourceModel
import Store

/// The portal's cookies: of the session, and before sign-in of whoever is given a form.
///
/// Over TLS their names begin with `__Host-`, which no other host and no door in the clear can set.
package enum SessionCookies {
    private static let sessionName = "gatehouse-session"
    private static let guestName = "gatehouse-guest"
    private static let guestBytes = 32

    /// The token of the session that a request shows; nil where it shows none.
    static func session(_ request: Request, _ context: ServingContext) -> String? {
        request.cookie(name(sessionName, context))
    }

    static func guest(_ request: Request, _ context: ServingContext) -> String? {
        // Only what we set can have been made a form's token from.
        request.cookie(name(guestName, context)).flatMap { $0.utf8.count == guestBytes * 2 ? $0 : nil }
    }

    static func newGuest() -> String { Identifier.hex(Identifier.randomBytes(guestBytes)) }

    /// What begins a session in the browser.
    package static func begin(_ session: Session, _ context: ServingContext) -> HTTPFields {
        // Without an age it ends with the browser.
        let age = session.stored.isRemembered ? Int(Sessions.Lifetime.remembered.absolute) : nil
        var fields = HTTPFields()
        fields.append(field(name(sessionName, context), session.token, age, context))
        fields.append(field(name(guestName, context), "", 0, context))
        return fields
    }

    /// What ends the session in the browser.
    package static func end(_ context: ServingContext) -> HTTPFields {
        var fields = HTTPFields()
        fields.append(field(name(sessionName, context), "", 0, context))
        return fields
    }

    static func guestField(_ value: String, _ context: ServingContext) -> HTTPField {
        field(name(guestName, context), value, nil, context)
    }

    private static func name(_ name: String, _ context: ServingContext) -> String {
        context.isSecure ? "__Host-\(name)" : name
    }

    private static func field(_ name: String, _ value: String, _ age: Int?, _ context: ServingContext) -> HTTPField {
        var text = "\(name)=\(value); Path=/; HttpOnly; SameSite=Lax"
        if let age { text += "; Max-Age=\(age)" }
        if context.isSecure { text += "; Secure" }
        return HTTPField(name: .setCookie, value: text)
    }
}
