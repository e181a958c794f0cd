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

    // What every call asks for stands first, so that it waits for few lines of memory.

    package let backend: Backend
    /// Lower case, as UTF-8.
    let keyQuery: [UInt8]
    /// Lower case, as UTF-8.
    let keyHeader: [UInt8]
    /// Whether keys come in the field that most APIs take them in.
    let hasUsualKeyHeader: Bool
    /// Bytes of a request's body; nil for what the gateway takes.
    let bodyBytesMax: Int?
    package let takesHTTP: Bool
    let takesHTTPS: Bool
    package let requiresKey: Bool
    /// Of the API whose revision this is, in lower case: what scopes and products name.
    package let id: String
    /// Of this revision, in lower case: whose policies and operations these are.
    package let resource: String
    let revision: String
    let isCurrent: Bool
    /// The version in lower case, with how it is asked for.
    let version: (scheme: VersionScheme, name: String)?
    /// Segments in lower case, that of a version among them.
    package let path: [String]
    let keyHeaderName: String
    package let operations: OperationTable
    let facts: PolicyFacts.API

    /// One copy of the names that most APIs have: it stays in the processor's cache however many APIs are called.
    static let usualKeyHeader = Array(usualKeyHeaderName.lowercased().utf8)
    private static let usualKeyQuery = Array(usualKeyQueryName.lowercased().utf8)
    /// The field and the query parameter of an API that names no others (contracts/api-management.md section 2).
    package static let usualKeyHeaderName = "Ocp-Apim-Subscription-Key"
    package static let usualKeyQueryName = "subscription-key"

    /// - Parameters:
    ///   - resource: the name of the resource, as `echo` or `echo;rev=2`.
    ///   - revision: its number as text.
    package init(
        resource: String,
        revision: String = "1",
        isCurrent: Bool = true,
        version: (scheme: VersionScheme, name: String)? = nil,
        path: String,
        backend: Backend,
        protocols: [String],
        requiresKey: Bool,
        keyHeader: String,
        keyQuery: String,
        bodyBytesMax: Int? = nil,
        facts: PolicyFacts.API,
        operations: [APIOperation]
    ) {
        self.resource = resource.lowercased()
        id = String(self.resource.prefix { $0 != ";" })
        self.revision = revision
        self.isCurrent = isCurrent
        self.version = version.map { ($0.scheme, $0.name.lowercased()) }
        let segments = path.split(separator: "/").map { $0.lowercased() }
        self.path = version?.scheme == .segment ? segments + [version?.name.lowercased() ?? ""] : segments
        self.backend = backend
        // A WebSocket begins as a call of http.
        takesHTTP = protocols.contains("http") || protocols.contains("ws")
        takesHTTPS = protocols.contains("https") || protocols.contains("wss")
        self.requiresKey = requiresKey
        self.bodyBytesMax = bodyBytesMax
        keyHeaderName = keyHeader
        let (header, query) = (Array(keyHeader.lowercased().utf8), Array(keyQuery.lowercased().utf8))
        hasUsualKeyHeader = header == APIRoute.usualKeyHeader
        self.keyHeader = hasUsualKeyHeader ? APIRoute.usualKeyHeader : header
        self.keyQuery = query == APIRoute.usualKeyQuery ? APIRoute.usualKeyQuery : query
        self.facts = facts
        self.operations = OperationTable(operations)
    }

    var pathText: String { "/" + path.joined(separator: "/") }

    /// The key that a call presents: the field first, the query only where there is no field.
    func key(_ parser: HeadParser, _ head: UnsafeRawBufferPointer) -> PresentedKey? {
        if let key = parser.value(lowercased: keyHeader, in: head) { return PresentedKey(text: key, isEscaped: false) }
        let start = min(parser.pathEnd + 1, parser.target.upperBound)
        var key: PresentedKey?
        QueryText.forEach(UnsafeRawBufferPointer(rebasing: head[start..<parser.target.upperBound])) { name, value in
            guard key == nil, PathText.equal(name, keyQuery) else { return }
            key = PresentedKey(text: value, isEscaped: value.contains { $0 == 0x25 || $0 == 0x2B })
        }
        return key
    }

    /// A key as it stands in a request.
    struct PresentedKey {
        let text: UnsafeRawBufferPointer
        /// Whether it comes from the query and may stand for another text.
        let isEscaped: Bool

        var decoded: String {
            let text = String(decoding: text, as: UTF8.self)
            return isEscaped ? PercentText.decoded(text, plusIsBlank: true) : text
        }
    }
}
