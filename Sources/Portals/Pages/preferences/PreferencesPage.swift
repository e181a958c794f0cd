import HTTPServing
import HTTPTypes
import Hummingbird
import ResourceModel

/// The form in every frame that chooses language and theme; nothing is stored but cookies.
struct PreferencesPage: Page {
    /// A year: browsers keep none much longer.
    private static let seconds = 31_536_000

    func addRoutes(to routes: PageRoutes) {
        routes.post("/preferences", for: .everyone) { visit in
            let form = try await visit.form()
            var fields = HTTPFields()
            if let word = form["language"] {
                guard let language = Language(rawValue: word) else { throw Self.unknown("language", Language.self) }
                Self.set(Language.cookie, language.rawValue, visit, &fields)
            }
            if let word = form["theme"] {
                guard let theme = Theme(rawValue: word) else { throw Self.unknown("theme", Theme.self) }
                Self.set(Theme.cookie, theme.rawValue, visit, &fields)
            }
            return .seeOther(PageVisit.ownPath(form["back"]) ?? "/", fields)
        }
    }

    /// Scripts may read these two: they hold no secret.
    private static func set(_ name: String, _ value: String, _ visit: PageVisit, _ fields: inout HTTPFields) {
        let secure = visit.context.isSecure ? "; Secure" : ""
        let cookie = "\(name)=\(value); Path=/; Max-Age=\(seconds); SameSite=Lax\(secure)"
        fields.append(HTTPField(name: .setCookie, value: cookie))
    }

    private static func unknown<Choice: CaseIterable & RawRepresentable>(
        _ field: String,
        _ type: Choice.Type
    ) -> APIError
    where Choice.RawValue == String {
        let choices = Choice.allCases.map(\.rawValue).joined(separator: ", ")
        return .validation(field, "'\(field)' must be one of \(choices).")
    }
}
