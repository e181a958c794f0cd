import Foundation
import HTTPServing
import Hummingbird
import People
import ResourceModel

/// One's own account: name, password, sessions.
struct AccountPage: Page {
    private static let path = "/account"

    let sources: PageSources

    private var accounts: Accounts { sources.people.accounts }

    func addRoutes(to routes: PageRoutes) {
        routes.get("/account", for: .person) { .view(try await view($0)) }
        routes.post("/account/name", for: .person) { try await rename($0) }
        routes.post("/account/password", for: .person) { try await changePassword($0) }
        routes.post("/account/sessions/end-others", for: .person) { visit in
            try await accounts.endOtherSessions(of: visit.caller)
            return .seeOther("\(Self.path)?done=sessions#sessions")
        }
        routes.post("/account/sessions/:id/end", for: .person) { try await endSession($0) }
    }

    private func rename(_ visit: PageVisit) async throws -> PageAnswer {
        let form = try await visit.form()
        let person = try await accounts.person(of: visit.caller)
        do {
            try await accounts.rename(person, firstName: form.line("firstName"), lastName: form.line("lastName"))
        } catch let refusal as FormRefusal {
            let problems = FormProblems(refusal, form, visit.words)
            let page = Refused(problem: visit.words.text("account.nameUnchanged"), names: problems)
            return .view(try await view(visit, page).refused())
        }
        return .seeOther("\(Self.path)?done=name")
    }

    private func changePassword(_ visit: PageVisit) async throws -> PageAnswer {
        guard visit.context.mayCarryPasswords else { return .view(SignInPage(sources: sources).closed(visit)) }
        let form = try await visit.form()
        let person = try await accounts.person(of: visit.caller)
        let isRemembered = try await accounts.session(of: visit.caller)?.isRemembered ?? false
        do {
            let session = try await accounts.changePassword(
                of: person,
                current: form["current"] ?? "",
                password: form["password"] ?? "",
                isRemembered: isRemembered,
                visit.visitor
            )
            return .seeOther("\(Self.path)?done=password", SessionCookies.begin(session, visit.context))
        } catch let refusal as FormRefusal {
            let problems = FormProblems(refusal, form, visit.words)
            let page = Refused(problem: visit.words.text("choose.unchanged"), passwords: problems)
            return .view(try await view(visit, page).refused())
        } catch let wait as TooManyTries {
            let page = Refused(problem: SignInPage.tooMany(wait.seconds, visit))
            return .view(try await view(visit, page).refused(waiting: wait.seconds))
        }
    }

    private func endSession(_ visit: PageVisit) async throws -> PageAnswer {
        let id = try visit.parameter("id")
        try await accounts.endSession(id, of: visit.caller)
        guard visit.caller.proof == .session(id: id) else {
            return .seeOther("\(Self.path)?done=session#sessions")
        }
        return .seeOther("/signin?done=signedOut", SessionCookies.end(visit.context))
    }

    // MARK: - What is shown

    private struct Refused {
        var problem: String
        var names: FormProblems?
        var passwords: FormProblems?
    }

    private func view(_ visit: PageVisit, _ refused: Refused? = nil) async throws -> PageView {
        let words = visit.words
        let person = try await accounts.person(of: visit.caller)
        let sessions = try await accounts.sessions(of: visit.caller)
        let name = { (field: String, value: String) in refused?.names?.field(field) ?? PageView.field(field, value) }
        let password = { (field: String) in
            refused?.passwords?.field(field, isSecret: true) ?? PageView.field(field)
        }
        return PageView(
            "account",
            title: words.text("frame.account"),
            model: [
                "hasProblem": .bool(refused != nil), "problem": .string(refused?.problem ?? ""),
                "firstName": name("firstName", person.firstName), "lastName": name("lastName", person.lastName),
                "roles": .string(visit.locale.list(Self.roles(person.roles, words))),
                "current": password("current"), "password": password("password"),
                "hasOthers": .bool(sessions.count > 1),
                "sessions": .array(sessions.map { AccountSession($0, visit).json }),
            ]
        )
    }

    private static func roles(_ roles: Set<Caller.Role>, _ words: Words) -> [String] {
        let names: [(Caller.Role, String)] = [
            (.administrator, "administrator"), (.workspaceOwner, "owner"), (.workspaceUser, "user"),
            (.developer, "developer"),
        ]
        return names.filter { roles.contains($0.0) }.map { words.text("account.\($0.1)") }
    }
}
