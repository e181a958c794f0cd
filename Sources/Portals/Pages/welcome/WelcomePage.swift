import HTTPServing
import Hummingbird
import Management
import People
import ResourceModel
import Studio

/// The landing after a sign-in: three doors and one sample.
struct WelcomePage: Page {
    let sources: PageSources

    func addRoutes(to routes: PageRoutes) {
        routes.get("/welcome", for: .person) { .view(try await view($0)) }
        routes.post("/welcome/sample", for: .workspace) { _ in
            _ = try await sources.sample.make()
            return .seeOther("/studio?done=sampleMade")
        }
    }

    private func view(_ visit: PageVisit) async throws -> PageView {
        let words = visit.words
        let service = sources.installation.current.serviceName
        var name = ""
        if let user = visit.caller.user, let person = try await sources.people.directory.person(named: user) {
            name = person.firstName.isEmpty ? person.email : person.firstName
        }
        // The create form leads here with how long it took.
        let created = visit.query("created").flatMap { Int($0) }.flatMap { (0..<1_000_000).contains($0) ? $0 : nil }
        let lead =
            created.map {
                words.text("welcome.created", ["service": service, "milliseconds": visit.locale.number($0)])
            } ?? words.text("welcome.service", ["service": service])
        let isMember = Access.workspace.admits(visit.caller)
        let hasSample = isMember ? try await sources.experiments.has(SampleExperiment.name) : false
        return PageView(
            "welcome",
            title: words.text("welcome.title"),
            model: [
                "heading": .string(words.text(created == nil ? "welcome.back" : "welcome.ready", ["name": name])),
                "lead": .string(lead), "hasSample": .bool(hasSample), "sampleHref": "/studio#experiments",
                "sampleAction": .string(
                    words.text(
                        hasSample ? "welcome.openSample" : "welcome.makeSample",
                        ["name": SampleExperiment.name]
                    )
                ),
                "sampleCommand": .string(isMember ? "gatehouse demo --data \(sources.folder)" : ""),
            ]
        )
    }
}
