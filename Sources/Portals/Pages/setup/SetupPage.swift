import Foundation
import HTTPServing
import Hummingbird
import Management
import People
import ResourceModel

/// The create form of an installation that nobody has claimed yet.
struct SetupPage: Page {
    let sources: PageSources

    func addRoutes(to routes: PageRoutes) {
        routes.get("/setup", for: .everyone) { try await show($0) }
        routes.post("/setup", for: .everyone) { try await create($0) }
    }

    private func show(_ visit: PageVisit) async throws -> PageAnswer {
        guard visit.context.mayCarryPasswords else { return .view(SignInPage(sources: sources).closed(visit)) }
        let code = visit.query("code") ?? ""
        guard let end = try await sources.people.firstRun.opens(code) else { return .view(over(visit)) }
        return .view(view(visit, code, end: end, problems: nil))
    }

    private func create(_ visit: PageVisit) async throws -> PageAnswer {
        guard visit.context.mayCarryPasswords else { return .view(SignInPage(sources: sources).closed(visit)) }
        let began = ContinuousClock.now
        let form = try await visit.form()
        let code = form["code"] ?? ""
        let wish = FirstRun.Form(
            name: form.line("name"),
            organization: form.line("organization"),
            email: form.line("email"),
            password: form["password"] ?? ""
        )
        let firstRun = sources.people.firstRun
        do {
            let session = try await firstRun.claim(wish, code: code, visit.visitor)
            let took = Int((ContinuousClock.now - began) / .milliseconds(1))
            return .seeOther("\(SignInPage.landing)?created=\(took)", SessionCookies.begin(session, visit.context))
        } catch let refusal as FormRefusal {
            guard let end = try await firstRun.opens(code) else { return .view(over(visit)) }
            return .view(view(visit, code, end: end, problems: FormProblems(refusal, form, visit.words)).refused())
        } catch is CodeIsGone { return .view(over(visit)) }
    }

    // MARK: - What is shown

    private func over(_ visit: PageVisit) -> PageView {
        view(visit, "", end: nil, problems: nil).refused(status: 410)
    }

    /// - Parameter end: when the code ends; nil where it is gone.
    private func view(_ visit: PageVisit, _ code: String, end: Double?, problems: FormProblems?) -> PageView {
        let words = visit.words
        let field = { (name: String, isSecret: Bool, value: String) in
            problems?.field(name, isSecret: isSecret) ?? PageView.field(name, value)
        }
        let name = sources.installation.current.serviceName
        let closes = end.map {
            words.text("setup.closes", ["time": visit.locale.time(Date(timeIntervalSince1970: $0))])
        }
        return PageView(
            "setup",
            title: words.text("setup.title"),
            model: [
                "code": .string(code), "isOver": .bool(end == nil), "hasProblem": .bool(problems != nil),
                "problem": .string(problems.map { words.text("setup.refused", count: $0.count) } ?? ""),
                "name": field("name", false, name), "organization": field("organization", false, name),
                "email": field("email", false, ""), "password": field("password", true, ""),
                "addresses": .array(end == nil ? [] : addresses(words)), "folder": .string(sources.folder),
                "closes": .string(closes ?? ""),
            ]
        )
    }

    private func addresses(_ words: Words) -> [JSONValue] {
        let doors = sources.doors()
        let places: [(icon: String, label: String, address: String)] = [
            ("flask-conical", "frame.studio", "\(doors.portal)/studio"),
            ("shield-check", "frame.publisherPortal", "\(doors.portal)/publisher"),
            ("book-open", "frame.developer", "\(doors.portal)/"), ("waypoints", "setup.gateway", "\(doors.gateway)/"),
            ("globe", "setup.services", "\(doors.services)/"), ("database", "setup.blobs", "\(doors.blobs)/"),
        ]
        return places.map {
            [
                "icon": .string($0.icon), "label": .string(words.text($0.label)), "address": .string($0.address),
                "followsName": false,
            ]
        }
    }
}
