import HTTPServing
import HTTPTypes
import Hummingbird
import ResourceModel

/// What stands in place of a page that cannot be shown: what happened, what to do, and the request's id.
enum ErrorPage {
    /// - Parameter email: the reader's; nil for guests.
    static func view(_ error: APIError, _ visit: PageVisit, email: String?) -> PageView {
        let words = visit.words
        let key = "error.\(kind(error, isGuest: email == nil))"
        let parts = [
            "path": visit.request.uri.path, "method": visit.request.method.rawValue,
            "email": email ?? "", "seconds": "1",
        ]
        let heading = words.text("\(key).heading", parts)
        let action = action(error, visit)
        var view = PageView(
            "error",
            title: heading,
            model: [
                "status": .string(String(error.status)), "heading": .string(heading),
                "what": .string(words.text("\(key).what", parts)),
                "advice": .string(words.text("\(key).advice", parts)), "hasAction": true,
                "actionHref": .string(action.href), "actionText": .string(words.text(action.text)),
                "hasRequest": true, "request": .string(visit.context.requestID),
            ]
        )
        view.status = error.status
        return view
    }

    /// The nearest of the kinds that there are words for.
    private static func kind(_ error: APIError, isGuest: Bool) -> String {
        switch error.status {
        case 403 where error.code == APIError.formRefusedCode: "form403"
        case 403 where isGuest: "guest403"
        case 403, 404, 405, 413, 429, 503: "S\(error.status)"
        case 500...: "S500"
        default: "S400"
        }
    }

    private static func action(_ error: APIError, _ visit: PageVisit) -> (href: String, text: String) {
        if error.status == 429 || error.status >= 500, visit.request.method == .get {
            return (visit.path, "error.tryAgain")
        }
        if visit.caller.isPerson { return ("/welcome", "error.toStart") }
        return error.status == 403 ? ("/signin", "error.toSignIn") : ("/", "error.toStart")
    }
}
