import Foundation
import HTTPServing
import Hummingbird
import ResourceModel

/// Every part that pages are made of, for administrators: whoever makes pages of this installation is one.
struct PartsPage: Page {
    func addRoutes(to routes: PageRoutes) { routes.get("/parts", for: .administrator) { .view(Self.view($0)) } }

    private static func view(_ visit: PageVisit) -> PageView {
        let words = visit.words
        return PageView(
            "parts",
            title: words.text("parts.title"),
            face: .publisher,
            model: [
                "password": PageView.field("password"),
                "id": ["text": "3f1c9a7e5b2d4c08", "label": .string(words.text("frame.copy"))],
                "changed": visit.locale.moment(Date(timeIntervalSinceNow: -720)),
                "state": [
                    "kind": "ok", "icon": "circle-check", "text": .string(words.text("studio.states.finished")),
                ],
            ]
        )
    }
}
