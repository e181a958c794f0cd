import DataTables
import ResourceModel

/// Walks back from the service outputs and sorts what it meets into frozen values and steps of every call.
struct PublicationBuilder {
    let graph: ExperimentGraph
    let outputs: [[PortValue]?]
    private var inputNames: [String] = []
    private var steps: [JSONValue] = []
    private var stepOfNode: [Int: Int] = [:]
    private var frozen: [PortValue] = []
    private var frozenPlace: [String: Int] = [:]

    init(graph: ExperimentGraph, outputs: [[PortValue]?]) {
        self.graph = graph
        self.outputs = outputs
    }

    mutating func build() throws(GraphError) -> ScoringPlan.Publication {
        var sources: [(name: String, source: ExperimentGraph.Source)] = []
        for node in graph.nodes {
            if case .serviceInput(let name) = node.work { inputNames.append(name) }
            guard case .serviceOutput(let name) = node.work else { continue }
            guard let source = node.serviceInputs[0] ?? node.inputs[0] else {
                throw GraphError(node: node.id, "The web service output has no edge.")
            }
            sources.append((name, source))
        }
        guard !sources.isEmpty else {
            throw GraphError("The experiment has no web service output; add one before publishing.")
        }
        let live = liveNodes()
        var definitions: [JSONValue] = []
        var outputSchemas: [(name: String, schema: TableSchema)] = []
        for (name, source) in sources {
            definitions.append(["name": .string(name), "slot": try slot(source, live).json])
            outputSchemas.append((name, try schema(source, node: graph.nodes[source.node].id)))
        }
        let definition: JSONValue = [
            "inputs": .array(inputNames.map(JSONValue.string)),
            "steps": .array(steps),
            "outputs": .array(definitions),
            "parameters": .array(try parameters()),
        ]
        return ScoringPlan.Publication(
            definition: definition,
            frozen: frozen,
            inputs: try inputSchemas(),
            outputs: outputSchemas
        )
    }

    /// The nodes whose output a caller can change: downstream of a service input or of a service parameter.
    private func liveNodes() -> Set<Int> {
        var live: Set<Int> = []
        for (place, node) in graph.nodes.enumerated() {
            let takesInput = node.serviceInputs.contains { $0 != nil }
            let hasParameter = graph.serviceParameters.contains { $0.node == node.id }
            let isBelow = node.inputs.contains { $0.map { live.contains($0.node) } ?? false }
            if takesInput || hasParameter || isBelow { live.insert(place) }
            if case .serviceInput = node.work { live.insert(place) }
        }
        return live
    }

    private mutating func slot(
        _ source: ExperimentGraph.Source,
        _ live: Set<Int>
    ) throws(GraphError) -> ScoringPlan.Slot {
        let node = graph.nodes[source.node]
        if case .serviceInput(let name) = node.work, let place = inputNames.firstIndex(of: name) {
            return .serviceInput(place)
        }
        guard live.contains(source.node), case .module(let type, let parameters) = node.work else {
            return .frozen(try freeze(source))
        }
        if let step = stepOfNode[source.node] { return .step(step, port: source.port) }
        var slots: [JSONValue] = []
        for (place, data) in node.inputs.enumerated() {
            guard let source = node.serviceInputs[place] ?? data else {
                slots.append(.null)
                continue
            }
            slots.append(try slot(source, live).json)
        }
        let bound = parameters.values.sorted { $0.key < $1.key }.map { (name: $0.key, value: $0.value.json) }
        steps.append([
            "node": .string(node.id),
            "module": .string(type.descriptor.name),
            "parameters": .object(JSONObject(bound)),
            "inputs": .array(slots),
        ])
        stepOfNode[source.node] = steps.count - 1
        return .step(steps.count - 1, port: source.port)
    }

    private mutating func freeze(_ source: ExperimentGraph.Source) throws(GraphError) -> Int {
        let key = "\(source.node):\(source.port)"
        if let place = frozenPlace[key] { return place }
        frozen.append(try value(source))
        frozenPlace[key] = frozen.count - 1
        return frozen.count - 1
    }

    private func value(_ source: ExperimentGraph.Source) throws(GraphError) -> PortValue {
        guard let values = outputs[source.node], source.port < values.count else {
            throw GraphError(node: graph.nodes[source.node].id, "The node has no output in the run that is published.")
        }
        return values[source.port]
    }

    private func schema(_ source: ExperimentGraph.Source, node: String) throws(GraphError) -> TableSchema {
        guard let table = try value(source).table else { throw GraphError(node: node, "The port carries no table.") }
        return table.schema
    }

    /// The schema of each input as the port behind it saw it in the run.
    private func inputSchemas() throws(GraphError) -> [(name: String, schema: TableSchema)] {
        var result: [(name: String, schema: TableSchema)] = []
        for name in inputNames {
            var found: TableSchema?
            for node in graph.nodes where found == nil {
                for (place, source) in node.serviceInputs.enumerated() where found == nil {
                    guard let source, case .serviceInput(name) = graph.nodes[source.node].work else { continue }
                    guard let data = node.inputs[place] else {
                        throw GraphError(
                            node: node.id,
                            "The port behind the web service input \"\(name)\" needs a data edge: its schema comes from there."
                        )
                    }
                    found = try schema(data, node: node.id)
                }
            }
            guard let found else { throw GraphError("The web service input \"\(name)\" has no edge.") }
            result.append((name, found))
        }
        return result
    }

    private func parameters() throws(GraphError) -> [JSONValue] {
        var order: [String] = []
        var targets: [String: [JSONValue]] = [:]
        var defaults: [String: Bool] = [:]
        for item in graph.serviceParameters {
            guard let place = graph.place(of: item.node), let step = stepOfNode[place] else {
                throw GraphError(
                    node: item.node,
                    "The web service parameter \"\(item.name)\" sets a node that no output needs."
                )
            }
            if targets[item.name] == nil { order.append(item.name) }
            targets[item.name, default: []].append(["step": .int(step), "parameter": .string(item.parameter)])
            defaults[item.name] = (defaults[item.name] ?? true) && item.hasDefault
        }
        return order.map { name in
            [
                "name": .string(name), "hasDefault": .bool(defaults[name] ?? true),
                "targets": .array(targets[name] ?? []),
            ]
        }
    }
}
