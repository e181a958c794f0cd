package import HTTPServing
package import Hummingbird
import People

/// The pages of the portal door, with what they are made of.
package struct PortalPages {
    private let sources: PageSources
    package let renderer: PageRenderer

    /// - Parameter showsModels: whether pages answer with their models as JSON, for tests.
    /// - Throws: `PageGroundError` that names the words that cannot be read, or a template that is there twice.
    package init(_ sources: PageSources, showsModels: Bool = false) throws(PageGroundError) {
        self.sources = sources
        let frame = Frame(installation: sources.installation, people: sources.people.directory, assets: .compiled)
        renderer = PageRenderer(
            templates: try PageTemplates(),
            words: try WordCatalogue(),
            frame: frame,
            showsModels: showsModels
        )
    }

    /// One line a page: add yours here.
    private var pages: [any Page] {
        [
            AccountPage(sources: sources),
            AgainPage(sources: sources),
            ChoosePasswordPage(sources: sources),
            DeveloperPage(sources: sources),
            PartsPage(),
            PreferencesPage(),
            PublisherPage(sources: sources),
            SettingsPage(sources: sources),
            SetupPage(sources: sources),
            SignInPage(sources: sources),
            StudioPage(sources: sources),
            WelcomePage(sources: sources),
        ]
    }

    package func addRoutes(to router: Router<ServingContext>) {
        AssetRoutes().addRoutes(to: router)
        let routes = PageRoutes(router: router, renderer: renderer)
        for page in pages { page.addRoutes(to: routes) }
    }
}
