package import DataTables
import Dispatch

/// Runs an experiment's graph: topological order, independent branches side by side, known outputs taken from a cache.
package struct GraphRunner: Sendable {
    package enum NodeState: String, Sendable {
        case queued = "Queued"
        case running = "Running"
        case finished = "Finished"
        /// The output was taken from the cache.
        case cached = "Cached"
        case failed = "Failed"
        /// Not run, since a node before it failed or the run was cancelled.
        case skipped = "Skipped"
    }

    /// A node's change of state, for whoever keeps the record.
    package struct NodeReport: Sendable {
        package let node: String
        package let state: NodeState
        package let error: String?
        /// One schema an output port, nil for ports that carry no table.
        package let schemas: [TableSchema?]
    }

    /// What a run gave: each node's outputs, nil where it did not come to one.
    package struct Outcome: Sendable {
        package let outputs: [[PortValue]?]
        package let failure: (node: String, error: ModuleError)?
    }

    /// Modules of one run side by side; Studio ran at most four.
    package let parallelism: Int

    package init(parallelism: Int) { self.parallelism = max(1, min(4, parallelism)) }

    /// - Parameters:
    ///   - hashes: `ExperimentGraph.outputHashes`, the keys of the cache.
    ///   - dataset: loads a dataset by name.
    ///   - report: is awaited at each change, so that a record is durable before work goes on.
    package func run(
        _ graph: ExperimentGraph,
        hashes: [String],
        cache: any OutputCache,
        dataset: @Sendable @escaping (String) async throws -> DataTable,
        context: ModuleContext,
        report: @Sendable (NodeReport) async throws -> Void
    ) async throws -> Outcome {
        var outputs = [[PortValue]?](repeating: nil, count: graph.nodes.count)
        var isStarted = [Bool](repeating: false, count: graph.nodes.count)
        var failure: (node: String, error: ModuleError)?
        try await withThrowingTaskGroup(of: NodeResult.self) { group in
            var running = 0
            while true {
                if failure == nil {
                    for (place, node) in graph.nodes.enumerated()
                    where !isStarted[place] && running < parallelism
                        && node.inputs.allSatisfy({ $0.map { outputs[$0.node] != nil } ?? true })
                    {
                        isStarted[place] = true
                        running += 1
                        try await report(NodeReport(node: node.id, state: .running, error: nil, schemas: []))
                        let inputs = node.inputs.map { source in source.flatMap { outputs[$0.node]?[$0.port] } }
                        let hash = hashes[place]
                        group.addTask {
                            await GraphRunner.compute(node, place, inputs, hash, cache, dataset, context)
                        }
                    }
                }
                guard running > 0, let result = try await group.next() else { break }
                running -= 1
                let node = graph.nodes[result.place]
                switch result.result {
                case .success(let values):
                    outputs[result.place] = values
                    try await report(
                        NodeReport(
                            node: node.id,
                            state: result.isCached ? .cached : .finished,
                            error: nil,
                            schemas: values.map { $0.table?.schema }
                        )
                    )
                case .failure(let error):
                    failure = failure ?? (node.id, error)
                    try await report(NodeReport(node: node.id, state: .failed, error: error.description, schemas: []))
                }
            }
        }
        for (place, node) in graph.nodes.enumerated() where !isStarted[place] {
            try await report(NodeReport(node: node.id, state: .skipped, error: nil, schemas: []))
        }
        return Outcome(outputs: outputs, failure: failure)
    }

    private struct NodeResult: Sendable {
        let place: Int
        let result: Result<[PortValue], ModuleError>
        let isCached: Bool
    }

    private static func compute(
        _ node: ExperimentGraph.Node,
        _ place: Int,
        _ inputs: [PortValue?],
        _ hash: String,
        _ cache: any OutputCache,
        _ dataset: @Sendable (String) async throws -> DataTable,
        _ context: ModuleContext
    ) async -> NodeResult {
        switch node.work {
        case .serviceInput, .serviceOutput:
            return NodeResult(place: place, result: .success([]), isCached: false)
        case .dataset(let name):
            do {
                return NodeResult(place: place, result: .success([.table(try await dataset(name))]), isCached: false)
            } catch let error as ModuleError {
                return NodeResult(place: place, result: .failure(error), isCached: false)
            } catch {
                let failure = ModuleError(.invalidDataset, "Dataset \"\(name)\" could not be read.")
                return NodeResult(place: place, result: .failure(failure), isCached: false)
            }
        case .module(let type, let parameters):
            if let values = await cache.outputs(hash: hash) {
                return NodeResult(place: place, result: .success(values), isCached: true)
            }
            let result = await onWorker { () throws(ModuleError) -> [PortValue] in
                let module = try type.init(parameters)
                for (port, input) in zip(type.descriptor.inputs, inputs) where input == nil && !port.isOptional {
                    throw ModuleError(
                        .nullOrEmpty,
                        "Input \"\(port.name)\" is null or empty: connect data to it, a web service input has none in a run."
                    )
                }
                return try module.run(inputs, context)
            }
            if case .success(let values) = result { await cache.store(values, hash: hash) }
            return NodeResult(place: place, result: result, isCached: false)
        }
    }

    /// Runs long work on Dispatch's threads, so that the threads of async code stay free.
    private static func onWorker(
        _ work: @Sendable @escaping () throws(ModuleError) -> [PortValue]
    ) async -> Result<[PortValue], ModuleError> {
        await withCheckedContinuation { continuation in
            DispatchQueue.global(qos: .utility).async {
                continuation.resume(returning: Result(catching: work))
            }
        }
    }
}

/// Keeps the outputs of nodes by the hash of what they were computed from.
package protocol OutputCache: Sendable {
    func outputs(hash: String) async -> [PortValue]?
    func store(_ values: [PortValue], hash: String) async
}
