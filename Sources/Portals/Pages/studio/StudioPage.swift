import Foundation
import HTTPServing
import Hummingbird
import ResourceModel
import Studio
import WebServices

/// The workspace's experiments and web services.
struct StudioPage: Page {
    /// Rows of a list; the counts above it are of all.
    private static let rowsMax = 100

    let sources: PageSources

    func addRoutes(to routes: PageRoutes) { routes.get("/studio", for: .workspace) { .view(try await view($0)) } }

    private func view(_ visit: PageVisit) async throws -> PageView {
        let words = visit.words
        let id = sources.workspace.id
        let experiments = try await sources.experiments.summaries(limit: Self.rowsMax)
        let services = try await sources.services.summaries(in: id, limit: Self.rowsMax)
        return PageView(
            "studio",
            title: words.text("frame.studio"),
            face: .studio,
            model: [
                "workspace": ["text": .string(id), "label": .string(words.text("settings.copyId"))],
                "experimentsCount": .string(words.text("studio.experimentsCount", count: experiments.count)),
                "hasExperiments": .bool(!experiments.shown.isEmpty),
                "experiments": .array(experiments.shown.map { Self.row($0, visit) }),
                "servicesCount": .string(words.text("studio.servicesCount", count: services.count)),
                "hasServices": .bool(!services.shown.isEmpty),
                "services": .array(services.shown.map { Self.row($0, visit) }),
            ]
        )
    }

    private static func row(_ experiment: ExperimentSummary, _ visit: PageVisit) -> JSONValue {
        let state = experiment.state
        return [
            "name": .string(experiment.name), "hasDescription": .bool(!experiment.description.isEmpty),
            "description": .string(experiment.description),
            "state": [
                "kind": .string(state.kind), "icon": .string(state.icon),
                "text": .string(visit.words.text("studio.states.\(state.rawValue)")),
            ],
            "id": id(experiment.id, of: experiment.name, visit),
            "hasEdited": .bool(experiment.modified != .distantPast),
            "edited": visit.locale.moment(experiment.modified),
        ]
    }

    private static func row(_ service: ServiceSummary, _ visit: PageVisit) -> JSONValue {
        [
            "name": .string(service.name), "hasDescription": .bool(!service.description.isEmpty),
            "description": .string(service.description),
            "endpoints": .string(visit.words.text("studio.endpointsCount", count: service.endpoints)),
            "id": id(service.id, of: service.name, visit), "hasPublished": .bool(service.published != .distantPast),
            "published": visit.locale.moment(service.published),
        ]
    }

    private static func id(_ text: String, of name: String, _ visit: PageVisit) -> JSONValue {
        ["text": .string(text), "label": .string(visit.words.text("studio.copyId", ["name": name]))]
    }
}

extension ExperimentSummary.State {
    /// The style's name of it.
    fileprivate var kind: String {
        switch self {
        case .draft, .cancelled: ""
        case .queued, .running: "busy"
        case .finished: "ok"
        case .failed: "bad"
        }
    }

    fileprivate var icon: String {
        switch self {
        case .draft: "circle-dashed"
        case .queued: "clock"
        case .running: "loader-circle"
        case .finished: "circle-check"
        case .failed: "circle-x"
        case .cancelled: "ban"
        }
    }
}
