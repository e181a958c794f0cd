import HTTPServing
import HTTPTypes
import Hummingbird
import Management
import People
import ResourceModel

/// Signing in by e-mail and password, or by a link; and signing out.
struct SignInPage: Page {
    /// Where people are led who did not say where they were going.
    static let landing = "/welcome"

    let sources: PageSources

    func addRoutes(to routes: PageRoutes) {
        routes.get("/signin", for: .everyone) { show($0) }
        routes.post("/signin", for: .everyone) { try await signIn($0) }
        routes.getOnce("/signin/link", for: .everyone) { try await follow($0) }
        routes.post("/signout", for: .everyone) { try await signOut($0) }
    }

    private func show(_ visit: PageVisit) -> PageAnswer {
        let next = PageVisit.ownPath(visit.query("next"))
        if visit.caller.isPerson { return .seeOther(next ?? Self.landing) }
        guard visit.context.mayCarryPasswords else { return .view(closed(visit)) }
        return .view(view(visit, next: next ?? ""))
    }

    private func signIn(_ visit: PageVisit) async throws -> PageAnswer {
        guard visit.context.mayCarryPasswords else { return .view(closed(visit)) }
        let form = try await visit.form()
        let next = PageVisit.ownPath(form["next"])
        let (email, isRemembered) = (form.line("email"), form["remember"] == "true")
        let outcome = try await sources.people.signIns.signIn(
            email: email,
            password: form["password"] ?? "",
            isRemembered: isRemembered,
            address: visit.context.address,
            agent: visit.visitor.agent
        )
        let again = { (problem: String) in
            view(visit, next: next ?? "", email: email, isRemembered: isRemembered, problem: problem)
        }
        switch outcome {
        case .refused: return .view(again(visit.words.text("signin.wrong")).refused())
        case .tooMany(let seconds):
            return .view(again(Self.tooMany(seconds, visit)).refused(waiting: seconds))
        case .signedIn(let session):
            try await sources.people.accounts.endSession(of: visit.caller)
            return .seeOther(next ?? Self.landing, SessionCookies.begin(session, visit.context))
        }
    }

    /// Uses the link up, but for browsers that only fetch ahead.
    private func follow(_ visit: PageVisit) async throws -> PageAnswer {
        guard visit.context.mayCarryPasswords else { return .view(closed(visit)) }
        guard !visit.isPrefetch else { return .view(view(visit, next: "").refused(status: 503)) }
        do {
            let session = try await sources.people.invitations.follow(visit.query("code") ?? "", visit.visitor)
            try await sources.people.accounts.endSession(of: visit.caller)
            return .seeOther(Self.landing, SessionCookies.begin(session, visit.context))
        } catch is CodeIsGone {
            return .view(view(visit, next: "", problem: visit.words.text("signin.linkOver")).refused(status: 410))
        }
    }

    private func signOut(_ visit: PageVisit) async throws -> PageAnswer {
        try await sources.people.accounts.endSession(of: visit.caller)
        return .seeOther("/signin?done=signedOut", SessionCookies.end(visit.context))
    }

    static func tooMany(_ seconds: Int, _ visit: PageVisit) -> String {
        visit.words.text("signin.tooMany", ["seconds": visit.locale.number(seconds)])
    }

    // MARK: - What is shown

    /// Says why no password is taken here, and where it is.
    func closed(_ visit: PageVisit) -> PageView { view(visit, next: "", isClosed: true).refused(status: 403) }

    private func view(
        _ visit: PageVisit,
        next: String,
        email: String = "",
        isRemembered: Bool = false,
        problem: String? = nil,
        isClosed: Bool = false
    ) -> PageView {
        let secure = sources.doors().securePortal.map { "\($0)/signin" }
        let service = sources.installation.current.serviceName
        return PageView(
            "signin",
            title: visit.words.text("signin.title"),
            model: [
                "lead": .string(visit.words.text("signin.lead", ["service": service])), "next": .string(next),
                "hasProblem": .bool(problem != nil), "problem": .string(problem ?? ""), "isClosed": .bool(isClosed),
                "hasSecureAddress": .bool(isClosed && secure != nil), "secureAddress": .string(secure ?? ""),
                "hasEmail": .bool(!email.isEmpty), "email": PageView.field("email", email),
                "password": PageView.field("password"), "isRemembered": .bool(isRemembered),
            ]
        )
    }
}
