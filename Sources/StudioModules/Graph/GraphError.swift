/// What is wrong with an experiment's graph, and at which node.
package struct GraphError: Error, Sendable, Equatable {
    package let node: String?
    package let message: String

    package init(node: String? = nil, _ message: String) {
        self.node = node
        self.message = message
    }

    package var description: String { node.map { "Node \"\($0)\": \(message)" } ?? message }
}
