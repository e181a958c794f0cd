import Foundation
import HTTPServing
import People
import ResourceModel
import Studio

/// What the workspace's settings show.
struct SettingsModel {
    /// What a form left behind.
    struct State {
        var problem: String?
        /// nil for the name that the workspace has.
        var name: String?
        var nameError: String?
        var email = ""
        var emailError: String?
        var isAddingOwner = false
        /// The token that was asked for.
        var shown: WorkspaceTokens.Kind?

        var isRefused: Bool { problem != nil }
    }

    let visit: PageVisit
    let state: State
    /// Its id.
    let workspace: String
    let facts: WorkspaceService.Facts
    let created: Date?
    let members: [WorkspaceMember]
    let tokens: WorkspaceTokens

    private var words: Words { visit.words }
    private var canManage: Bool { Access.workspaceOwner.admits(visit.caller) }

    var json: JSONValue {
        [
            "canManage": .bool(canManage), "hasProblem": .bool(state.problem != nil),
            "problem": .string(state.problem ?? ""),
            "workspace": ["text": .string(workspace), "label": .string(words.text("settings.copyId"))],
            "name": PageView.field("name", state.name ?? facts.name, error: state.nameError), "facts": rows,
            "tokens": .array(canManage ? WorkspaceTokens.Kind.allCases.map(token) : []),
            "members": .array(members.map(member)),
            "email": PageView.field("email", state.email, error: state.emailError),
            "isAddingOwner": .bool(state.isAddingOwner),
        ]
    }

    private var rows: JSONValue {
        var rows: [(label: String, text: String)] = []
        if let created { rows.append((words.text("settings.created"), visit.locale.time(created))) }
        rows.append((words.text("settings.experiments"), visit.locale.number(facts.experiments)))
        rows.append((words.text("settings.services"), visit.locale.number(facts.services)))
        rows.append((words.text("settings.datasets"), visit.locale.number(facts.datasets)))
        return .array(rows.map { ["label": .string($0.label), "text": .string($0.text)] })
    }

    private func token(_ which: WorkspaceTokens.Kind) -> JSONValue {
        let name = words.text(which == .primary ? "settings.primaryToken" : "settings.secondaryToken")
        let label = { (key: String) in JSONValue.string(words.text(key, ["token": name])) }
        let isShown = state.shown == which
        return [
            "which": .string(which.rawValue),
            "label": .string(words.text(which == .primary ? "settings.primary" : "settings.secondary")),
            "isShown": .bool(isShown), "value": .string(isShown ? tokens[which] : ""),
            "tail": .string(String(tokens[which].suffix(4))), "showLabel": label("settings.showToken"),
            "hideLabel": label("settings.hideToken"), "copyLabel": label("settings.copyToken"),
            "regenerateLabel": label("settings.regenerateToken"),
            "question": .string(
                words.text("settings.regenerateQuestion", ["token": name, "workspace": facts.name])
            ),
        ]
    }

    private func member(_ member: WorkspaceMember) -> JSONValue {
        let person = member.person
        let name = person.fullName
        let label = { (key: String) in
            JSONValue.string(words.text(key, ["person": name, "workspace": facts.name]))
        }
        let isLastOwner =
            member.isOwner
            && !members.contains { $0.isOwner && $0.person.isActive && $0.person.name != person.name }
        return [
            "name": .string(person.name), "person": .string(name), "email": .string(person.email),
            "initials": .string(person.initials), "isSelf": .bool(person.name == visit.caller.user),
            "isOwner": .bool(member.isOwner), "isLastOwner": .bool(isLastOwner),
            "canChange": .bool(canManage && !isLastOwner),
            "roleLabel": label("settings.roleOf"), "saveLabel": label("settings.saveRole"),
            "removeLabel": label("settings.removePerson"), "question": label("settings.removeQuestion"),
        ]
    }
}
