package import HTTPWire
package import Policies
package import ResourceModel

/// One operation as the gateway needs it.
package struct APIOperation: Sendable {
    package let facts: PolicyFacts.Operation
    package let template: URLTemplate

    package init(facts: PolicyFacts.Operation, template: URLTemplate) {
        self.facts = facts
        self.template = template
    }
}

/// One API as the gateway needs it: immutable, shared by every snapshot that holds it.
package final class APIRoute: Sendable {
    package enum Backend: Sendable, Equatable {
        /// The web services of this installation, with what stands before the operation's path.
        case local(pathPrefix: String)
        case http(UpstreamAddress, pathPrefix: String)
        /// Not forwarded to: the reason stands in the log.
        case unsupported(reason: String)
    }

    package let id: String
    /// Segments in lower case.
    package let path: [String]
    package let backend: Backend
    package let takesHTTP: Bool
    package let requiresKey: Bool
    /// Lower case, as UTF-8.
    let keyHeader: [UInt8]
    let keyHeaderName: String
    let keyQuery: [UInt8]
    let operations: OperationTable
    let facts: PolicyFacts.API

    package init(
        id: String,
        path: String,
        backend: Backend,
        protocols: [String],
        requiresKey: Bool,
        keyHeader: String,
        keyQuery: String,
        facts: PolicyFacts.API,
        operations: [APIOperation]
    ) {
        self.id = id
        self.path = path.split(separator: "/").map { $0.lowercased() }
        self.backend = backend
        takesHTTP = protocols.contains("http")
        self.requiresKey = requiresKey
        keyHeaderName = keyHeader
        self.keyHeader = Array(keyHeader.lowercased().utf8)
        self.keyQuery = Array(keyQuery.utf8)
        self.facts = facts
        self.operations = OperationTable(operations)
    }

    var pathText: String { "/" + path.joined(separator: "/") }
}
