package import HTTPTypes
package import ResourceModel

/// What a page shows.
package struct PageView: Sendable {
    /// Whose rail stands beside a page.
    package enum Face: String, Sendable {
        case studio, publisher, developer
        /// Nobody's: the page has no rail.
        case bare
    }

    /// A step of the way to a page; the last one is the page itself and leads nowhere.
    package struct Crumb: Sendable {
        package let label: String
        package let href: String?

        package init(_ label: String, href: String? = nil) {
            self.label = label
            self.href = href
        }
    }

    /// What has just happened.
    package struct Notice: Sendable {
        /// The style's name of it.
        package enum Kind: String, Sendable {
            case done = "ok"
            case warning = "warn"
            case error = "bad"

            var icon: String {
                switch self {
                case .done: "circle-check"
                case .warning: "triangle-alert"
                case .error: "circle-alert"
                }
            }
        }

        package let kind: Kind
        package let text: String

        package init(_ kind: Kind, _ text: String) {
            self.kind = kind
            self.text = text
        }
    }

    /// The page's folder: its template, style and script are called so.
    package var page: String
    package var title: String
    package var face = Face.bare
    package var crumbs: [Crumb] = []
    /// What the template finds under `page`.
    package var model: JSONValue
    package var status = 200
    /// nil for what the query's `done` says.
    package var notice: Notice?
    /// More fields of the answer, as cookies.
    package var fields = HTTPFields()

    package init(_ page: String, title: String, face: Face = .bare, model: JSONValue = [:]) {
        self.page = page
        self.title = title
        self.face = face
        self.model = model
    }
}

/// What the handler of a page or of its form answers.
package enum PageAnswer: Sendable {
    case view(PageView)
    /// Leads on by GET, so that a reload sends nothing again; cookies go with it.
    case seeOther(String, HTTPFields = HTTPFields())
}

extension PageView {
    /// A field of a form as templates show it.
    ///
    /// - Parameters:
    ///   - value: what stands in it; never a password.
    ///   - error: what is wrong with what was sent.
    package static func field(_ name: String, _ value: String = "", error: String? = nil) -> JSONValue {
        [
            "name": .string(name), "value": .string(value), "hasError": .bool(error != nil),
            "error": .string(error ?? ""),
        ]
    }
}
