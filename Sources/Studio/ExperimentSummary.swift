package import Foundation
import ResourceModel
import Store

/// What lists show of an experiment.
package struct ExperimentSummary: Sendable {
    package enum State: String, Sendable, CaseIterable {
        /// Changed since its newest run, or never run.
        case draft
        case queued, running, finished, failed, cancelled
    }

    package let id: String
    package let name: String
    package let description: String
    package let state: State
    package let modified: Date

    init(_ experiment: Resource, run: WorkItem?) {
        id = experiment.id.name
        name = experiment.properties["Name"]?.string ?? ""
        description = experiment.properties["Document"]?["Description"]?.string ?? ""
        let text = experiment.properties["ModificationTime"]?.string ?? ""
        modified = (try? Date(text, strategy: .iso8601)) ?? .distantPast
        state =
            switch run?.state {
            // The stored time has whole seconds.
            case let state? where modified.timeIntervalSince1970 <= run?.createdAt ?? 0: Self.state(state)
            default: .draft
            }
    }

    private static func state(_ run: WorkState) -> State {
        switch run {
        case .created, .queued: .queued
        case .running: .running
        case .finished: .finished
        case .failed: .failed
        case .cancelled: .cancelled
        }
    }
}
