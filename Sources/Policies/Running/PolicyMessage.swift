/// Where the fields of a message that came over the wire stand; read only when a policy asks.
package protocol HeaderSource: AnyObject {
    /// All values of a name in lower case, in their order.
    func values(_ lowercasedName: String) -> [String]
}

/// A request as it came, read only when a policy asks.
package protocol RequestSource: HeaderSource {
    var method: String { get }
    var scheme: String { get }
    /// What the caller wrote as host, without port.
    var host: String { get }
    var port: Int { get }
    /// From its first slash on, not decoded.
    var path: String { get }
    /// What follows the API's own path, from its slash on, not decoded.
    var operationPath: String { get }
    /// Without the question mark, not decoded; empty where there is none.
    var query: String { get }
    /// The address of the peer.
    var clientAddress: String { get }
    /// What the operation's template matched, by name.
    var matchedParameters: [(name: String, value: String)] { get }
    /// What the operation's template matched by a name, escaped as it may stand in an address: what the caller escaped stays so.
    ///
    /// - Parameter isQuery: whether it is to stand in the query.
    /// - Returns: nil where the template has no parameter of that name.
    func templateText(_ name: String, isQuery: Bool) -> String?
    /// The names of query parameters that the operation's template names, in lower case.
    var templateQueryNames: Set<String> { get }
    /// The key that the caller presented.
    var subscriptionKey: String? { get }
}

/// The name of a field, ready to be compared and written; made once where the name is known before a call.
package final class FieldName: Sendable {
    /// As its author wrote it.
    package let text: String
    package let lowercased: String
    package let lowercasedBytes: [UInt8]
    /// What stands before its value on the wire.
    package let lineStart: [UInt8]

    package init(_ text: String) {
        self.text = text
        lowercased = text.lowercased()
        lowercasedBytes = Array(lowercased.utf8)
        lineStart = Array("\(text): ".utf8)
    }

    static let vary = FieldName("Vary")
    static let contentType = FieldName("Content-Type")
}

/// The edits of a message's fields: names with what stands for them; everything else goes on as it came.
package struct HeaderEdits {
    package struct Edit {
        package let name: FieldName
        /// nil where the field is taken out; nearly all fields have one value, which then needs no list.
        package let first: String?
        /// Those behind the first.
        package let more: [String]

        package var values: [String] { first.map { [$0] + more } ?? [] }
    }

    /// Edits of one message that there is room for before its list grows.
    private static let commonCount = 4

    package private(set) var edits: [Edit] = []

    package init() {}

    package func edit(_ lowercasedName: String) -> Edit? { edits.first { $0.name.lowercased == lowercasedName } }

    package mutating func set(_ name: String, _ values: [String]) { set(FieldName(name), values) }

    package mutating func set(_ name: FieldName, _ values: [String]) {
        set(Edit(name: name, first: values.first, more: Array(values.dropFirst())))
    }

    package mutating func set(_ name: FieldName, to value: String) {
        set(Edit(name: name, first: value, more: []))
    }

    mutating func set(_ edit: Edit) {
        let name = edit.name
        if edits.isEmpty {
            edits.reserveCapacity(HeaderEdits.commonCount)
        } else if let place = edits.firstIndex(where: {
            $0.name === name || $0.name.lowercased == name.lowercased
        }) {
            edits.remove(at: place)
        }
        edits.append(edit)
    }
}

/// The request on its way to the backend.
package struct PolicyRequest {
    package enum Body {
        case original
        case replaced([UInt8])
    }

    package let source: any RequestSource
    package var headers = HeaderEdits()
    /// nil while it is the caller's.
    package var method: String?
    /// What follows the backend's own path; nil while it is the caller's.
    package var path: String?
    /// Without the question mark; nil while it is the caller's.
    package var query: String?
    /// An absolute URL in the place of the API's service URL.
    package var backendURL: String?
    /// A managed backend in its place.
    package var backendID: String?
    package var body = Body.original

    package init(source: any RequestSource) { self.source = source }

    package var currentPath: String { path ?? source.operationPath }
    package var currentQuery: String { query ?? source.query }

    package func values(_ name: String) -> [String] {
        let lowercased = name.lowercased()
        return headers.edit(lowercased)?.values ?? source.values(lowercased)
    }
}

/// The answer on its way to the caller: a backend's, or one that a policy made.
package struct PolicyResponse {
    package enum Body {
        /// The backend's, as it comes.
        case streamed
        /// The backend's, kept since an earlier call.
        case kept([UInt8])
        case bytes([UInt8])
    }

    package var status: Int
    /// nil for the usual word of the status.
    package var reason: String?
    /// The backend's fields; nil where a policy made the answer.
    package let source: (any HeaderSource)?
    package var headers = HeaderEdits()
    package var body: Body

    package init(status: Int, reason: String? = nil, source: (any HeaderSource)? = nil, body: Body = .bytes([])) {
        self.status = status
        self.reason = reason
        self.source = source
        self.body = body
    }

    package func values(_ name: String) -> [String] {
        let lowercased = name.lowercased()
        return headers.edit(lowercased)?.values ?? source?.values(lowercased) ?? []
    }
}
