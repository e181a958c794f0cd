import HTTPServing
import Hummingbird
import Management
import People
import ResourceModel

/// The form in which somebody chooses a password who was invited, or who lost the one before.
struct ChoosePasswordPage: Page {
    private static let purposes: [(path: String, purpose: OneTimeCodes.Purpose)] = [
        (PeopleLinks.invite, .invite), (PeopleLinks.reset, .resetPassword),
    ]

    let sources: PageSources

    func addRoutes(to routes: PageRoutes) {
        for (path, purpose) in Self.purposes {
            routes.get(RouterPath(path), for: .everyone) { try await show($0, purpose) }
            routes.post(RouterPath(path), for: .everyone) { try await choose($0, purpose) }
        }
    }

    private func show(_ visit: PageVisit, _ purpose: OneTimeCodes.Purpose) async throws -> PageAnswer {
        guard visit.context.mayCarryPasswords else { return .view(SignInPage(sources: sources).closed(visit)) }
        return .view(try await view(visit, purpose, visit.query("code") ?? ""))
    }

    private func choose(_ visit: PageVisit, _ purpose: OneTimeCodes.Purpose) async throws -> PageAnswer {
        guard visit.context.mayCarryPasswords else { return .view(SignInPage(sources: sources).closed(visit)) }
        let form = try await visit.form()
        let code = form["code"] ?? ""
        let people = sources.people
        do {
            let session = try await people.invitations.choose(
                code,
                purpose,
                names: purpose == .invite ? (form.line("firstName"), form.line("lastName")) : nil,
                password: form["password"] ?? "",
                visit.visitor
            )
            try await people.accounts.endSession(of: visit.caller)
            return .seeOther(SignInPage.landing, SessionCookies.begin(session, visit.context))
        } catch let refusal as FormRefusal {
            return .view(try await view(visit, purpose, code, FormProblems(refusal, form, visit.words)))
        } catch is CodeIsGone {
            return .view(try await view(visit, purpose, ""))
        }
    }

    private func view(
        _ visit: PageVisit,
        _ purpose: OneTimeCodes.Purpose,
        _ code: String,
        _ problems: FormProblems? = nil
    ) async throws -> PageView {
        let (words, isInvite) = (visit.words, purpose == .invite)
        let person = try await sources.people.invitations.person(of: code, purpose)
        let part = ["service": sources.installation.current.serviceName]
        let heading = words.text(isInvite ? "choose.inviteHeading" : "choose.resetHeading", part)
        let lead = person == nil ? "" : words.text(isInvite ? "choose.inviteLead" : "choose.resetLead", part)
        let field = { (name: String, isSecret: Bool) in
            problems?.field(name, isSecret: isSecret) ?? PageView.field(name)
        }
        let view = PageView(
            "choose-password",
            title: heading,
            model: [
                "heading": .string(heading), "lead": .string(lead), "isInvite": .bool(isInvite),
                "isOver": .bool(person == nil),
                "action": .string(isInvite ? PeopleLinks.invite : PeopleLinks.reset), "code": .string(code),
                "email": .string(person?.email ?? ""), "hasProblem": .bool(problems != nil && person != nil),
                "problem": .string(words.text("choose.unchanged")), "firstName": field("firstName", false),
                "lastName": field("lastName", false), "password": field("password", true),
            ]
        )
        if person == nil { return view.refused(status: 410) }
        return problems == nil ? view : view.refused()
    }
}
