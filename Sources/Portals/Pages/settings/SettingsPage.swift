import HTTPServing
import Hummingbird
import Logging
import Management
import People
import ResourceModel
import Studio

/// The workspace's settings: its name, its two authorization tokens, its members.
struct SettingsPage: Page {
    private static let path = "/studio/settings"

    let sources: PageSources

    func addRoutes(to routes: PageRoutes) {
        routes.get("/studio/settings", for: .workspace) { .view(try await view($0)) }
        routes.post("/studio/settings/name", for: .workspaceOwner) { try await rename($0) }
        routes.post("/studio/settings/token", for: .workspaceOwner) { try await token($0) }
        routes.post("/studio/settings/members", for: .workspaceOwner) { try await add($0) }
        routes.post("/studio/settings/members/:name/role", for: .workspaceOwner) { try await setRole($0) }
        routes.post("/studio/settings/members/:name/remove", for: .workspaceOwner) { try await remove($0) }
    }

    private func view(_ visit: PageVisit, _ state: SettingsModel.State = .init()) async throws -> PageView {
        let model = SettingsModel(
            visit: visit,
            state: state,
            workspace: sources.workspace.id,
            facts: try await sources.workspaceService.facts(),
            created: sources.installation.createdDate,
            members: try await sources.people.members.list(),
            tokens: sources.workspaceTokens
        )
        var view = PageView("settings", title: visit.words.text("settings.title"), face: .studio, model: model.json)
        view.crumbs = [
            .init(visit.words.text("frame.studio"), href: "/studio"), .init(visit.words.text("settings.short")),
        ]
        if state.isRefused { view.status = 422 }
        return view
    }

    // MARK: - Forms

    private func rename(_ visit: PageVisit) async throws -> PageAnswer {
        let name = try await visit.form().line("name")
        let most = WorkspaceService.nameCharacters.upperBound
        var state = SettingsModel.State(problem: visit.words.text("settings.notRenamed"))
        state.name = name
        if name.isEmpty {
            state.nameError = visit.words.text("field.missing")
        } else if name.count > most {
            state.nameError = visit.words.text("field.longText", ["count": visit.locale.number(most)])
        }
        guard state.nameError == nil else { return .view(try await view(visit, state)) }
        try await sources.workspaceService.rename(name)
        return .seeOther("\(Self.path)?done=workspace")
    }

    /// Shows a token or makes it anew, for whoever has just shown the password.
    private func token(_ visit: PageVisit) async throws -> PageAnswer {
        let form = try await visit.form()
        guard let which = WorkspaceTokens.Kind(rawValue: try form.require("which")) else {
            throw APIError.validation("which", "'which' must be primary or secondary.")
        }
        let action = try form.require("action")
        guard ["show", "regenerate"].contains(action) else {
            throw APIError.validation("action", "'action' must be show or regenerate.")
        }
        guard try await sources.people.accounts.isFresh(visit.caller) else {
            return .seeOther("/signin/again?next=\(FormText.encoded("\(Self.path)#tokens"))")
        }
        let logged: Logger.Metadata = ["user.id": "\(visit.caller.actor)", "token": "\(which.rawValue)"]
        if action == "show" {
            visit.context.logger.notice("workspace token shown", metadata: logged)
            return .view(try await view(visit, .init(shown: which)))
        }
        // First: a token that the record of changes does not name is never in force.
        try await sources.workspaceService.noteRegeneration(of: which.rawValue)
        try sources.workspaceTokens.regenerate(which)
        visit.context.logger.notice("workspace token regenerated", metadata: logged)
        return .seeOther("\(Self.path)?done=token#tokens")
    }

    private func add(_ visit: PageVisit) async throws -> PageAnswer {
        let form = try await visit.form()
        let (email, isOwner) = (form.line("email"), try Self.isOwner(form))
        do { try await sources.people.members.add(email: email, isOwner: isOwner) } catch let refusal as FormRefusal {
            var state = SettingsModel.State(problem: visit.words.text("settings.notAdded"))
            state.email = email
            state.isAddingOwner = isOwner
            state.emailError = visit.words.text(
                refusal.fields.first?.rule == .alreadyMember ? "settings.alreadyMember" : "settings.noPerson"
            )
            return .view(try await view(visit, state))
        }
        return .seeOther("\(Self.path)?done=added#members")
    }

    private func setRole(_ visit: PageVisit) async throws -> PageAnswer {
        let isOwner = try Self.isOwner(try await visit.form())
        return try await changing(visit, done: "role") {
            try await sources.people.members.setRole(of: try visit.parameter("name"), isOwner: isOwner)
        }
    }

    private func remove(_ visit: PageVisit) async throws -> PageAnswer {
        try await changing(visit, done: "removed") {
            try await sources.people.members.remove(try visit.parameter("name"))
        }
    }

    /// Changes a member; the last owner stays, and whoever tried is told.
    private func changing(
        _ visit: PageVisit,
        done word: String,
        _ change: () async throws -> Void
    ) async throws -> PageAnswer {
        do { try await change() } catch let error as APIError where error.code == WorkspaceMembers.lastOwnerCode {
            return .view(try await view(visit, .init(problem: visit.words.text("settings.lastOwnerRule"))))
        }
        // Whoever gave up the own place may not come back to this page.
        let isOwn = (try? visit.parameter("name")) == visit.caller.user && word == "removed"
        return .seeOther(isOwn ? "/welcome" : "\(Self.path)?done=\(word)#members")
    }

    private static func isOwner(_ form: FormFields) throws -> Bool {
        switch try form.require("role") {
        case "owner": true
        case "user": false
        default: throw APIError.validation("role", "'role' must be owner or user.")
        }
    }
}
