import Crypto
import ResourceModel

/// An experiment's graph after its check: modules known, parameters bound, ports joined, no cycle.
package struct ExperimentGraph: Sendable {
    package struct Source: Sendable, Equatable {
        /// Place of the node in `nodes`.
        package let node: Int
        /// Place of its output port.
        package let port: Int
    }

    package struct Node: Sendable {
        package enum Work: Sendable {
            case dataset(String)
            case module(any StudioModule.Type, BoundParameters)
            case serviceInput(String)
            case serviceOutput(String)
        }

        package let id: String
        package let work: Work
        /// One entry an input port: the data edge.
        package var inputs: [Source?]
        /// One entry an input port: the web service input that takes the edge's place in a published service.
        package var serviceInputs: [Source?]

        package var isRowWise: Bool {
            guard case .module(let module, _) = work else { return true }
            return module.descriptor.isRowWise
        }
    }

    package let name: String
    /// In topological order.
    package private(set) var nodes: [Node]
    package let serviceParameters: [ExperimentDocument.ServiceParameter]

    /// - Throws: `GraphError` naming the node and the rule.
    package init(_ document: ExperimentDocument) throws(GraphError) {
        name = document.name
        serviceParameters = document.serviceParameters
        var nodes: [Node] = []
        var places: [String: Int] = [:]
        for item in document.nodes {
            guard places[item.id] == nil else { throw GraphError(node: item.id, "The id stands twice.") }
            places[item.id] = nodes.count
            nodes.append(try ExperimentGraph.node(item))
        }
        for edge in document.edges { try ExperimentGraph.join(edge, places, &nodes) }
        self.nodes = try ExperimentGraph.sorted(nodes)
        try checkPorts()
        try checkServiceParameters(document)
    }

    package func place(of id: String) -> Int? { nodes.firstIndex { $0.id == id } }

    package static func descriptor(_ work: Node.Work) -> ModuleDescriptor? {
        switch work {
        case .dataset: nil
        case .module(let module, _): module.descriptor
        case .serviceInput: WebServiceInputModule.descriptor
        case .serviceOutput: WebServiceOutputModule.descriptor
        }
    }

    /// The names of a node's output ports; a dataset has one, `dataset`.
    package static func outputPorts(_ work: Node.Work) -> [ModuleDescriptor.Port] {
        descriptor(work)?.outputs ?? [.init("dataset")]
    }

    private static func node(_ item: ExperimentDocument.Node) throws(GraphError) -> Node {
        switch item.content {
        case .dataset(let name): return Node(id: item.id, work: .dataset(name), inputs: [], serviceInputs: [])
        case .module(let name, let json):
            guard let module = ModuleCatalogue.module(named: name) else {
                throw GraphError(node: item.id, "The module \"\(name)\" is unknown.")
            }
            let parameters: BoundParameters
            do {
                parameters = try BoundParameters(json, for: module.descriptor)
                _ = try module.init(parameters)
            } catch { throw GraphError(node: item.id, error.description) }
            let work: Node.Work =
                if module == WebServiceInputModule.self {
                    .serviceInput(parameters.string("Name"))
                } else if module == WebServiceOutputModule.self {
                    .serviceOutput(parameters.string("Name"))
                } else {
                    .module(module, parameters)
                }
            let empty = [Source?](repeating: nil, count: module.descriptor.inputs.count)
            return Node(id: item.id, work: work, inputs: empty, serviceInputs: empty)
        }
    }

    private static func join(
        _ edge: ExperimentDocument.Edge,
        _ places: [String: Int],
        _ nodes: inout [Node]
    ) throws(GraphError) {
        guard let from = places[edge.from.node] else {
            throw GraphError("An edge begins at the unknown node \"\(edge.from.node)\".")
        }
        guard let to = places[edge.to.node] else {
            throw GraphError("An edge ends at the unknown node \"\(edge.to.node)\".")
        }
        let outputs = outputPorts(nodes[from].work)
        let inputs = descriptor(nodes[to].work)?.inputs ?? []
        guard let output = outputs.firstIndex(where: { $0.name == edge.from.port }) else {
            throw GraphError(
                node: edge.from.node,
                "There is no output port \"\(edge.from.port)\"; there \(list(outputs))."
            )
        }
        guard let input = inputs.firstIndex(where: { $0.name == edge.to.port }) else {
            throw GraphError(node: edge.to.node, "There is no input port \"\(edge.to.port)\"; there \(list(inputs)).")
        }
        guard outputs[output].type == inputs[input].type else {
            throw GraphError(
                node: edge.to.node,
                "The port \"\(edge.to.port)\" takes a \(inputs[input].type.rawValue), not a \(outputs[output].type.rawValue)."
            )
        }
        let source = Source(node: from, port: output)
        if case .serviceInput = nodes[from].work {
            guard nodes[to].serviceInputs[input] == nil else {
                throw GraphError(node: edge.to.node, "Two web service inputs end at port \"\(edge.to.port)\".")
            }
            nodes[to].serviceInputs[input] = source
        } else {
            guard nodes[to].inputs[input] == nil else {
                throw GraphError(node: edge.to.node, "Two edges end at port \"\(edge.to.port)\".")
            }
            nodes[to].inputs[input] = source
        }
    }

    private static func list(_ ports: [ModuleDescriptor.Port]) -> String {
        ports.isEmpty ? "is none" : "is " + ports.map { "\"\($0.name)\"" }.joined(separator: ", ")
    }

    /// Kahn's order; nodes keep their document order where edges leave it open.
    private static func sorted(_ nodes: [Node]) throws(GraphError) -> [Node] {
        var order: [Int] = []
        var placed = [Bool](repeating: false, count: nodes.count)
        while order.count < nodes.count {
            let ready = nodes.indices.filter { place in
                !placed[place]
                    && (nodes[place].inputs + nodes[place].serviceInputs).allSatisfy {
                        $0.map { placed[$0.node] } ?? true
                    }
            }
            guard !ready.isEmpty else {
                let stuck = nodes.indices.first { !placed[$0] }
                throw GraphError(node: stuck.map { nodes[$0].id }, "The edges form a cycle.")
            }
            for place in ready { placed[place] = true }
            order += ready
        }
        var moved = [Int](repeating: 0, count: nodes.count)
        for (new, old) in order.enumerated() { moved[old] = new }
        return order.map { old in
            var node = nodes[old]
            let move = { (source: Source?) in source.map { Source(node: moved[$0.node], port: $0.port) } }
            node.inputs = node.inputs.map(move)
            node.serviceInputs = node.serviceInputs.map(move)
            return node
        }
    }

    private func checkPorts() throws(GraphError) {
        var names: Set<String> = []
        for node in nodes {
            let ports = ExperimentGraph.descriptor(node.work)?.inputs ?? []
            for (place, port) in ports.enumerated()
            where node.inputs[place] == nil && node.serviceInputs[place] == nil && !port.isOptional {
                throw GraphError(node: node.id, "The input port \"\(port.name)\" has no edge.")
            }
            switch node.work {
            case .serviceInput(let name), .serviceOutput(let name):
                guard !name.isEmpty, name.count <= 64 else {
                    throw GraphError(node: node.id, "\"Name\" must be a text of 1 to 64 characters.")
                }
                guard names.insert(name).inserted else {
                    throw GraphError(node: node.id, "The web service name \"\(name)\" stands twice.")
                }
            default: break
            }
        }
    }

    private func checkServiceParameters(_ document: ExperimentDocument) throws(GraphError) {
        for item in serviceParameters {
            guard let place = place(of: item.node), case .module(let module, _) = nodes[place].work else {
                throw GraphError(node: item.node, "The web service parameter \"\(item.name)\" names no module node.")
            }
            guard module.descriptor.parameters.contains(where: { $0.name == item.parameter }) else {
                throw GraphError(node: item.node, "The module has no parameter \"\(item.parameter)\".")
            }
            let kinds = serviceParameters.filter { $0.name == item.name }.compactMap { other -> String? in
                guard let place = self.place(of: other.node), case .module(let module, _) = nodes[place].work else {
                    return nil
                }
                return module.descriptor.parameters.first { $0.name == other.parameter }?.schemaType
            }
            guard Set(kinds).count <= 1 else {
                throw GraphError(
                    node: item.node,
                    "The web service parameter \"\(item.name)\" stands for parameters of several types."
                )
            }
        }
    }

    /// For each node a hash of all that its output depends on: module, version, parameters and inputs, datasets by content.
    package func outputHashes(datasetHashes: [String: String]) -> [String] {
        var hashes: [String] = []
        for node in nodes {
            var text = ""
            switch node.work {
            case .dataset(let name): text = "dataset\n\(datasetHashes[name] ?? name)"
            case .module(let module, let parameters):
                text = "\(module.descriptor.name)\n\(module.descriptor.version)\n\(parameters.canonicalText)"
            case .serviceInput(let name), .serviceOutput(let name): text = "service\n\(name)"
            }
            for input in node.inputs { text += "\n" + (input.map { "\(hashes[$0.node]):\($0.port)" } ?? "-") }
            hashes.append(Identifier.hex(SHA256.hash(data: Array(text.utf8))))
        }
        return hashes
    }
}
