import HTTPServing
import Hummingbird
import Management
import People
import ResourceModel

/// What stands around every page: the rail, the way to the page, the person, language and theme.
struct Frame: Sendable {
    private let installation: InstallationSlot
    private let people: PeopleDirectory
    private let assets: Assets

    init(installation: InstallationSlot, people: PeopleDirectory, assets: Assets) {
        self.installation = installation
        self.people = people
        self.assets = assets
    }

    /// The whole model of a page, for its template.
    func model(_ view: PageView, _ visit: PageVisit) async throws -> JSONValue {
        let words = visit.words
        let installation = installation.current
        let theme = Theme(visit.request)
        let notice = view.notice ?? Self.notice(visit)
        let sections = Self.sections(view.face, visit)
        var model: JSONObject = [
            "language": .string(words.language.rawValue), "isSpanish": .bool(words.language == .spanish),
            "theme": .string(theme.rawValue), "hasTheme": .bool(theme != .system),
            "isSystemTheme": .bool(theme == .system), "isLightTheme": .bool(theme == .light),
            "isDarkTheme": .bool(theme == .dark), "isStudio": .bool(view.face == .studio),
            "isPublisher": .bool(view.face == .publisher), "isDeveloper": .bool(view.face == .developer),
            "path": .string(visit.path),
            "formToken": .string(visit.context.formToken), "t": words.tree, "assets": addresses(of: view.page),
            "service": .string(installation.serviceName),
            "serviceInitial": .string(installation.serviceName.prefix(1).uppercased()),
            "organization": .string(installation.organization),
            "face": .string(view.face.rawValue), "title": .string(view.title), "page": view.model,
            "sections": .array(sections), "hasSections": .bool(!sections.isEmpty),
            "hasCrumbs": .bool(!view.crumbs.isEmpty), "hasNotice": .bool(notice != nil),
        ]
        model["crumbs"] = .array(
            view.crumbs.map {
                ["label": .string($0.label), "href": JSONValue($0.href), "hasHref": .bool($0.href != nil)]
            }
        )
        model["notice"] =
            notice.map {
                [
                    "kind": .string($0.kind.rawValue), "icon": .string($0.kind.icon), "text": .string($0.text),
                ]
            } ?? .null
        let person = try await person(visit)
        model["hasPerson"] = .bool(person != nil)
        model["person"] = person ?? .null
        return .object(model)
    }

    /// Whoever is signed in; nil for guests and tokens.
    func reader(_ visit: PageVisit) async throws -> Person? {
        guard let name = visit.caller.user else { return nil }
        return try await people.person(named: name)
    }

    private func person(_ visit: PageVisit) async throws -> JSONValue? {
        guard let person = try await reader(visit) else { return nil }
        let caller = visit.caller
        return [
            "name": .string(person.fullName), "email": .string(person.email),
            "initials": .string(person.initials),
            "isAdministrator": .bool(caller.roles.contains(.administrator)),
            "isMember": .bool(Access.workspace.admits(caller)),
        ]
    }

    private func addresses(of page: String) -> JSONValue {
        let address = { (name: String) in assets[name].map { JSONValue.string($0.address) } }
        return [
            "styles": .array(["app.css", "pages/\(page).css"].compactMap(address)),
            "modules": .array(["shared/elements.js", "pages/\(page).js"].compactMap(address)),
            "icons": address("icons.svg") ?? .null, "mark": address("images/mark.svg") ?? .null,
        ]
    }

    /// What a form's answer said before it led here, by the query's word `done`.
    private static func notice(_ visit: PageVisit) -> PageView.Notice? {
        guard let word = visit.query("done"), visit.words.has("done.\(word)") else { return nil }
        return PageView.Notice(.done, visit.words.text("done.\(word)"))
    }

    /// The places of a face's rail; each is there.
    private static func sections(_ face: PageView.Face, _ visit: PageVisit) -> [JSONValue] {
        let words = visit.words
        let places: [(href: String, label: String, icon: String)] =
            switch face {
            case .studio:
                [
                    ("/studio", words.text("studio.experiments"), "flask-conical"),
                    ("/studio#services", words.text("studio.services"), "globe"),
                    ("/studio/settings", words.text("settings.short"), "settings"),
                ]
            case .publisher:
                [
                    ("/publisher", words.text("publisher.apis"), "braces"),
                    ("/publisher#products", words.text("publisher.products"), "package"),
                ]
            case .developer, .bare: []
            }
        // A form's address stands below its page's.
        let path = visit.request.uri.path
        let current = places.map(\.href).filter { path == $0 || path.hasPrefix($0 + "/") }.max { $0.count < $1.count }
        return places.map { place in
            [
                "href": .string(place.href), "label": .string(place.label), "icon": .string(place.icon),
                "isCurrent": .bool(place.href == current),
            ]
        }
    }
}
