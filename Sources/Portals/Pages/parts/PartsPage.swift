import HTTPServing
import Hummingbird
import ResourceModel

/// Every part that pages are made of, for those who make pages.
struct PartsPage: Page {
    func addRoutes(to routes: PageRoutes) {
        routes.get("/parts", for: .person) { visit in
            .view(PageView("parts", title: visit.words.text("parts.title")))
        }
    }
}
