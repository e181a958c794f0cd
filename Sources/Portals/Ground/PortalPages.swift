package import HTTPServing
package import Hummingbird
package import Management
package import People

/// The pages of the portal door, with what they are made of.
package struct PortalPages {
    private let sources: PageSources
    package let renderer: PageRenderer

    /// - Throws: `PageGroundError` that names the template or the words that cannot be read.
    package init(_ sources: PageSources) throws(PageGroundError) {
        self.sources = sources
        let frame = Frame(installation: sources.installation, people: sources.people, assets: .compiled)
        renderer = PageRenderer(templates: try PageTemplates(), words: try WordCatalogue(), frame: frame)
    }

    /// One line a page: add yours here.
    private var pages: [any Page] {
        [
            PreferencesPage()
        ]
    }

    package func addRoutes(to router: Router<ServingContext>) {
        AssetRoutes().addRoutes(to: router)
        let routes = PageRoutes(router: router, renderer: renderer)
        for page in pages { page.addRoutes(to: routes) }
    }
}

/// What pages read and change: the engines behind them.
package struct PageSources: Sendable {
    let installation: InstallationSlot
    let people: PeopleDirectory

    package init(installation: InstallationSlot, people: PeopleDirectory) {
        self.installation = installation
        self.people = people
    }
}
