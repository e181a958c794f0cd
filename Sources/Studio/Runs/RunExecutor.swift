package import Blobs
import Foundation
import ResourceModel
package import Store
package import StudioModules

/// Runs one experiment and keeps the record of its nodes.
package struct RunExecutor: Sendable {
    private let store: any ResourceStore
    private let queue: any WorkQueue
    private let content: ContentStore
    private let datasets: DatasetService
    private let workspace: Workspace
    private let parallelism: Int

    package init(
        store: any ResourceStore,
        queue: any WorkQueue,
        content: ContentStore,
        datasets: DatasetService,
        workspace: Workspace,
        parallelism: Int
    ) {
        self.store = store
        self.queue = queue
        self.content = content
        self.datasets = datasets
        self.workspace = workspace
        self.parallelism = parallelism
    }

    private var cache: ContentOutputCache { ContentOutputCache(store: store, content: content, workspace: workspace) }

    /// - Returns: how the run ended, and the error of the node that failed.
    package func execute(_ item: WorkItem, _ token: RunToken) async -> (WorkState, String?) {
        do {
            let graph = try ExperimentGraph(try ExperimentDocument(json: item.payload["Document"] ?? .null))
            let outcome = try await run(graph, token) { report in try await record(report, item, graph) }
            if token.isCancelled { return (.cancelled, nil) }
            if let failure = outcome.failure {
                return (.failed, "Node \"\(failure.node)\": \(failure.error.description)")
            }
            return (.finished, nil)
        } catch let error as GraphError {
            return (.failed, error.description)
        } catch {
            return (.failed, "The run could not be recorded: \(type(of: error))")
        }
    }

    /// The outputs of a document's nodes: from the cache where a run left them, else computed.
    ///
    /// - Returns: what publishing freezes and takes its schemas from.
    package func outputs(_ graph: ExperimentGraph) async throws -> GraphRunner.Outcome {
        try await run(graph, RunToken()) { _ in }
    }

    private func run(
        _ graph: ExperimentGraph,
        _ token: RunToken,
        _ report: @Sendable (GraphRunner.NodeReport) async throws -> Void
    ) async throws -> GraphRunner.Outcome {
        var contents: [String: String] = [:]
        for node in graph.nodes {
            guard case .dataset(let name) = node.work, let dataset = try await datasets.find(name) else { continue }
            contents[name] = dataset.properties["Content"]?.string
        }
        let datasets = datasets
        return try await GraphRunner(parallelism: parallelism).run(
            graph,
            hashes: graph.outputHashes(datasetHashes: contents),
            cache: cache,
            dataset: { try await datasets.table($0) },
            context: ModuleContext(isCancelled: { token.isCancelled }),
            report: report
        )
    }

    private func record(
        _ report: GraphRunner.NodeReport,
        _ item: WorkItem,
        _ graph: ExperimentGraph
    ) async throws {
        let now = Date().timeIntervalSince1970
        let known = try await queue.steps(item.id).first { $0.step == report.node }
        var step = WorkStep(
            item: item.id,
            step: report.node,
            ordinal: graph.place(of: report.node) ?? 0,
            state: report.state.rawValue,
            detail: ["Outputs": .array(report.schemas.map { $0?.json ?? .null })]
        )
        step.startedAt = report.state == .running ? now : known?.startedAt
        step.endedAt = report.state == .running ? nil : now
        step.error = report.error
        try await queue.record(step)
    }
}
