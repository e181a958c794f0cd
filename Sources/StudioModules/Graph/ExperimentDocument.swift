package import ResourceModel

/// An experiment as its document says it, not yet checked (docs/experiments.md has the form).
package struct ExperimentDocument: Sendable, Equatable {
    package struct Node: Sendable, Equatable {
        package enum Content: Sendable, Equatable {
            case dataset(String)
            case module(String, JSONObject)
        }

        package let id: String
        package let content: Content
        package let position: JSONValue
        package let comment: String
    }

    package struct Port: Sendable, Equatable, Hashable {
        package let node: String
        package let port: String
    }

    package struct Edge: Sendable, Equatable {
        package let from: Port
        package let to: Port
    }

    /// A module parameter that callers of the published service may set.
    package struct ServiceParameter: Sendable, Equatable {
        package let name: String
        package let node: String
        package let parameter: String
        package let hasDefault: Bool
    }

    /// More nodes than any canvas of the palette's time held; a bound for the checks and the run.
    package static let nodesMax = 1000

    package let name: String
    package let description: String
    package let nodes: [Node]
    package let edges: [Edge]
    package let serviceParameters: [ServiceParameter]
    package let json: JSONValue

    /// - Throws: `GraphError` naming the member, and the node where there is one.
    package init(json: JSONValue) throws(GraphError) {
        guard let object = json.object else { throw GraphError("An experiment must be a JSON object.") }
        let known = ["Name", "Description", "Nodes", "Edges", "WebServiceParameters"]
        if let other = object.names.first(where: { !known.contains($0) }) {
            throw GraphError("The member \"\(other)\" is unknown; known are \(known.joined(separator: ", ")).")
        }
        guard let name = json["Name"]?.string, !name.isEmpty, name.count <= 256 else {
            throw GraphError("\"Name\" must be a text of 1 to 256 characters.")
        }
        self.name = name
        self.json = json
        description = json["Description"]?.string ?? ""
        guard let nodes = json["Nodes"]?.array, nodes.count <= ExperimentDocument.nodesMax else {
            throw GraphError("\"Nodes\" must be a list of at most \(ExperimentDocument.nodesMax) nodes.")
        }
        self.nodes = try ExperimentDocument.each(nodes) { node throws(GraphError) in try ExperimentDocument.node(node) }
        edges = try ExperimentDocument.each(json["Edges"]?.array ?? []) { edge throws(GraphError) in
            guard let from = ExperimentDocument.port(edge["From"]), let to = ExperimentDocument.port(edge["To"]) else {
                throw GraphError("An edge needs \"From\" and \"To\", each with \"Node\" and \"Port\": \(edge.text)")
            }
            return Edge(from: from, to: to)
        }
        serviceParameters = try ExperimentDocument.each(json["WebServiceParameters"]?.array ?? []) {
            item throws(GraphError) in
            guard let name = item["Name"]?.string, !name.isEmpty, let node = item["Node"]?.string,
                let parameter = item["Parameter"]?.string
            else {
                throw GraphError("A web service parameter needs \"Name\", \"Node\" and \"Parameter\": \(item.text)")
            }
            return ServiceParameter(
                name: name,
                node: node,
                parameter: parameter,
                hasDefault: item["HasDefault"]?.bool ?? true
            )
        }
    }

    private static func each<Item>(
        _ items: [JSONValue],
        _ body: (JSONValue) throws(GraphError) -> Item
    ) throws(GraphError) -> [Item] {
        var result: [Item] = []
        for item in items { result.append(try body(item)) }
        return result
    }

    private static func port(_ json: JSONValue?) -> Port? {
        guard let node = json?["Node"]?.string, let port = json?["Port"]?.string else { return nil }
        return Port(node: node, port: port)
    }

    private static func node(_ json: JSONValue) throws(GraphError) -> Node {
        guard let id = json["Id"]?.string, !id.isEmpty, id.count <= 128 else {
            throw GraphError("Every node needs an \"Id\" of 1 to 128 characters: \(json.text.prefix(120))")
        }
        let known = ["Id", "Module", "Dataset", "Parameters", "Position", "Comment"]
        if let other = json.object?.names.first(where: { !known.contains($0) }) {
            throw GraphError(
                node: id,
                "The member \"\(other)\" is unknown; known are \(known.joined(separator: ", "))."
            )
        }
        let content: Node.Content
        switch (json["Module"]?.string, json["Dataset"]?.string) {
        case (let module?, nil):
            guard let parameters = (json["Parameters"] ?? .object(JSONObject())).object else {
                throw GraphError(node: id, "\"Parameters\" must be an object.")
            }
            content = .module(module, parameters)
        case (nil, let dataset?): content = .dataset(dataset)
        default: throw GraphError(node: id, "A node needs either \"Module\" or \"Dataset\".")
        }
        return Node(
            id: id,
            content: content,
            position: json["Position"] ?? .null,
            comment: json["Comment"]?.string ?? ""
        )
    }
}
