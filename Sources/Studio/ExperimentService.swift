import Foundation
package import ResourceModel
package import Store
package import StudioModules

/// Experiments of a workspace: checked documents, and the runs that were asked for.
package struct ExperimentService: Sendable {
    package static let runKind = "experimentRun"
    package static let listMax = 10_000
    package static let runsShown = 100

    private let store: any ResourceStore
    private let queue: any WorkQueue
    private let datasets: DatasetService
    private let workspace: Workspace
    /// Wakes the worker.
    private let wake: @Sendable () -> Void

    package init(
        store: any ResourceStore,
        queue: any WorkQueue,
        datasets: DatasetService,
        workspace: Workspace,
        wake: @Sendable @escaping () -> Void
    ) {
        self.store = store
        self.queue = queue
        self.datasets = datasets
        self.workspace = workspace
        self.wake = wake
    }

    /// Creates, or with an id replaces.
    ///
    /// - Returns: the experiment, and whether it is new.
    package func put(_ document: JSONValue, id: String?) async throws -> (resource: Resource, isNew: Bool) {
        let graph = try await check(document)
        if let id, !Identifier.isHex32(id) {
            throw APIError.validation("ExperimentId", "The id must be 32 hexadecimal digits.")
        }
        let resourceID = workspace.experiment(id ?? Identifier.hex32())
        let before = try await store.get(resourceID)
        let now = Date().formatted(.iso8601)
        let properties: JSONObject = [
            "Name": .string(graph.name), "Document": document,
            "CreationTime": before?.properties["CreationTime"] ?? .string(now), "ModificationTime": .string(now),
            "Creator": "local",
        ]
        let write = ResourceWrite(
            resourceID,
            .put(properties: properties, index: [graph.name.lowercased()], secrets: []),
            condition: before.map { .etag($0.etag) } ?? .absent,
            requirements: [
                .exists(workspace.resource),
                .unique(type: "workspaces/experiments", column: 0, value: graph.name.lowercased(), field: "Name"),
            ]
        )
        do {
            guard let resource = try await store.apply([write]).first else { throw APIError.notFound("No experiment.") }
            return (resource, before == nil)
        } catch StoreError.notUnique {
            throw APIError.conflict("An experiment named \"\(graph.name)\" exists already.")
        } catch is StoreError {
            throw APIError.conflict("The experiment was written at the same time.")
        }
    }

    /// Reads a document: graph, parameters, and the datasets that it names.
    package func check(_ document: JSONValue) async throws -> ExperimentGraph {
        let graph: ExperimentGraph
        do { graph = try ExperimentGraph(try ExperimentDocument(json: document)) } catch {
            throw APIError.validation([
                .init(code: "InvalidExperiment", message: error.description, target: error.node ?? "experiment")
            ])
        }
        for node in graph.nodes {
            guard case .dataset(let name) = node.work, try await datasets.find(name) == nil else { continue }
            throw APIError.validation([
                .init(
                    code: "InvalidExperiment",
                    message: "Node \"\(node.id)\": The dataset \"\(name)\" was not found.",
                    target: node.id
                )
            ])
        }
        return graph
    }

    package func list() async throws -> [Resource] {
        try await store.list(ResourceQuery(parent: workspace.resource, type: "experiments", limit: Self.listMax))
    }

    /// The experiment of that id, or of that name without case.
    package func get(_ word: String) async throws -> Resource {
        if Identifier.isHex32(word), let found = try await store.get(workspace.experiment(word)) { return found }
        var query = ResourceQuery(parent: workspace.resource, type: "experiments", limit: 1)
        query.matches = [(0, word.lowercased())]
        guard let found = try await store.list(query).first else {
            throw APIError.notFound("The experiment \"\(word)\" was not found.")
        }
        return found
    }

    /// Whether there is an experiment of that name without case.
    package func has(_ name: String) async throws -> Bool {
        try await !store.find(type: "workspaces/experiments", value: name.lowercased()).isEmpty
    }

    package func delete(_ word: String) async throws {
        _ = try await store.apply([ResourceWrite(try await get(word).id, .delete)])
    }

    // MARK: - Runs

    /// The experiments that were changed last, with how their newest run went, and how many there are in all.
    package func summaries(limit: Int) async throws -> (shown: [ExperimentSummary], count: Int) {
        var query = ResourceQuery(parent: workspace.resource, type: "experiments", limit: limit)
        query.order = ResourceQuery.Order(field: ["ModificationTime"], isDescending: true)
        var shown: [ExperimentSummary] = []
        for experiment in try await store.list(query) {
            let newest = WorkQuery(kind: Self.runKind, subject: experiment.id.name, limit: 1)
            shown.append(ExperimentSummary(experiment, run: try await queue.list(newest).first))
        }
        return (shown, try await store.count(query))
    }

    /// Puts a run of the experiment as it is now into the queue.
    package func run(_ word: String) async throws -> WorkItem {
        let experiment = try await get(word)
        let document = experiment.properties["Document"] ?? .null
        let graph = try await check(document)
        let item = WorkItem(
            id: Identifier.hex32(),
            kind: Self.runKind,
            subject: experiment.id.name,
            payload: ["Document": document],
            createdAt: Date().timeIntervalSince1970
        )
        do { try await queue.enqueue(item) } catch StoreError.overloaded {
            throw APIError(
                status: 503,
                code: "ServiceUnavailable",
                message: "Too many runs are waiting; try again later."
            )
        }
        for (place, node) in graph.nodes.enumerated() {
            try await queue.record(
                WorkStep(item: item.id, step: node.id, ordinal: place, state: GraphRunner.NodeState.queued.rawValue)
            )
        }
        wake()
        return item
    }

    package func runs(_ word: String) async throws -> [WorkItem] {
        let experiment = try await get(word)
        return try await queue.list(
            WorkQuery(kind: Self.runKind, subject: experiment.id.name, limit: Self.runsShown)
        )
    }

    package func run(_ word: String, _ runID: String) async throws -> (item: WorkItem, steps: [WorkStep]) {
        let experiment = try await get(word)
        guard let item = try await queue.get(runID), item.subject == experiment.id.name else {
            throw APIError.notFound("The run \(runID.prefix(64)) was not found.")
        }
        return (item, try await queue.steps(runID))
    }

    package func cancel(_ word: String, _ runID: String) async throws {
        _ = try await run(word, runID)
        try await queue.cancel(runID, at: Date().timeIntervalSince1970)
    }

    /// The newest run that ended well.
    package func lastFinishedRun(_ word: String) async throws -> WorkItem? {
        try await runs(word).first { $0.state == .finished }
    }
}
