import HTTPServing
import Hummingbird
import People
import ResourceModel

/// Asks for the password once more, before what is dangerous.
struct AgainPage: Page {
    let sources: PageSources

    func addRoutes(to routes: PageRoutes) {
        routes.get("/signin/again", for: .person) { visit in
            guard visit.context.mayCarryPasswords else { return .view(SignInPage(sources: sources).closed(visit)) }
            return .view(view(visit, next: visit.query("next")))
        }
        routes.post("/signin/again", for: .person) { try await confirm($0) }
    }

    private func confirm(_ visit: PageVisit) async throws -> PageAnswer {
        guard visit.context.mayCarryPasswords else { return .view(SignInPage(sources: sources).closed(visit)) }
        let form = try await visit.form()
        do {
            try await sources.people.accounts.again(visit.caller, password: form["password"] ?? "", visit.visitor)
            return .seeOther(PageVisit.ownPath(form["next"]) ?? SignInPage.landing)
        } catch let refusal as FormRefusal {
            let field = FormProblems(refusal, form, visit.words).field("password", isSecret: true)
            let problem = visit.words.text("again.wrong")
            return .view(view(visit, next: form["next"], problem: problem, password: field).refused())
        } catch let wait as TooManyTries {
            let problem = SignInPage.tooMany(wait.seconds, visit)
            return .view(view(visit, next: form["next"], problem: problem).refused(waiting: wait.seconds))
        }
    }

    private func view(
        _ visit: PageVisit,
        next: String?,
        problem: String? = nil,
        password: JSONValue = PageView.field("password")
    ) -> PageView {
        let next = PageVisit.ownPath(next) ?? SignInPage.landing
        return PageView(
            "again",
            title: visit.words.text("again.title"),
            model: [
                "next": .string(next), "back": .string(next), "hasProblem": .bool(problem != nil),
                "problem": .string(problem ?? ""), "password": password,
            ]
        )
    }
}
